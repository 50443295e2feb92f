"""What the pages are filled with when they are looked at: tasks of a small shop, with a history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import (
    Alert,
    AlertRule,
    Attempt,
    Channel,
    Execution,
    ExecutionLog,
    Notice,
    Presence,
    PresenceKind,
    ScheduledTask,
    read_now,
)
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.tasks.edit import create_task, pause

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/shop/tasks.py", line 41, in send_digest
    smtp.send(batch)
  (library) File "/usr/lib/python3.11/smtplib.py", line 341, in connect
    self.sock = self._get_socket(host, port, self.timeout)
  File "/srv/app/shop/mail.py", line 12, in send
    raise ConnectionError("SMTP server mail.example.com refused the connection")
ConnectionError: SMTP server mail.example.com refused the connection
"""
LINES = (
    ("INFO", "Reading 1,000 products"),
    ("INFO", "Batch 1 of 10 done"),
    ("WARNING", "price missing for SKU 4411, kept the old one"),
    ("INFO", "Batch 6 of 10 done"),
)


def fill(user: Any = None) -> dict[str, ScheduledTask]:
    """Create six tasks with their history; return them by a short name."""
    now = read_now()
    berlin = {"timezone": "Europe/Berlin"}
    tasks = {
        "index": create_task(
            name="Rebuild search index",
            function="testapp.noop",
            schedule_kind="cron",
            expression="0 3 * * 1-5",
            **berlin,
        ),
        "stock": create_task(
            name="Sync stock levels",
            function="testapp.count_to",
            params={"total": 1000},
            schedule_kind="cron",
            expression="*/15 * * * *",
            timeout=timedelta(minutes=5),
            **berlin,
        ),
        "digest": create_task(name="Send weekly digest", function="testapp.add", schedule_kind="manual", **berlin),
        "carts": create_task(
            name="Close stale carts", function="testapp.sleep", schedule_kind="cron", expression="0 * * * *", **berlin
        ),
        "invoice": create_task(
            name="Invoice month end", function="testapp.give", schedule_kind="cron", expression="30 2 1 * *", **berlin
        ),
        "import": create_task(name="Re-import catalogue", function="testapp.typed", schedule_kind="manual", **berlin),
    }
    pause(tasks["invoice"], reason="audit", user=user)
    history(tasks["index"], now, every=timedelta(hours=24), took=8.0, count=24)
    history(tasks["carts"], now, every=timedelta(hours=1), took=30.0, count=26)
    history(tasks["invoice"], now - timedelta(days=23), every=timedelta(days=30), took=33.8, count=6)
    history(
        tasks["stock"], now, every=timedelta(minutes=15), took=21.0, count=52, failed=(9, 22, 41), started_by={3: user}
    )
    history(
        tasks["digest"], now - timedelta(minutes=13), every=timedelta(minutes=70), took=5.3, count=12, failed=(0, 3, 4)
    )
    running(tasks["stock"], now)
    show_presence()
    return tasks


def history(
    task: ScheduledTask,
    now: Any,
    *,
    every: timedelta,
    took: float,
    count: int,
    failed: tuple[int, ...] = (),
    started_by: Any = None,
) -> None:
    """Write *count* ended executions, the newest *every* ago."""
    rows = []
    for number in reversed(range(count)):
        at = now - every * number - timedelta(seconds=took + 400 * (number == 0))
        seconds = took * (0.5 + (number * 37 % 20) / 20)
        is_bad = number in failed
        person = (started_by or {}).get(number)
        rows.append(
            Execution(
                task=task,
                task_name=task.name,
                function=task.function,
                params=task.params,
                trigger=Trigger.ADMIN if person else Trigger.SCHEDULE,
                triggered_by=person,
                scheduled_for=at.replace(microsecond=0),
                triggered_at=at,
                started_at=at + timedelta(milliseconds=200),
                completed_at=at + timedelta(seconds=seconds),
                worker_host="web-1",
                worker_pid=4121,
                status=Status.ERRORS if is_bad else Status.COMPLETED,
                outcome=Outcome.FAILED if is_bad else Outcome.SUCCEEDED,
                error_code="failed" if is_bad else "",
                error_type="ConnectionError" if is_bad else "",
                error_message="SMTP server mail.example.com refused the connection" if is_bad else "",
                traceback=TRACEBACK if is_bad else "",
                result=None if is_bad else {"rows": 1000 + number},
                result_format="" if is_bad else "json",
            )
        )
        if number == 5:
            rows[-1].status, rows[-1].outcome, rows[-1].result = Status.ERRORS, Outcome.MISSED, None
            rows[-1].started_at = None
            rows[-1].error_message = "No scheduler got to it in time."
    Execution.objects.bulk_create(rows)


