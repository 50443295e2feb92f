"""How a message gets to people: one module for each kind of channel. None of them uses our database."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django_scheduled_tasks.models import ChannelKind
from django_scheduled_tasks.services.alerts.channels import mail, webhook
from django_scheduled_tasks.services.alerts.channels.message import Message, NotDelivered, Target

__all__ = ["ANSWER_MAX_LENGTH", "Message", "NotDelivered", "Target", "deliver"]
_SEND: Mapping[str, Callable[[Target, Message], str]] = {
    str(ChannelKind.MAIL): mail.send,
    str(ChannelKind.WEBHOOK): webhook.send,
}
ANSWER_MAX_LENGTH = 200


def deliver(target: Target, message: Message) -> str:
    """Send *message* to *target*, and return what it answered, in few words.

    Raises:
        NotDelivered: It was not taken, whatever the cause.
    """
    try:
        return _SEND[target.kind](target, message)[:ANSWER_MAX_LENGTH]
    except NotDelivered as exc:
        raise NotDelivered(str(exc)[:ANSWER_MAX_LENGTH]) from None
    except Exception as exc:
        # Its name alone: the text may have addresses or more in it.
        raise NotDelivered(type(exc).__name__) from exc
