"""Notices on their way: which are sent now, and what came of it.

A notice is taken by a statement that says who may try, and until when; then it is sent; then what the channel answered
is written. If the process dies between sending and writing, another one sends it again once that time is over, with
the same id, by which a receiver can tell.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import uuid4

from django_scheduled_tasks.channels import Message, NotDelivered, Target
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Channel, Notice, for_update, read_now, write_alias, write_transaction
from django_scheduled_tasks.services.alerts.channels import deliver
from django_scheduled_tasks.services.alerts.telling.dead import answers, does_not_answer
from django_scheduled_tasks.services.alerts.telling.wording import message_of, try_message

logger = logging.getLogger(__name__)

DIGEST_FROM = 5
"""If so many new notices for a channel are due at once, they become one message."""
MOST_NOTICES = 2_000
"""So many notices are read at once."""
MOST_MESSAGES = 5
"""So many messages for a channel are taken at once, so that the last one is sent while it is still ours."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
"""Until the next try of what a channel did not take; each wait is twice the one before."""
GIVEN_UP_AFTER = timedelta(days=1)
"""What a channel has not taken for so long is not tried again."""
_MOST_DOUBLINGS = 7


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for one channel, taken to be sent."""

    target: Target
    message: Message
    tries: int
    """Which try this is; who writes the answer must still be the last one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try."""

    parcel: Parcel
    is_taken: bool
    text: str


def target_of(channel: Channel) -> Target:
    """Return what is needed of *channel* to send to it, without the database."""
    return Target(channel.pk or 0, channel.name, channel.kind, channel.address, channel.secret_name)


def take_due(*, but: Iterable[int] = ()) -> list[Parcel]:
    """Take the notices that are due to be sent now; two statements, and one for each message.

    Args:
        but: Channels to leave out: this process is still sending to them.
    """
    with write_transaction():
        now = read_now()
        rows = Notice.objects.using(write_alias()).filter(next_try_at__lte=now).exclude(channel__in=list(but))
        rows = for_update(rows.select_related("alert", "channel"), skip_locked=True)
        due = sorted(rows.order_by("pk")[:MOST_NOTICES], key=lambda row: (row.channel_id, row.message, row.pk))
        parcels: list[Parcel] = []
        for _channel, own in groupby(due, key=lambda row: row.channel_id):
            parcels += _parcels(list(own), now)
    return parcels


def _parcels(own: list[Notice], now: datetime) -> list[Parcel]:
    """Return the messages for one channel, of its notices that are due; those that were tried before come first."""
    channel = own[0].channel
    if not channel.enabled:
        _set(own, next_try_at=None, answer="The channel is switched off.")
        return []
    new = [row for row in own if not row.message]
    groups = [list(rows) for _id, rows in groupby((row for row in own if row.message), key=lambda row: row.message)]
    groups += [new] if len(new) >= DIGEST_FROM else [[row] for row in new]
    limit = get_settings().ALERT_TIMEOUT * (MOST_MESSAGES + 1)
    parcels = []
    for rows in groups[:MOST_MESSAGES]:
        message_id, tries = rows[0].message or str(uuid4()), rows[0].tries + 1
        _set(rows, message=message_id, tries=tries, next_try_at=now + limit)
        parcels.append(Parcel(target_of(channel), message_of(rows, message_id), tries))
    return parcels


def _set(rows: Sequence[Notice], **changes: object) -> None:
    Notice.objects.using(write_alias()).filter(pk__in=[row.pk for row in rows]).update(**changes)


def send(parcel: Parcel, try_it: Callable[[Target, Message], str] = deliver) -> Answer:
    """Send *parcel*, without the database."""
    try:
        return Answer(parcel, True, try_it(parcel.target, parcel.message))
    except NotDelivered as exc:
        return Answer(parcel, False, str(exc))


def write_answer(answer: Answer) -> None:
    """Record what came of a try; if another process has tried since, it is not recorded. Four statements at most."""
    parcel = answer.parcel
    rows = Notice.objects.using(write_alias()).filter(
        message=parcel.message.id, channel=parcel.target.id, tries=parcel.tries, sent_at=None
    )
    now = read_now()
    if answer.is_taken:
        rows.update(sent_at=now, next_try_at=None, answer=answer.text)
        answers(parcel.target.id)
        return
    logger.warning(
        "The channel %s did not take a notice: %s", parcel.target.name, answer.text, extra={"event": "not_told"}
    )
    written = rows.filter(created_at__gt=now - GIVEN_UP_AFTER).update(
        next_try_at=now + wait_after(parcel.tries), answer=answer.text
    )
    written += rows.filter(created_at__lte=now - GIVEN_UP_AFTER).update(next_try_at=None, answer=answer.text)
    if written:
        does_not_answer(parcel.target.id, answer.text, now)


def wait_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries."""
    factor: int = 2 ** min(tries - 1, _MOST_DOUBLINGS)
    return min(FIRST_WAIT * factor, LONGEST_WAIT)


def send_test(channel: Channel) -> str:
    """Send a test to *channel* at once, and return what it answered.

    Raises:
        NotDelivered: It was not taken.
    """
    answer = deliver(target_of(channel), try_message(str(uuid4())))
    answers(channel.pk)
    return answer
