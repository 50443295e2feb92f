"""Register the calendars with the admin; they are changed through the services only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.calendars.form import CalendarForm
from django_scheduled_tasks.admin.calendars.page import page_context
from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.ui.base import THEME, ScreenAdmin, drop_parameters, signed_in
from django_scheduled_tasks.admin.ui.html import page_url
from django_scheduled_tasks.exceptions import InvalidInput, ScheduledTasksError
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import Calendar, read_now
from django_scheduled_tasks.schedules.calendars.ics import MOST_BYTES
from django_scheduled_tasks.schedules.calendars.year import FIRST_YEAR, LAST_YEAR
from django_scheduled_tasks.services.tasks.calendars.edit import (
    create_calendar,
    delete_calendar,
    update_calendar,
    users_of,
)
from django_scheduled_tasks.services.tasks.calendars.ics import import_ics


class IcsForm(forms.Form):
    """The file that is imported."""

    ics = forms.FileField(label=gettext_lazy("ICS file"))
    replace = forms.BooleanField(
        label=gettext_lazy("In place of its other dates"),
        required=False,
        help_text=gettext_lazy("Otherwise the days of the file are added."),
    )

    def clean_ics(self) -> str:
        """Return the file's text."""
        file = self.cleaned_data["ics"]
        if file.size > MOST_BYTES:
            raise ValidationError(_("The file is larger than %(most)s bytes.") % {"most": f"{MOST_BYTES:,}"})
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValidationError(_("The file is no text in UTF-8. Nothing was imported.")) from None


@admin.register(Calendar)
class CalendarAdmin(ScreenAdmin):
    """Days and hours on which tasks do not run."""

    form = CalendarForm
    actions = None
    change_list_template = "admin/django_scheduled_tasks/alerting_list.html"
    change_form_template = "admin/django_scheduled_tasks/calendar/change_form.html"
    list_display = ("name", "zone", "rules", "version", "declared")
    list_per_page = 100
    fields = ("name", "zone", "weekdays", "holidays", "dates", "windows", "shown_version")

    class Media:
        js = ("django_scheduled_tasks/js/calendar.js",)

    def has_change_permission(self, request: HttpRequest, obj: Calendar | None = None) -> bool:
        """Whether the user may change it; what the code declares is changed there."""
        return super().has_change_permission(request, obj) and (obj is None or obj.origin != Origin.CODE)

    def has_delete_permission(self, request: HttpRequest, obj: Calendar | None = None) -> bool:
        """Whether the user may delete it; not while tasks use it."""
        if not super().has_delete_permission(request, obj):
            return False
        return obj is None or (obj.origin != Origin.CODE and not users_of(obj.name).exists())

    def get_fields(self, request: HttpRequest, obj: Calendar | None = None) -> Any:
        """Return the fields of the form; who may not change it sees the rules above it."""
        allowed = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return self.fields if allowed else ("name", "zone")

    def get_urls(self) -> list[URLPattern]:
        """Add the import."""
        return [self.page_path("<int:pk>/import/", self.import_view, "import"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list under its own name."""
        health_of(request, self.admin_site)
        title = {"title": _("Calendars"), **THEME}
        return super().changelist_view(request, title | (extra_context or {}))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the year and who uses it above the form."""
        health_of(request, self.admin_site)
        context: dict[str, Any] = {**THEME}
        asked = read_number(request.GET.get("year", ""))
        drop_parameters(request, "year")
        row = self.get_object(request, object_id) if object_id else None
        if row is not None and self.has_view_permission(request, row):
            now = read_now()
            year = asked if asked is not None and FIRST_YEAR <= asked <= LAST_YEAR else now.year
            context |= page_context(row, year, now=now, user=signed_in(request), site=self.admin_site)
            may_change = self.has_change_permission(request, row)
            context["dst_import_url"] = page_url(self.admin_site, "calendar_import", row.pk) if may_change else ""
            context["dst_declared"] = row.origin == Origin.CODE
        return super().changeform_view(request, object_id, form_url, context | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Calendar, form: Any, change: bool) -> None:
        """Save it, and plan the tasks that use it anew."""
        given, user = form.cleaned_data, signed_in(request)
        if not change:
            row = create_calendar(given["name"], zone=given["zone"], definition=given["definition"], user=user)
        else:
            row = update_calendar(obj, zone=given["zone"], definition=given["definition"], user=user)
        obj.__dict__.update(row.__dict__)
        count = users_of(row.name).count() if change else 0
        if count:
            text = ngettext("%(count)s task was planned anew.", "%(count)s tasks were planned anew.", count)
            messages.info(request, text % {"count": count})

    def delete_model(self, request: HttpRequest, obj: Calendar) -> None:
        """Delete it."""
        delete_calendar(obj, user=signed_in(request))

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def import_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for an ICS file (GET); add its days, or nothing if a line cannot be read (POST)."""
        row = self.row_or_404(request, pk, self.has_change_permission)
        form = IcsForm(request.POST, request.FILES) if request.method == "POST" else IcsForm()
        if form.is_valid():
            try:
                _row, count = import_ics(
                    row, form.cleaned_data["ics"], replace=form.cleaned_data["replace"], user=signed_in(request)
                )
            except InvalidInput as exc:
                form.add_error("ics", exc.errors[0].message)
            except ScheduledTasksError as exc:
                form.add_error(None, exc.message)
            else:
                text = ngettext("%(count)s date was imported.", "%(count)s dates were imported.", count)
                messages.success(request, text % {"count": count})
                self.log_change(request, row, _("Imported an ICS file."))
                return HttpResponseRedirect(page_url(self.admin_site, "calendar_change", row.pk))
        return self.page(request, "calendar/import.html", title=_("Import ICS"), original=row, form=form)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Calendar]:
        """Read who saved it along with it."""
        rows: QuerySet[Calendar] = super().get_queryset(request)
        return rows.select_related("updated_by")

    @admin.display(description=gettext_lazy("rules"))
    def rules(self, row: Calendar) -> str:
        """Return what it excludes, in short."""
        definition = row.definition
        parts = [definition.get("holidays", "")]
        if dates := len(definition.get("dates", ())):
            parts.append(ngettext("%(count)s date", "%(count)s dates", dates) % {"count": dates})
        parts += definition.get("windows", ())[:3]
        return ", ".join(filter(None, parts)) or "—"

    @admin.display(description=gettext_lazy("declared in code"), boolean=True)
    def declared(self, row: Calendar) -> bool:
        """Whether the code declares it."""
        return row.origin == Origin.CODE
