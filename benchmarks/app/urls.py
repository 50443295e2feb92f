"""Bare views of DRF next to ours, and a call that tells which worker answers."""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework import generics, serializers
from rest_framework.permissions import DjangoModelPermissions

from benchmarks.app.models import Note


class NoteSerializer(serializers.ModelSerializer[Note]):
    """All of it."""

    class Meta:
        model = Note
        fields = ("id", "name", "text", "created_at")


class ModelPermissions(DjangoModelPermissions):
    """Asks for the permission to view as well: a superuser has it, for others it is read from the database."""

    perms_map = DjangoModelPermissions.perms_map | {"GET": ["%(app_label)s.view_%(model_name)s"]}


class CreateNote(generics.CreateAPIView[Note]):
    """What DRF needs to write one row."""

    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    permission_classes = (ModelPermissions,)


class RetrieveNote(generics.RetrieveAPIView[Note]):
    """What DRF needs to read one row."""

    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    permission_classes = (ModelPermissions,)


def worker(request: HttpRequest) -> HttpResponse:
    """Answer with the id of the process."""
    del request
    return HttpResponse(str(os.getpid()))


urlpatterns = [
    path("notes/", CreateNote.as_view()),
    path("notes/<int:pk>/", RetrieveNote.as_view()),
    path("worker/", worker),
    path("api/scheduled-tasks/", include("django_scheduled_tasks.api.urls")),
]
