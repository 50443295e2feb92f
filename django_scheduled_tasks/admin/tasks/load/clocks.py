"""The page *Next clock changes*: per zone, which tasks a change touches and what becomes of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_safe

from django_scheduled_tasks.admin.ui.base import ScreenAdmin
from django_scheduled_tasks.admin.ui.html import task_url
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.schedules.description.clock_changes import EffectKind
from django_scheduled_tasks.schedules.wall import Transition
from django_scheduled_tasks.services.queries.clock_changes import ZoneChange, next_changes
from django_scheduled_tasks.translation import say_number

EFFECTS = {
    EffectKind.MOVED: gettext_lazy("moved"),
    EffectKind.ONCE: gettext_lazy("runs once"),
    EffectKind.LEFT_OUT: gettext_lazy("left out"),
    EffectKind.TWICE: gettext_lazy("runs twice"),
}


class ClockChangesMixin(ScreenAdmin):
    """The page of the next clock changes."""

    @method_decorator(require_safe)
    def clock_changes_view(self, request: HttpRequest) -> HttpResponse:
        """Show the next change of each zone that tasks are in."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        title = _("Next clock changes")
        return self.page(
            request,
            "scheduledtask/clock_changes.html",
            title=title,
            original=title,
            zones=[self._zone(one) for one in next_changes(read_now())],
        )

    def _zone(self, found: ZoneChange) -> dict[str, Any]:
        return {
            "zone": found.zone,
            "change": _change_text(found.change),
            "touched": touched_text(found),
            "rows": [
                (one.name, task_url(self.admin_site, "change", one.pk), EFFECTS[one.effect.kind], one.effect.sentence)
                for one in found.named
            ],
            "more": found.touched - len(found.named),
        }

    def clocks_line(self) -> SafeString | str:
        """Return when the next clock change is, and a link to what it touches; empty if none is ahead."""
        return line_of(next_changes(read_now()), task_url(self.admin_site, "clock_changes"))


def line_of(found: Sequence[ZoneChange], url: str) -> SafeString | str:
    """Return when the next clock change is, and how many tasks it touches."""
    if not found:
        return ""
    first = found[0].change
    same = [one for one in found if one.change.at == first.at]
    count = sum(one.touched for one in same)
    touched = ngettext("%(count)s task is touched", "%(count)s tasks are touched", count)
    return format_html(
        _("Next clock change: {day}, {touched}."),
        day=_day(first),
        touched=format_html('<a href="{}">{}</a>', url, touched % {"count": say_number(count)}),
    )


def touched_text(found: ZoneChange) -> str:
    """Return how many of the tasks in a zone are touched."""
    text = ngettext("%(count)s of %(all)s task is touched.", "%(count)s of %(all)s tasks are touched.", found.tasks)
    return text % {"count": say_number(found.touched), "all": say_number(found.tasks)}


def _day(change: Transition) -> str:
    # Translators: format of a day with its year, as in Django's date filter.
    return date_format(change.wall_before.date(), pgettext("date format", "D j M Y"))


def _change_text(change: Transition) -> str:
    values = {"day": _day(change), "old": f"{change.wall_before:%H:%M}", "new": f"{change.wall_after:%H:%M}"}
    return _("%(day)s, from %(old)s to %(new)s") % values