def running(task: ScheduledTask, now: Any) -> Execution:
    """Write an execution that is going on, with a log."""
    row = Execution.objects.create(
        task=task,
        task_name=task.name,
        function=task.function,
        params=task.params,
        trigger=Trigger.SCHEDULE,
        scheduled_for=(now - timedelta(seconds=74)).replace(microsecond=0),
        triggered_at=now - timedelta(seconds=74),
        started_at=now - timedelta(seconds=73.8),
        lease_until=now + timedelta(hours=10),
        status=Status.PROCESSING,
        progress_current=620,
        progress_total=1000,
        progress_message="Updating products",
        worker_host="web-1",
        worker_pid=4121,
    )
    write_log(row, now)
    return row


def write_log(row: Execution, now: Any) -> None:
    """Write some lines of log."""
    ExecutionLog.objects.bulk_create(
        ExecutionLog(
            execution=row, number=place, logged_at=now - timedelta(seconds=70 - place), level=level, message=text
        )
        for place, (level, text) in enumerate(LINES, start=1)
    )


def failed_twice(task: ScheduledTask) -> Execution:
    """Write an execution whose first attempt failed and that failed again."""
    row = task.executions.filter(outcome=Outcome.FAILED).order_by("-pk").first()
    assert row is not None
    Attempt.objects.create(
        execution=row,
        number=1,
        started_at=row.started_at,
        ended_at=row.completed_at,
        outcome=Outcome.FAILED,
        error_type="ConnectionError",
        error_message="It refused the connection",
    )
    write_log(row, row.completed_at)
    return row


def alerts(tasks: dict[str, ScheduledTask], user: Any = None) -> list[Alert]:
    """Let something be wrong: one thing with the installation, four with tasks, and two that are over."""
    now = read_now()
    ops, admins = (
        Channel.objects.create(name=name, kind="mail", address="ops@example.com")
        for name in ("#ops on Slack", "ADMINS by mail")
    )
    rule = AlertRule.objects.create(name="Everything", kinds=["failing", "missed", "no_worker"])
    rule.channels.set([ops, admins])
    failed = list(tasks["digest"].executions.filter(outcome=Outcome.FAILED).order_by("pk"))
    missed = tasks["stock"].executions.filter(outcome=Outcome.MISSED).first()
    going = tasks["stock"].executions.filter(status=Status.PROCESSING).first()
    assert missed is not None
    assert going is not None
    rows = [
        _alert("no_worker", now - timedelta(minutes=6), queue="reports"),
        _alert("missed", now - timedelta(hours=2), tasks["stock"], first=missed, latest=missed),
        _alert("failing", now - timedelta(minutes=10), tasks["digest"], count=2, first=failed[0], latest=failed[-1]),
        _alert("too_long", now - timedelta(minutes=3), tasks["stock"], latest=going, limit=timedelta(minutes=1)),
        _alert("late", now - timedelta(hours=25), tasks["carts"]),
        _alert("failing", now - timedelta(hours=20), tasks["stock"], hours=1, count=2, closing_execution=going.pk),
        _alert("no_worker", now - timedelta(days=2), queue="reports", hours=1),
    ]
    Alert.objects.filter(pk=rows[3].pk).update(acknowledged_at=now, acknowledged_by=user)
    Alert.objects.filter(pk=rows[4].pk).update(silenced_until=now + timedelta(hours=40))
    for row, channel in ((rows[0], ops), (rows[1], admins), (rows[2], ops), (rows[4], admins)):
        Notice.objects.create(
            alert=row, channel=channel, event="opened", created_at=row.opened_at, sent_at=row.opened_at, answer="Sent."
        )
    return rows


def _alert(
    kind: str,
    at: Any,
    task: ScheduledTask | None = None,
    *,
    first: Execution | None = None,
    latest: Execution | None = None,
    hours: int = 0,
    **values: Any,
) -> Alert:
    numbers = {"first_execution": first and first.pk, "latest_execution": latest and latest.pk}
    name = task.name if task is not None else ""
    closed = {"closed_at": at + timedelta(hours=hours)} if hours else {"open_key": f"{kind}:{name}"}
    return Alert.objects.create(kind=kind, opened_at=at, task=task, task_name=name, **numbers, **closed, **values)


def show_presence() -> None:
    """Let a scheduler and a worker have been seen just now."""
    for kind in PresenceKind:
        presence.seen(kind)


def forget_presence() -> None:
    """Let nobody have been seen."""
    Presence.objects.all().delete()
