"""What the bare views create and retrieve."""

from django.db import models


class Note(models.Model):
    """A tiny row."""

    name = models.CharField(max_length=100)
    text = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
