"""Entering words, separated by commas."""

from __future__ import annotations

from typing import Any

from django import forms

from django_scheduled_tasks.db.fields import words_of


class WordsField(forms.CharField):
    """Words, separated by commas: a list."""

    def prepare_value(self, value: Any) -> Any:
        """Return the text of a list."""
        return ", ".join(value) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> Any:
        """Return the list."""
        return words_of(value or "") if isinstance(value, str) or value is None else list(value)

    def validate(self, value: Any) -> None:
        """Refuse nothing: the services validate."""

    def run_validators(self, value: Any) -> None:
        """Refuse nothing, as above."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other words were entered."""
        return bool(list(initial or ()) != self.to_python(data))
