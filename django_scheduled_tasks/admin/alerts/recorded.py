"""What both forms of who is told share: whatever people do with them is recorded."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.models import write_alias
from django_scheduled_tasks.services.alerts.recorded import as_texts, delete_row, record_edit


class RecordedMixin(ScreenAdmin):
    """The admin of rows whose changes are recorded."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save, and remember what it was."""
        stored = self.model._default_manager.using(write_alias()).filter(pk=obj.pk).first() if change else None
        form.dst_before = as_texts(stored) if stored is not None else None
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save what belongs to it, and record all of it."""
        super().save_related(request, form, formsets, change)
        record_edit(form.instance, before=form.dst_before, user=signed_in(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete, and record it."""
        delete_row(obj, user=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete each, and record it."""
        for row in queryset:
            delete_row(row, user=signed_in(request))
