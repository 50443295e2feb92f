"""Reads the ledger after many deploys: was anything lost, doubled, or wrongly paused, switched off, failed or changed?

Nothing here asks the rules of the app. What a task should have done follows from what the database wrote down of its
row (:mod:`tests.chaos.deploys.audit`) and from which releases were alive when (:mod:`tests.chaos.deploys.fleet`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

from django_scheduled_tasks.models import Execution, Release, ScheduledTask
from tests.chaos.deploys import audit, tempo
from tests.chaos.deploys.fleet import Fleet, Life
from tests.chaos.deploys.occurrences import judge_occurrences
from tests.chaos.deploys.source import FIRST_TOOL, Source

KINDS = ("lost", "doubled", "wrongly paused", "wrongly retired", "wrongly failed", "wrongly changed", "not settled")
RESUMED_WITHIN = timedelta(seconds=tempo.LOOK_FOR_BROKEN_INTERVAL + 6)
"""How long a task may stay paused as broken that a scheduler knows; the machine may be busy."""
PLANNED_WITHIN = timedelta(seconds=2)
"""How long a scheduler may need for what is due; the machine may be busy."""
DECIDED_WITHIN = timedelta(seconds=1)
"""How long before it is written it may have been asked who is there; the machine may be busy."""
SHOWN = 10
CALL_FAILURES = {"function_not_registered", "invalid_parameters"}


@dataclass
class Report:
    """What was done, and what was found."""

    events: Counter[str]
    counts: Counter[str] = field(default_factory=Counter)
    problems: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    @property
    def is_well(self) -> bool:
        """Whether nothing was found."""
        return not any(self.problems.values())

    def text(self) -> str:
        """Return it for people."""
        lines = [
            ", ".join(f"{count} × {name}" for name, count in sorted(self.events.items())),
            ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items())),
            ", ".join(f"{len(found)} {kind}" for kind, found in self.problems.items()),
        ]
        for kind, found in self.problems.items():
            lines += [f"{kind}: {one}" for one in found[:SHOWN]]
        return "\n".join([*lines, "All is well." if self.is_well else "NOT WELL."])


class Verdict:
    """What is to be said about one run.

    Args:
        fleet: All processes that there were.
        sources: The releases by name.
        last: The release that is alone now.
        events: What was done.
        stopped: The tasks as they were when their schedules were ended.
    """

    def __init__(
        self,
        fleet: Fleet,
        sources: Mapping[str, Source],
        last: Source,
        events: Counter[str],
        stopped: Mapping[Any, ScheduledTask],
    ) -> None:
        self.fleet, self.sources, self.last, self.stopped = fleet, sources, last, stopped
        self._report = Report(events)

    def report(self) -> Report:
        """Read the ledger."""
        for kind, problem in self._all():
            self._report.problems[kind].append(problem)
        return self._report

    def unsettled(self, source: Source) -> list[str]:
        """Return what is not as *source* has it: each task is on, and as declared; no other one is."""
        found, declared = [], source.declared
        rows: dict[int, list[ScheduledTask]] = defaultdict(list)
        for row in self.stopped.values() or ScheduledTask.objects.all():
            rows[row.params["line"]].append(row)
        for line, some in rows.items():
            on = [row for row in some if row.retired_at is None and row.enabled]
            if line >= FIRST_TOOL:
                is_known = source.knows(some[0].function)
                if is_known == (some[0].paused_at is not None):
                    found.append(f"{some[0]} ({some[0].function}) is {'' if is_known else 'not '}known, and so paused")
            elif line in declared:
                item = declared[line]
                found += [f"{item.name} has {len(on)} rows that are on"] if len(on) != 1 else []
                found += [
                    f"{row} with {row.function} and {row.params} is not as declared in {source.name}"
                    for row in on
                    if (row.name, row.function, row.params) != (item.name, item.path, item.params)
                    or row.paused_at is not None
                ]
            elif on:
                found.append(f"{on[0]} is on, but not declared in {source.name}")
        return found + [f"{declared[line].name} has no row" for line in declared.keys() - rows.keys()]

    # --- what may have gone wrong

    def _all(self) -> Iterator[tuple[str, str]]:
        entries = audit.read()
        rows = defaultdict(list)
        for row in Execution.objects.order_by("id").prefetch_related("attempts"):
            rows[row.task_id].append(row)
            self._report.counts[row.outcome or row.status] += 1
        for task in self.stopped.values():
            some = [row for row in rows[task.pk] if row.trigger == "schedule"]
            expected, problems = judge_occurrences(task, entries[task.pk], some, self._is_planned)
            self._report.counts["occurrences"] += expected
            yield from problems
        for some in entries.values():
            yield from self._wrong_changes(some)
        yield from self._two_at_once(rows)
        for row in (row for some in rows.values() for row in some):
            yield from self._wrong_end(row)
        yield from self._runs(rows)
        for one in self.unsettled(self.last):
            yield "not settled", one

    def _wrong_changes(self, entries: list[audit.Entry]) -> Iterator[tuple[str, str]]:
        for before, after in pairwise(entries):
            if after.retired_at is not None and before.retired_at is None:
                self._report.counts["switched off"] += 1
                if life := self._who_was_there(after.at, lambda one, line=after.line: line in one.declared):
                    yield "wrongly retired", f"{after.name} at {after.at:%T.%f}, but {_said(life)} declares it"
            if after.paused_at is not None and before.paused_at is None and after.retired_at is None:
                self._report.counts["paused"] += 1
                yield from self._wrong_pause(after)
            if older := self._is_older(before, after):
                yield "wrongly changed", older
        yield from self._late_resumes(entries)

    def _wrong_pause(self, entry: audit.Entry) -> Iterator[tuple[str, str]]:
        since = entry.at - timedelta(seconds=tempo.UNKNOWN_FOR - 0.3)
        if life := self._who(since, entry.at - DECIDED_WITHIN, lambda one: one.knows(entry.function)):
            yield "wrongly paused", f"{entry.name} ({entry.function}) at {entry.at:%T.%f}; {_said(life)} knows it"

    def _late_resumes(self, entries: list[audit.Entry]) -> Iterator[tuple[str, str]]:
        ends = [entry.at for entry in entries[1:]] + [max(entry.at for entry in entries)]
        for entry, end in zip(entries, ends, strict=True):
            if entry.paused_at is None or entry.retired_at is not None:
                continue
            for life in self.fleet.lives:
                if life.since is None or not life.slot.startswith("scheduler") or not life.source.knows(entry.function):
                    continue
                until = min(end, life.until or end)
                if until - max(entry.at, life.since) > RESUMED_WITHIN:
                    yield "wrongly paused", f"{entry.name} until {end:%T.%f}, but {_said(life)} knew it"

    def _is_older(self, before: audit.Entry, after: audit.Entry) -> str:
        """Return what is wrong if an older release has written over a newer one that was there."""
        old, new = (self._releases.get(one.release) for one in (before, after))
        if old is None or new is None or new.number >= old.number:
            return ""
        life = self._who_was_there(after.at, lambda one: one is old)
        return f"{after.name} by {new.name} over {old.name} at {after.at:%T.%f}; {_said(life)}" if life else ""

    def _two_at_once(self, rows: Mapping[Any, list[Execution]]) -> Iterator[tuple[str, str]]:
        """Find occurrences of one task that have started twice, under two names."""
        started: dict[tuple[int, datetime | None], list[Execution]] = defaultdict(list)
        for row in (row for some in rows.values() for row in some):
            if row.trigger == "schedule" and row.outcome not in {"skipped", "missed"}:
                started[row.params["line"], row.scheduled_for].append(row)
        for (line, at), some in started.items():
            if len(some) > 1:
                names = ", ".join(f"#{row.pk} of {row.task_name}" for row in some)
                yield "doubled", f"line {line} at {at}: {names}"

    def _wrong_end(self, row: Execution) -> Iterator[tuple[str, str]]:
        said = f"#{row.pk} of {row.task_name}, {row.outcome or row.status} {row.error_code}: {row.error_message}"
        said += f" (given back {row.given_back} times, attempt {row.attempt})"
        if row.outcome in {"succeeded", "skipped", "missed"}:  # the latter two are read with the occurrences
            return
        if row.outcome == "worker_lost" and row.worker_pid in self.fleet.killed:
            return
        if row.outcome == "failed" and row.error_code in CALL_FAILURES and row.completed_at is not None:
            life = self._who_may_take(row, row.completed_at)
            if life is None:
                self._report.counts["rightly failed"] += 1
                return
            said += f" at {row.completed_at:%T.%f}; {_said(life)} takes {row.params}"
        yield ("lost" if row.is_open else "wrongly failed"), said

    def _runs(self, rows: Mapping[Any, list[Execution]]) -> Iterator[tuple[str, str]]:
        """No execution ran to its end twice, unless it was tried again since its worker was killed."""
        lines = [line.split() for line in self.fleet.trace.read_text().splitlines()]
        ends = Counter(int(words[1]) for words in lines if words[0] == "end")
        known = {row.pk: row for some in rows.values() for row in some}
        for number, count in ends.items():
            row = known.get(number)
            if row is None:
                yield "doubled", f"a run of #{number}, which has no row"
            elif count > 1 + sum(one.worker_pid in self.fleet.killed for one in row.attempts.all()):
                yield "doubled", f"#{number} of {row.task_name} ran to its end {count} times"
        for row in known.values():
            if row.outcome == "succeeded" and not ends[row.pk]:
                yield "lost", f"#{row.pk} of {row.task_name} is said to have succeeded, but never ran to its end"
        asked = {words[1] for words in lines if words[0] == "asked"}
        for missing in asked - {str(row.tracking_id) for row in known.values()}:
            yield "lost", f"{missing} was asked for, and has no row"
        self._report.counts["asked for"] = len(asked)
        self._report.counts["refused"] = sum(words[0] == "refused" for words in lines)

    # --- who was there

    def _who(self, first: datetime, last: datetime, knows: Any) -> Life | None:
        """Return a process that was certainly there between these two instants and whose release says yes."""
        return next((life for life in self.fleet.lives if life.overlaps(first, last) and knows(life.source)), None)

    def _who_may_take(self, row: Execution, ended_at: datetime) -> Life | None:
        """Return a process that could call what *row* is for, and that was not forgotten when it failed."""
        since = ended_at - timedelta(seconds=tempo.NEVER_KNOWN_FOR - 0.5)
        for life in self.fleet.lives:
            has_said_goodbye = life.slot.startswith("scheduler") and life.until is not None and not life.was_killed
            is_there = life.until is None
            seconds = tempo.GONE_FOR if has_said_goodbye else 0 if is_there else tempo.SEEN_BEFORE
            forgotten = timedelta(seconds=seconds)
            # It is there until it stops, and remembered from then on for what is left of the time.
            first = min(since + forgotten, ended_at - DECIDED_WITHIN)
            if life.source.takes(row.function, row.params) and life.overlaps(first, ended_at - DECIDED_WITHIN):
                return life
        return None

    def _who_was_there(self, moment: datetime, knows: Any) -> Life | None:
        """Return a process that was there when it was decided what was written at *moment*, and until then."""
        began = moment - DECIDED_WITHIN
        lives = (life for life in self.fleet.lives if life.is_there(began) and life.is_there(moment))
        return next((life for life in lives if knows(life.source)), None)

    def _is_planned(self, path: str, instant: datetime) -> bool:
        """Whether one scheduler that knows the function under *path* was there from *instant* on, for long enough."""
        return any(
            life.slot.startswith("scheduler")
            and life.source.knows(path)
            and life.is_there(instant)
            and life.is_there(instant + PLANNED_WITHIN)
            for life in self.fleet.lives
        )

    @cached_property
    def _releases(self) -> dict[str, Source]:
        rows = Release.objects.values_list("key", "name")
        return {key: self.sources[name] for key, name in rows if name in self.sources}


def _said(life: Life | None) -> str:
    if life is None:
        return ""
    until = f"{life.until:%T.%f}" if life.until else "now"
    how = ", killed" if life.was_killed else ""
    return f"{life.slot} of {life.source.name} (from {life.since:%T.%f} to {until}{how})"
