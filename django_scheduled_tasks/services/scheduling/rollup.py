"""Count each execution that has ended exactly once, whatever crashes, and without any cost where it ends.

Ids are given out before they can be seen, and what starts first may end last; so neither the greatest id that was
counted nor the latest end says what was counted. What is kept instead are the ranges of ids that were *not*
(:class:`~django_scheduled_tasks.models.Uncounted`): all that is still to come, and before that what was open, or could
not be seen yet, when it was passed by. To count an execution is to take its id out of its range, in the same
transaction that adds it to the sums; whoever does so holds the lock of the range without an end. So of two schedulers
one counts, what a crash interrupts has not happened, and who deletes an execution counts it first.

An id that nobody has used, after a rollback, leaves an empty range behind. It is forgotten when all that could write
into it is over: on PostgreSQL the numbers of transactions say so. MariaDB and MySQL do not: there it is forgotten after
a day, and a transaction that writes executions and is committed later than that is the one case that is not counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db.models import QuerySet

from django_scheduled_tasks.models import (
    NO_END,
    ScheduledTask,
    TaskDay,
    Total,
    Uncounted,
    for_update,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.services.scheduling.tally import new_totals, tally
from django_scheduled_tasks.store.rollup import ended_before, ended_of, forget_empty, passed_by, written_since

MOST = 500
"""So many executions are counted in one step."""
FORGET_SOON, FORGET_LATE = timedelta(minutes=10), timedelta(days=1)
"""How old an empty range is at least before it is forgotten, where the database knows which transactions are over; and
where it does not. The ten minutes are for who has taken an id and has not got the number of its transaction yet."""
KEEP_DAYS_FOR = timedelta(days=400)
"""For how long the counts of a day are kept: a year, and what is compared with it."""
KEEP_TOTALS_FOR = timedelta(days=30)
"""For how long the totals of a task are kept that is gone."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step has done."""

    counted: int
    is_all: bool
    """Whether nothing that has ended is left."""
    next_id: int
    """What is written from now on has this id or a greater one, or is in a range."""
    has_ranges: bool
    """Whether something before that is not counted: it is open, or its id is not used."""


def count_step(*, limit: int = MOST) -> Step | None:
    """Count at most *limit* executions of those that have ended since, and at most as many that were open before.

    One transaction of a few statements, of which each is answered by an index.

    Returns:
        What was done; None if another process is counting.
    """
    with write_transaction():
        tail = _lock(skip_locked=True)
        if tail is None:
            return None
        before, new = ended_before(limit=limit), written_since(tail.first_id, limit=limit)
        ranges = {one.pk: one for one, _row in before}
        ended = [row for _range, row in before] + [row for row in new if row.outcome]
        if before:
            _take_out(ranges.values(), [row.id for _range, row in before])
        if new:
            _take_out([tail], [row.id for row in new if row.outcome], up_to=new[-1].id)
        tally(ended).write()
        has_ranges = _ranges().exclude(pk=NO_END).exists()
    return Step(len(ended), len(before) < limit and len(new) < limit, tail.first_id, has_ranges)


def count_steps() -> Iterator[int]:
    """Count all that has ended, step by step; yield how many were counted. None if another process is counting."""
    while (step := count_step()) is not None:
        yield step.counted
        if step.is_all:
            return


def count_now(numbers: Sequence[int]) -> int:
    """Count those of these executions that have ended and are not counted yet; for who is about to delete them.

    To be called in the transaction that deletes them. It waits for a step that another process has begun.

    Returns:
        How many were counted.
    """
    with write_transaction():
        while _lock() is None:  # only the first time, while somebody else writes it as well
            continue
        # Read with their locks, which is to read what was committed last, also late in a transaction on MySQL.
        ranges = sorted(for_update(_ranges()), key=lambda one: one.pk)
        ends = [one.last_id for one in ranges]
        within: dict[int, Uncounted] = {}
        for number in numbers:
            found = ranges[bisect_left(ends, number)]
            if found.first_id <= number:
                within[number] = found
        rows = ended_of(sorted(within))
        if rows:
            _take_out({within[row.id].pk: within[row.id] for row in rows}.values(), [row.id for row in rows])
            tally(rows).write()
    return len(rows)


def name_tasks(now: datetime) -> int:
    """Let tasks that have not run yet have counters as well, which are zero; return how many got them."""
    with write_transaction():
        if _lock(skip_locked=True) is None:
            return 0
        rows = new_totals(now)
        Total.objects.using(write_alias()).bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def forget(now: datetime) -> None:
    """Delete counts that need not be kept: old days, totals of tasks long gone, ranges in which nothing is."""
    forget_empty(soon=now - FORGET_SOON, late=now - FORGET_LATE)
    days = TaskDay.objects.using(write_alias()).filter(day__lt=(now - KEEP_DAYS_FOR).date())
    days.delete()
    old = Total.objects.using(write_alias()).filter(last_end_at__lt=now - KEEP_TOTALS_FOR).exclude(task_name="")
    names = list(old.values_list("task_name", flat=True))
    if names:
        there = set(ScheduledTask.objects.using(write_alias()).filter(name__in=names).values_list("name", flat=True))
        old.filter(task_name__in=set(names) - there).delete()


def _ranges() -> QuerySet[Uncounted]:
    return Uncounted.objects.using(write_alias()).order_by()


def _lock(*, skip_locked: bool = False) -> Uncounted | None:
    """Return the range without an end, locked; None if another process holds it."""
    rows = Uncounted.objects.filter(pk=NO_END)
    found = for_update(rows, skip_locked=skip_locked).first()
    if found is None and not rows.using(write_alias()).exists():
        first = Uncounted(first_id=1, last_id=NO_END, since=read_now())
        Uncounted.objects.using(write_alias()).bulk_create([first], ignore_conflicts=True)
        found = for_update(rows, skip_locked=skip_locked).first()
    return found


def _take_out(ranges: Iterable[Uncounted], numbers: Iterable[int], *, up_to: int | None = None) -> None:
    """Take these ids out of *ranges*: what is left of a range are the pieces between them.

    Args:
        ranges: Which.
        numbers: Each in one of the ranges.
        up_to: Where the range without an end is cut; None: behind the last of its numbers.
    """
    rows = Uncounted.objects.using(write_alias())
    numbers = sorted(numbers)
    left: list[Uncounted] = []
    gone = []
    for one in ranges:
        taken = numbers[bisect_left(numbers, one.first_id) : bisect_right(numbers, one.last_id)]
        passed = one
        if one.pk == NO_END:  # its row is the lock, and stays
            passed = passed_by(one.first_id, up_to if up_to is not None else taken[-1])
            one.first_id = passed.last_id + 1
            one.save(using=write_alias(), update_fields=["first_id"])
        else:
            gone.append(one.pk)
        edges = [passed.first_id - 1, *taken, passed.last_id + 1]
        left += [
            Uncounted(first_id=first + 1, last_id=last - 1, since=passed.since, horizon=passed.horizon)
            for first, last in pairwise(edges)
            if last - first > 1
        ]
    if gone:
        rows.filter(pk__in=gone).delete()
    rows.bulk_create(left)
