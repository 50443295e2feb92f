"""Send a test to channels, and say what each answered, and after how long."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.ui.base import ScreenAdmin
from django_scheduled_tasks.admin.ui.html import page_url
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Channel, write_alias
from django_scheduled_tasks.services.alerts.edit_rules import channel_choices
from django_scheduled_tasks.services.alerts.telling.outbox import send_test

MOST_SHOWN = 100
MOST_AT_ONCE = 10
"""A bulk action sends to so many, one after the other, while somebody waits."""


class ChannelTestMixin(ScreenAdmin):
    """The page *Send a test…*, and the same as an action."""

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def test_view(self, request: HttpRequest) -> HttpResponse:
        """List the channels (GET), those of a rule with ``?rule=``; send a test to one of them (POST)."""
        rows = Channel.objects.using(write_alias()).order_by("name")
        rule = read_number(request.GET.get("rule", ""))
        if rule is not None:
            rows = rows.filter(rules=rule)
        own = [row for row in rows[:MOST_SHOWN] if self.has_change_permission(request, row)]
        if not own and not self.has_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            chosen = request.POST.get("channel", "")
            for row in own:
                if str(row.pk) == chosen:
                    self._send(request, row)
            return HttpResponseRedirect(request.get_full_path())
        kinds = dict(channel_choices())
        return self.page(
            request,
            "alert/test.html",
            title=_("Send a test"),
            rows=[(row, kinds.get(row.kind, row.kind)) for row in own],
            add_url=page_url(self.admin_site, "channel_add") if self.has_add_permission(request) else "",
        )

    @admin.action(description=gettext_lazy("Send a test"), permissions=["change"])
    def send_a_test(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        """Send a test by each, and say what it answered."""
        for row in queryset[:MOST_AT_ONCE]:
            if self.has_change_permission(request, row):
                self._send(request, row)

    def _send(self, request: HttpRequest, row: Channel) -> None:
        began = time.monotonic()
        values: dict[str, Any] = {"channel": row.name}
        try:
            values["answer"] = send_test(row)
        except NotDelivered as exc:
            values |= {"answer": exc, "duration": duration_text(time.monotonic() - began)}
            messages.error(request, _("%(channel)s did not take it, after %(duration)s: “%(answer)s”") % values)
        else:
            values["duration"] = duration_text(time.monotonic() - began)
            messages.success(request, _("Sent to %(channel)s in %(duration)s: “%(answer)s”") % values)
        self.log_change(request, row, _("Sent a test."))
