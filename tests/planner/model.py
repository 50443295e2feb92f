"""The rules once more, slow and obvious: one second at a time. Shares no code with the planner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Task:
    """A task, its instants in seconds."""

    is_due: Callable[[int], bool]
    overlap: str = "skip"
    catch_up: str = "latest"
    grace: int | None = None
    max_runs: int | None = None
    starts_at: int | None = None
    ends_at: int | None = None
    paused_until: int | None = None
    spread: Callable[[int, int | None], int] | None = None
    """From an occurrence and the one after it to the earliest start."""


@dataclass
class Row:
    """What is written about one occurrence, or several."""

    what: str
    scheduled_for: int
    decided_at: int
    not_before: int | None = None
    count: int = 1
    blocked_by: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    outcome: str | None = None


@dataclass
class World:
    """One task in time."""

    task: Task
    duration: Callable[[int], int]
    is_down: Callable[[int], bool]
    horizon: int
    rows: list[Row] = field(default_factory=list)
    unhandled: list[int] = field(default_factory=list)
    runs: int = 0

    def run(self, start: int, end: int) -> list[Row]:
        """Let each second from *start* on and before *end* pass, then wait for what is open."""
        for second in range(start, end):
            self.end_and_start(second)
            if self.occurs(second):
                self.unhandled.append(second)
            if not self.is_down(second) and self.unhandled:
                self.decide(second)
                self.unhandled = []
            self.end_and_start(second)
        second = end
        while any(row.outcome is None for row in self.rows):
            self.end_and_start(second)
            second += 1
        return self.rows

    def occurs(self, second: int) -> bool:
        task = self.task
        return (
            task.is_due(second)
            and (task.starts_at is None or second >= task.starts_at)
            and (task.ends_at is None or second < task.ends_at)
            and (task.paused_until is None or second >= task.paused_until)
            and (task.max_runs is None or self.runs < task.max_runs)
        )

    def open_rows(self) -> list[int]:
        return [number for number, row in enumerate(self.rows) if row.outcome is None]

    def end_and_start(self, second: int) -> None:
        changed = True
        while changed:
            changed = False
            for number in self.open_rows():
                row = self.rows[number]
                if row.started_at is not None and row.started_at + self.duration(row.scheduled_for) == second:
                    row.outcome, row.ended_at = "succeeded", second
                    changed = True
            running = any(self.rows[number].started_at is not None for number in self.open_rows())
            for number in self.open_rows():
                row = self.rows[number]
                if row.started_at is not None or (row.not_before or 0) > second or row.decided_at > second:
                    continue
                if running and self.task.overlap != "allow":
                    break
                row.started_at = second
                running = changed = True

    def next_one(self, after: int) -> int | None:
        last = self.horizon if self.task.ends_at is None else min(self.horizon, self.task.ends_at)
        return next((second for second in range(after + 1, last) if self.task.is_due(second)), None)

    def decide(self, now: int) -> None:
        task, due = self.task, self.unhandled
        if task.catch_up == "latest":
            wanted = due[-1:]
        elif task.catch_up == "all":
            wanted = due[-100:]
        else:
            wanted = [second for second in due if now - second <= 10]
        if task.grace is not None:
            wanted = [second for second in wanted if now - second <= task.grace]
        missed = [second for second in due if second not in wanted]
        if len(missed) > 100:
            early = missed[:-100]
            self.rows.append(Row("miss_summary", early[-1], now, count=len(early), outcome="missed"))
        self.rows += [Row("miss", second, now, outcome="missed") for second in missed[-100:]]
        opened_before = self.open_rows()
        for second in wanted:
            if task.max_runs is None or self.runs < task.max_runs:
                self.decide_one(second, now, opened_before, is_newest=second == wanted[-1])

    def decide_one(self, second: int, now: int, opened_before: list[int], *, is_newest: bool) -> None:
        opened = self.open_rows()
        blocker = opened[0] + 1 if opened else None
        what = "start"
        if self.task.overlap == "cancel_running":
            what = "skip" if not is_newest else "cancel_then_start" if opened else "start"
            if is_newest:
                for number in opened_before:
                    self.rows[number].outcome, self.rows[number].ended_at = "cancelled", now
        elif opened and self.task.overlap != "allow":
            one_by_one = self.task.catch_up == "all" and self.task.overlap in {"skip", "queue_one"}
            counted = opened_before if one_by_one else opened
            waiting = [number for number in counted if self.rows[number].started_at is None]
            full = {"skip": counted, "queue_one": waiting, "queue_all": len(waiting) >= 1_000}[self.task.overlap]
            what = "skip" if full else "queue"
        row = Row(what, second, now, blocked_by=None if what == "start" else blocker)
        if what == "skip":
            row.outcome = "skipped"
        else:
            self.runs += 1
            if self.task.spread:
                row.not_before = self.task.spread(second, self.next_one(second))
        self.rows.append(row)
