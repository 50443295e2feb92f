"""Slack, Microsoft Teams, Discord, Telegram, ntfy, PagerDuty and many more, through the library ``apprise``.

Its URLs hold secrets, so a channel has only the name of the setting or environment variable that holds one. Only the
operator writes those: where they lead is trusted, and ``ALERT_NETWORKS`` is not asked.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.channels import (
    ChannelKind,
    InvalidChannel,
    Message,
    NotDelivered,
    Target,
    register_channel_kind,
)
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.alerts.channels.named import named_secret

_TYPES = {"alert.opened": "failure", "alert.closed": "success", "alert.test": "info"}
_TYPE_OF_OTHERS = "warning"
_STATUS = re.compile(r"error=([1-5][0-9][0-9])\b")
_TALKATIVE = ("apprise", "urllib3.connectionpool")
"""What these log has addresses in it, and so secrets: while we send, nobody hears it but we."""
_heard: ContextVar[set[str] | None] = ContextVar("heard", default=None)
"""The HTTP statuses that apprise has logged, while it sends for us."""


@register_channel_kind
class AppriseUrl(ChannelKind):
    """The secret is a URL of apprise's, such as ``slack://…`` or ``ntfy://…``, or several with commas between them."""

    kind = "apprise"
    label = gettext_lazy("Chat or pager (apprise)")

    def check(self, target: Target) -> None:
        """Refuse a URL that is typed in, and want the name of one."""
        if target.address.strip():
            raise InvalidChannel(
                "address", _("Leave it empty: such a URL has secrets in it. Give the name of what holds it below.")
            )
        if not target.secret_name:
            raise InvalidChannel("secret_name", _("Which setting or environment variable holds the URL?"))

    def send(self, target: Target, message: Message) -> str:
        """Let apprise send *message*.

        Raises:
            NotDelivered: apprise is not installed, its URL is not one, or one of those that it names did not take it.
        """
        name = target.secret_name
        urls = named_secret(name)
        try:
            library: Any = import_module("apprise")
        except ImportError:
            raise NotDelivered("apprise is not installed: pip install django-scheduled-tasks-q2[apprise]") from None
        for talkative in _TALKATIVE:
            logging.getLogger(talkative).addFilter(_ears)  # which is added once
        token = _heard.set(set())
        try:
            return _notify(library, name, urls, message)
        finally:
            _heard.reset(token)


def _notify(library: Any, name: str, urls: str, message: Message) -> str:
    asset = library.AppriseAsset(
        app_id="django-scheduled-tasks",
        async_mode=False,
        http_redirects=False,
        interpret_emojis=False,
        service_timeout=get_settings().ALERT_TIMEOUT.total_seconds(),
        storage_mode="memory",
    )
    sender = library.Apprise(asset=asset)
    if not sender.add(urls):
        raise NotDelivered(f"apprise knows no such URL as the one in {name}.")
    for service in sender:
        _let_it_be_one_incident(service, message)
    kind = _TYPES.get(str(message.payload.get("type")), _TYPE_OF_OTHERS)
    result = sender.notify(message.text, title=message.subject, notify_type=kind, body_format="text")
    if not result:
        raise NotDelivered(_why(result))
    return "Taken."


def _let_it_be_one_incident(service: Any, message: Message) -> None:
    """Let PagerDuty resolve with an alert's end what its beginning has triggered, unless the URL says otherwise."""
    number = message.payload.get("id")
    is_plain = service.secure_protocol == "pagerduty" and service.action == "trigger" and not service.dedup
    if is_plain and number is not None:
        service.action, service.dedup = "map", f"{get_settings().SITE_URL} alert {number}".strip()


def _why(result: Any) -> str:
    if result.status.name == "TIMEOUT":
        return "No answer in time."
    statuses = _heard.get()
    return f"HTTP {', '.join(sorted(statuses))}" if statuses else "Not taken."


class _Ears(logging.Filter):
    """Keeps what is logged while we send to itself: the statuses alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        heard = _heard.get()
        if heard is None:
            return True
        heard.update(_STATUS.findall(record.getMessage()))
        return False


_ears = _Ears()
