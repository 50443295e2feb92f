"""Mail, by whatever Django sends mail with."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage

from django_scheduled_tasks.services.alerts.channels.message import Message, NotDelivered, Target


def send(target: Target, message: Message) -> str:
    """Send one mail to all addresses of *target*, or to ``ADMINS``.

    Raises:
        NotDelivered: There is nobody to send it to.
    """
    to = [address.strip() for address in target.address.split(",") if address.strip()] or _admins()
    if not to:
        raise NotDelivered("ADMINS is empty.")
    sender = None if target.address.strip() else settings.SERVER_EMAIL
    # One message id at each try, so that mail programs show what comes twice once.
    headers = {"Message-ID": f"<{message.id}@django-scheduled-tasks>", "Auto-Submitted": "auto-generated"}
    EmailMessage(_on_one_line(message.subject), message.text, sender, to, headers=headers).send()
    return f"Sent to {len(to)}."


def _admins() -> list[str]:
    """Return the addresses of ADMINS, which holds pairs in older versions of Django."""
    return [one if isinstance(one, str) else one[1] for one in settings.ADMINS]


def _on_one_line(text: str) -> str:
    return f"{settings.EMAIL_SUBJECT_PREFIX}{' '.join(text.split())}"
