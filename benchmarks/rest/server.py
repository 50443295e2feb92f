"""The server that is measured, its rows, and the calls."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.lateness import wait_for
from benchmarks.rest.load import CLIENTS, WORKERS, Call
from tests.servers import spare_port

TASKS = ("bill on demand", "export", "import", "tidy up")
"""The first is the one whose executions fill the table."""
LEAST_ROWS = 200
"""So many executions there are at least, for something to read."""


@contextmanager
def server() -> Iterator[int]:
    """Run gunicorn within the block; it yields the port."""
    port = spare_port()
    command = [sys.executable, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()"]
    # Sync workers of gunicorn close each connection; threads let them be kept.
    command += ["--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(CLIENTS // WORKERS)]
    command += ["--keep-alive", "60", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        wait_for(lambda: _listens(port), seconds=30)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def prepare() -> dict[str, str]:
    """Make the tables, the task and the notes, and return the tokens of a superuser and of an ordinary user."""
    from django.contrib.auth.models import Permission, User
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from benchmarks.app.models import Note
    from django_scheduled_tasks.services.tasks.edit import create_task

    call_command("migrate", verbosity=0, run_syncdb=True)
    for name in TASKS:
        create_task(name=name, function="bench.nothing", overlap="allow")
    Note.objects.bulk_create(Note(name=f"note {number}", text="x" * 50) for number in range(LEAST_ROWS))
    ordinary = User.objects.create_user("operator")
    wanted = ("view_scheduledtask", "run_scheduledtask", "view_execution", "add_note", "view_note")
    ordinary.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    users = {"superuser": User.objects.create_superuser("superuser"), "operator": ordinary}
    return {name: Token.objects.create(user=user).key for name, user in users.items()}


def fill(count: int) -> None:
    """Empty the table, then write *count* ended executions in one statement, two a minute back from now."""
    from django.db import connection

    from django_scheduled_tasks.models import Execution, ScheduledTask
    from django_scheduled_tasks.services.starting.run_once import run_once

    table = connection.ops.quote_name(Execution._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")
        run_once(ScheduledTask.objects.get(name=TASKS[0]))
        columns = [field.column for field in Execution._meta.concrete_fields if field.column != "id"]
        instant = "now() - n * interval '30 seconds'"
        written = dict(zip(columns, map(connection.ops.quote_name, columns), strict=True)) | {
            # As a UUID of version 7: milliseconds, then chance.
            "tracking_id": f"(lpad(to_hex(floor(extract(epoch FROM {instant}) * 1000)::bigint), 12, '0')"
            " || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid",
            "triggered_at": instant,
            "started_at": instant,
            "completed_at": f"{instant} + interval '1 second'",
            "status": "'completed'",
            "outcome": "'succeeded'",
            "lock_key": "NULL",
            "send_at": "NULL",
        }
        names = ", ".join(map(connection.ops.quote_name, columns))
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {', '.join(written.values())} FROM {table},"
            " generate_series(%s, 1, -1) AS n",
            [count],
        )
        cursor.execute(f"VACUUM ANALYZE {table}")


def calls(tokens: dict[str, str]) -> list[Call]:
    """Return what is measured, with what there is to read."""
    from benchmarks.app.models import Note
    from django_scheduled_tasks.models import Execution

    notes = [("GET", f"/notes/{pk}/", None) for pk in Note.objects.values_list("pk", flat=True)[:LEAST_ROWS]]
    create = [("POST", "/notes/", {"name": "note", "text": "x" * 50})]
    paths = [f"/api/scheduled-tasks/tasks/{name.replace(' ', '%20')}" for name in TASKS]
    triggers = [("POST", f"{path}/run-once/", {"reason": "x" * 50}) for path in paths]
    first, last = (Execution.objects.order_by(order).values_list("pk", flat=True)[0] for order in ("pk", "-pk"))
    spread = range(first, last, max((last - first) // LEAST_ROWS, 1))
    found = Execution.objects.filter(pk__in=spread).values_list("tracking_id", flat=True)
    statuses = [("GET", f"{paths[0]}/status/{tracking_id}/", None) for tracking_id in found]
    measured = []
    for user, token in tokens.items():
        bare = f"bare create, {user}"
        measured += [
            Call(bare, token, bare, create, 201),
            Call(f"trigger, {user}", token, bare, triggers[:1], 202),
            Call(f"trigger, {user}, {len(TASKS)} tasks", token, bare, triggers, 202),
        ]
        bare = f"bare retrieve, {user}"
        measured += [Call(bare, token, bare, notes, 200), Call(f"status, {user}", token, bare, statuses, 200)]
    return measured
