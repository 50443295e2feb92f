"""A form field for instants, in the current time zone; aware in Python, with or without ``USE_TZ``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import lazy

from django_scheduled_tasks.admin.ui.html import zone_name
from django_scheduled_tasks.models.limits import check_instant


class InstantField(forms.SplitDateTimeField):
    """A date and a time in the current time zone, which its help names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"help_text": lazy(zone_name, str)(), **options})

    def prepare_value(self, value: Any) -> Any:
        """Convert to the current time zone; Django itself converts only with ``USE_TZ``."""
        if isinstance(value, datetime) and timezone.is_aware(value):
            return timezone.make_naive(value)
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare with the value as it was shown."""
        return super().has_changed(self.prepare_value(initial), data)

    def compress(self, data_list: Any) -> datetime | None:
        """Return the aware instant; refuse one that the database cannot store."""
        found: datetime | None = super().compress(data_list)
        if found is None:
            return None
        found = timezone.make_aware(found) if timezone.is_naive(found) else found
        check_instant(found)
        return found
