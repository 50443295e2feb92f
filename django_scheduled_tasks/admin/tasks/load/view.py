"""The page *Load of the week*: how many worker processes are expected to be busy, and the worst minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from django_scheduled_tasks.admin.installation.shown import queue_name
from django_scheduled_tasks.admin.tasks.load import words
from django_scheduled_tasks.admin.tasks.load.clocks import ClockChangesMixin
from django_scheduled_tasks.admin.tasks.load.spread import TaskSpreadMixin
from django_scheduled_tasks.admin.ui.html import task_url, with_query
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.planner.load import Worst
from django_scheduled_tasks.services.queries.load.week import WeekLoad, week_load
from django_scheduled_tasks.translation import say_number

HEATS = 6
"""So many shades a cell may have."""
NAMED, LISTED = 2, 60
"""Of a stretch so many more names are shown; of an hour so many minutes are listed."""
NAMED_IN_MINUTE = 5


class TaskLoadMixin(TaskSpreadMixin, ClockChangesMixin):
    """The page of the load."""

    @method_decorator(require_safe)
    def load_view(self, request: HttpRequest) -> HttpResponse:
        """Show the load of all queues, or of ``?queue=``; with ``?hour=`` also the minutes of that hour."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.load_asked(request)
        title = _("Load of the week")
        return self.page(
            request,
            "scheduledtask/load.html",
            title=title,
            original=title,
            chips=list(self._chips(found)),
            week=words.week_text(found),
            hours=[f"{hour:02}:00" if hour % 3 == 0 else "" for hour in range(24)],
            days=list(self._days(found)),
            expected=words.expected_text(found),
            worst=[self._worst(request, found, one) for one in found.load.worst],
            fits=words.fits_text(found.processes),
            hour=self._hour(request, found),
            counted=words.counted_text(found),
            clocks=self.clocks_line(),
        )

    def load_asked(self, request: HttpRequest) -> WeekLoad:
        """Return the load that the address asks for."""
        queue = request.GET.get("queue")
        return week_load(queue=None if queue is None else queue[:100], now=read_now())

    def load_url(self, found: WeekLoad, page: str = "load", **parameters: object) -> str:
        """Return the address of a page about the load of the same queue."""
        queue = {} if found.queue is None else {"queue": found.queue}
        url = task_url(self.admin_site, page)
        return with_query(url, **(queue | parameters)) if queue or parameters else url

    def _chips(self, found: WeekLoad) -> Iterator[tuple[str, str, bool]]:
        url = task_url(self.admin_site, "load")
        yield url, _("All queues"), found.queue is None
        for name in sorted({*found.queues, *([] if found.queue is None else [found.queue])}):
            yield with_query(url, queue=name), queue_name(name), found.queue == name

    def _days(self, found: WeekLoad) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        zone = timezone.get_current_timezone()
        scale = max(found.processes or 0, found.load.most, 1)
        for day, cells in zip(found.load.days, found.load.cells, strict=True):
            name = date_format(day, "D")
            shown = []
            for hour, busy in enumerate(cells):
                start = datetime.combine(day, time(hour), zone).astimezone(UTC)
                is_over = bool(busy and found.processes and busy > found.processes)
                shown.append(
                    {
                        "busy": "" if busy is None else say_number(busy),
                        "is_over": is_over,
                        "heat": -(-(busy or 0) * HEATS // scale),
                        "url": self.load_url(found, hour=iso_milliseconds(start)) if busy else "",
                        "label": _("%(day)s %(time)s: %(count)s")
                        % {"day": name, "time": f"{hour:02}:00", "count": busy or 0},
                    }
                )
            yield name, shown

    def _worst(self, request: HttpRequest, found: WeekLoad, worst: Worst) -> dict[str, Any]:
        busy, of_all = words.busy_text(found, worst)
        others, more_times = words.others_of(found, worst), worst.times - 1
        again = ngettext("and once more", "and %(count)s more times", more_times) % {"count": say_number(more_times)}
        spread = ngettext("Spread this one…", "Spread these %(count)s…", worst.due) % {"count": say_number(worst.due)}
        hour = worst.at.replace(minute=0, second=0)
        return {
            "minute": words.minute_text(worst.at),
            "again": again if more_times else "",
            "due": words.tasks_text(worst.due),
            "busy": busy,
            "of_all": of_all,
            "waits": words.waits_text(found, worst),
            "others": ", ".join(others[:NAMED]),
            "more": max(len(others) - NAMED, 0),
            "hour_url": self.load_url(found, hour=iso_milliseconds(hour)),
            "spread": spread if self.has_change_permission(request) else "",
            "spread_url": self.load_url(found, "spread", at=iso_milliseconds(worst.at)),
        }

    def _hour(self, request: HttpRequest, found: WeekLoad) -> dict[str, Any] | None:
        """Return the minutes of the hour that the address asks for."""
        start = instant_from(request.GET.get("hour", ""))
        if start is None or not found.load.start <= start < found.load.end:
            return None
        low, minutes = int(start.timestamp()), dict[int, dict[int, None]]()
        for run in found.load.runs.single:
            if low <= run.start < low + 3_600:
                minutes.setdefault(run.start // 60 * 60, {})[run.work] = None
        rows = []
        for second, places in sorted(minutes.items())[:LISTED]:
            names = found.names(list(places))
            rows.append((words.minute_text(datetime.fromtimestamp(second, UTC)), names[:NAMED_IN_MINUTE], len(names)))
        often = found.load.runs.rates[(low - found.load.runs.low) // 3_600]
        return {
            "title": _("%(minute)s, minute by minute") % {"minute": words.minute_text(start)},
            "rows": [(minute, ", ".join(names), count, max(count - len(names), 0)) for minute, names, count in rows],
            "often": f"{often:.1f}" if often >= 0.05 else "",  # noqa: PLR2004
        }


def instant_from(text: str) -> datetime | None:
    """Return the instant that an address has; None if it is none."""
    try:
        found = datetime.fromisoformat(text[:40])
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
