"""Instants in forms: typed and shown on the reader's wall clock, aware in Python, whatever ``USE_TZ`` says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

from django_scheduled_tasks.models.limits import check_instant


class InstantField(forms.SplitDateTimeField):
    """A date and a time, in the present zone."""

    def prepare_value(self, value: Any) -> Any:
        """Return what is shown: the wall clock. Django converts only where ``USE_TZ`` is on."""
        if isinstance(value, datetime) and timezone.is_aware(value):
            return timezone.make_naive(value)
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare with what was shown."""
        return super().has_changed(self.prepare_value(initial), data)

    def compress(self, data_list: Any) -> datetime | None:
        """Return the aware instant, if it is one that can be kept."""
        found: datetime | None = super().compress(data_list)
        if found is None:
            return None
        found = timezone.make_aware(found) if timezone.is_naive(found) else found
        check_instant(found)
        return found
