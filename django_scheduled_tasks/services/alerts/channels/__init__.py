"""How a message gets to people: one module for each kind of channel. None of them uses our database."""

from __future__ import annotations

from django_scheduled_tasks.channels import Message, NotDelivered, Target, channel_kinds
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import ANSWER_MAX_LENGTH
from django_scheduled_tasks.services.alerts.channels import apprise, mail, webhook
from django_scheduled_tasks.services.alerts.channels.deadline import within

__all__ = ["deliver"]
_BUILT_IN = (mail.Mail, webhook.Webhook, apprise.AppriseUrl)


def deliver(target: Target, message: Message) -> str:
    """Send *message* to *target*, and return what it answered, in few words.

    Nobody waits for longer than ``ALERT_TIMEOUT``, whatever hangs: the search for an address, a server that sends a
    byte a second, a kind of the project's own.

    Raises:
        NotDelivered: It was not taken, whatever the cause.
    """
    kind = channel_kinds().get(target.kind)
    if kind is None:
        raise NotDelivered(f"No kind of channel is called {target.kind}.")
    limit = get_settings().ALERT_TIMEOUT.total_seconds()
    try:
        said = within(limit, lambda: kind.send(target, message), key=target.id)
        return str(said)[:ANSWER_MAX_LENGTH]
    except NotDelivered as exc:
        raise NotDelivered(str(exc)[:ANSWER_MAX_LENGTH]) from None
    except TimeoutError:
        raise NotDelivered("No answer in time.") from None
    except Exception as exc:  # noqa: BLE001  (a kind may be the project's own)
        # Its name alone: the text may have addresses or more in it.
        raise NotDelivered(type(exc).__name__) from None
