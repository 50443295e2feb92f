"""Mail, by whatever Django sends mail with."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.channels import ChannelKind, InvalidChannel, Message, NotDelivered, Target
from django_scheduled_tasks.channels import register_channel_kind as register
from django_scheduled_tasks.conf import get_settings

_LATER = 1.0
"""So much later the connection itself gives up, so that it does not matter who is first: we say what hangs."""
_HAS_MAILERS = django.VERSION >= (6, 1)


@register
class Mail(ChannelKind):
    """The address is mail addresses with commas between them; without one it is those of ``ADMINS``."""

    kind = "mail"
    label = _("Mail")

    def check(self, target: Target) -> None:
        """Refuse what is no address of mail."""
        for address in _addresses(target):
            try:
                validate_email(address)
            except ValidationError as exc:
                raise InvalidChannel("address", exc.messages[0]) from None

    def send(self, target: Target, message: Message) -> str:
        """Send one mail to all addresses of *target*, or to ``ADMINS``.

        Raises:
            NotDelivered: There is nobody to send it to.
        """
        to = _addresses(target) or _admins()
        if not to:
            raise NotDelivered("ADMINS is empty.")
        sender = None if target.address.strip() else settings.SERVER_EMAIL
        # One message id at each try, so that mail programs show what comes twice once.
        headers = {"Message-ID": f"<{message.id}@django-scheduled-tasks>", "Auto-Submitted": "auto-generated"}
        written = EmailMessage(_on_one_line(message.subject), message.text, sender, to, headers=headers)
        _mailer().send_messages([written])
        return f"Sent to {len(to)}."


def _mailer() -> Any:
    """Return what Django sends mail with, which waits for its server little longer than we do; Django sets no limit."""
    found: Any = mail.mailers.default if _HAS_MAILERS else mail.get_connection()  # type: ignore[attr-defined, unused-ignore]
    if getattr(found, "timeout", ...) is None:
        found.timeout = get_settings().ALERT_TIMEOUT.total_seconds() + _LATER
    return found


def _addresses(target: Target) -> list[str]:
    return [address.strip() for address in target.address.split(",") if address.strip()]


def _admins() -> list[str]:
    """Return the addresses of ADMINS, which holds pairs in older versions of Django."""
    return [one if isinstance(one, str) else one[1] for one in settings.ADMINS]


def _on_one_line(text: str) -> str:
    return f"{settings.EMAIL_SUBJECT_PREFIX}{' '.join(text.split())}"
