"""*Spread these …*: what it would do, shown before it is done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.tasks.load import words
from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.planner.load import Worst
from django_scheduled_tasks.services.queries.load.week import WeekLoad
from django_scheduled_tasks.services.tasks.spreading import (
    LONGEST_WINDOW,
    MOST_AT_ONCE,
    USUAL_WINDOW,
    Moved,
    Offer,
    offer,
    spread_tasks,
)
from django_scheduled_tasks.translation import say_number

_MINUTE = timedelta(minutes=1)


class SpreadForm(forms.Form):
    """Over how many minutes, and why."""

    over = forms.IntegerField(min_value=1, max_value=LONGEST_WINDOW // _MINUTE, initial=USUAL_WINDOW // _MINUTE)
    reason = forms.CharField(required=False, max_length=500)


class TaskSpreadMixin(ScreenAdmin):
    """The page that spreads tasks."""

    def load_asked(self, request: HttpRequest) -> WeekLoad:
        """Return the load that the address asks for; implemented by the page of the load."""
        raise NotImplementedError

    def load_url(self, found: WeekLoad, page: str = "load", **parameters: object) -> str:
        """Return the address of a page about the load; implemented by the page of the load."""
        raise NotImplementedError

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def spread_view(self, request: HttpRequest) -> HttpResponse:
        """Show what spreading the tasks of the minute ``?at=`` would do (GET), and spread those shown (POST)."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        found = self.load_asked(request)
        form = SpreadForm(request.POST if request.method == "POST" else request.GET if "over" in request.GET else None)
        if request.method == "POST" and form.is_valid():
            self._spread(request, form)
            return HttpResponseRedirect(self.load_url(found))
        asked = request.GET.get("at", "")
        worst = next((one for one in found.load.worst if _is_at(one, asked)), None)
        if worst is None:
            messages.info(request, _("That minute needs no more processes than there are any more."))
            return HttpResponseRedirect(self.load_url(found))
        valid = form.is_bound and form.is_valid()
        over = form.cleaned_data["over"] if valid else USUAL_WINDOW // _MINUTE
        offered = offer(found, worst, over * _MINUTE, request.user)
        return self.page(
            request,
            "scheduledtask/spread.html",
            title=_title(worst, over),
            original=_("Load of the week"),
            form=form,
            over=over,
            at=asked,
            queue=found.queue,
            said=_said(found, worst, offered),
            stays=list(_stays(worst, offered)),
            rows=[_row(one) for one in offered.moved],
            button=ngettext("Spread %(count)s task", "Spread %(count)s tasks", len(offered.moved))
            % {"count": say_number(len(offered.moved))},
            cancel_url=self.load_url(found),
        )

    def _spread(self, request: HttpRequest, form: SpreadForm) -> None:
        versions = []
        for item in request.POST.getlist("task")[:MOST_AT_ONCE]:
            key, _blank, version = item.partition(" ")
            if (pk := as_uuid(key)) is not None:
                versions.append((pk, version))
        window = form.cleaned_data["over"] * _MINUTE
        done, refused = spread_tasks(versions, window, user=signed_in(request), reason=form.cleaned_data["reason"])
        for task in done:
            self.log_change(request, task, _("Spread over %(count)s minutes.") % {"count": window // _MINUTE})
        for name, error in refused:
            messages.warning(request, f"{name}: {error_text(error)}")
        if done:
            text = ngettext("%(count)s task is spread.", "%(count)s tasks are spread.", len(done))
            messages.success(request, text % {"count": say_number(len(done))})


def _is_at(worst: Worst, text: str) -> bool:
    try:
        return worst.at == datetime.fromisoformat(text[:40])
    except (ValueError, OverflowError):
        return False


def _title(worst: Worst, over: int) -> str:
    values = {"count": say_number(worst.due), "minutes": say_number(over)}
    text = ngettext(
        "Spread %(count)s task over %(minutes)s minutes", "Spread these %(count)s over %(minutes)s minutes", worst.due
    )
    return text % values


def _said(found: WeekLoad, worst: Worst, offered: Offer) -> str:
    begin, end = timezone.localtime(worst.at), timezone.localtime(worst.at + offered.window)
    each = _("Each gets its own fixed second between %(begin)s and %(end)s, the same each time.") % {
        "begin": f"{begin:%H:%M}",
        "end": f"{end:%H:%M}",
    }
    values = {"after": say_number(offered.busy), "before": say_number(worst.busy)}
    if not found.processes:
        then = _("At once then: %(after)s instead of %(before)s.") % values
    elif offered.busy <= found.processes:
        then = _("At once then: %(after)s instead of %(before)s; nothing waits.") % values
    else:
        values["all"] = say_number(found.processes)
        then = _("At once then: %(after)s instead of %(before)s, still more than the %(all)s processes.") % values
    return f"{each} {then}"


def _stays(worst: Worst, offered: Offer) -> Iterator[str]:
    """Yield a sentence for those that stay as they are, and why."""
    at = f"{timezone.localtime(worst.at):%H:%M}"
    texts = (
        (
            offered.declared,
            ngettext(
                "%(count)s stays at %(time)s because it is declared in code with spread=None.",
                "%(count)s stay at %(time)s because they are declared in code with spread=None.",
                offered.declared,
            ),
        ),
        (
            offered.spread,
            ngettext(
                "%(count)s stays because it is spread already.",
                "%(count)s stay because they are spread already.",
                offered.spread,
            ),
        ),
        (
            offered.forbidden,
            ngettext(
                "%(count)s stays because you may not change it.",
                "%(count)s stay because you may not change them.",
                offered.forbidden,
            ),
        ),
        (
            offered.more,
            ngettext(
                "%(count)s more can be spread after these.", "%(count)s more can be spread after these.", offered.more
            ),
        ),
    )
    for count, text in texts:
        if count > 0:
            yield text % {"count": say_number(count), "time": at}


def _row(one: Moved) -> dict[str, str]:
    return {
        "name": one.task.name,
        "value": f"{one.task.pk} {one.version}",
        "before": words.second_text(one.before),
        "after": words.second_text(one.after),
    }
