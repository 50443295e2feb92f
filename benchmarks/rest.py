"""What a trigger and a status cost over REST, next to bare views of DRF: one that creates a row, one that reads one.

``python -m benchmarks.rest [--rounds 3] [--seconds 10] [--executions 0,1000000] [--quick]``. gunicorn with two workers
on a PostgreSQL and a Redis that the benchmark starts itself, four clients that keep their connections, one token for
all. No worker of tasks runs. In each round one call after the other is measured: as a superuser, and as an operator,
whose permissions are read from the database at each request by the bare views too. A trigger locks its task for a
moment; "4 tasks" has one for each client.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.lateness import percentile, wait_for
from tests.servers import own_servers, spare_port

WORKERS, CLIENTS = 2, 4
TASKS = ("bill on demand", "export", "import", "tidy up")
"""The first is the one whose executions fill the table."""
LEAST_ROWS = 200
"""So many executions there are at least, for something to read."""


@dataclass(frozen=True)
class Call:
    """One of those that are measured: who sends what."""

    name: str
    token: str
    bare: str
    """The name of what it is compared with."""
    requests: list[tuple[str, str, Any]]
    """(method, path, body), sent in turn."""
    expected: int


@dataclass(frozen=True)
class Figures:
    """What one call did in one round; latencies in seconds."""

    rate: float
    p50: float
    p99: float


# --- clients


class Client:
    """A connection that is kept. Bare sockets: the client must not take the processor from the server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> tuple[int, bytes]:
        """Send one request, and return status and body of the answer."""
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        return int(head[9:12]), body

    def _receive(self) -> bytes:
        found = self._socket.recv(65_536)
        if not found:
            raise ConnectionError("The server closed the connection.")
        return found

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def as_bytes(method: str, path: str, token: str = "", body: Any = None) -> bytes:
    """Return a request as it is sent."""
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: application/json"]
    lines += [f"Authorization: Token {token}"] if token else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if content else []
    return "\r\n".join([*lines, "", ""]).encode() + content


@contextmanager
def clients(port: int) -> Iterator[list[Client]]:
    """Open as many connections to each worker; the kernel alone may give all of them to one."""
    kept: list[Client] = []
    others: list[Client] = []
    by_worker: Counter[bytes] = Counter()
    while len(kept) < CLIENTS:
        client = Client(port)
        _, pid = client.send(as_bytes("GET", "/worker/"))
        by_worker[pid] += 1
        (kept if by_worker[pid] <= CLIENTS // WORKERS else others).append(client)
    for client in others:
        client.close()
    yield kept
    for client in kept:
        client.close()


def measure(call: Call, opened: list[Client], seconds: float) -> Figures:
    """Let all clients send *call* for *seconds*."""
    latencies: list[list[float]] = [[] for _ in opened]
    wrong: list[str] = []

    def run(client: Client, taken: list[float], first: int) -> None:
        texts = [as_bytes(method, path, call.token, body) for method, path, body in call.requests]
        sent = itertools.islice(itertools.cycle(texts), first, None)
        until = time.perf_counter() + seconds
        began = time.perf_counter()
        while began < until:
            status, body = client.send(next(sent))
            ended = time.perf_counter()
            taken.append(ended - began)
            began = ended
            if status != call.expected:
                wrong.append(f"{call.name}: {status} {body[:300]!r}")
                return

    threads = [
        threading.Thread(target=run, args=(client, latencies[number], number * 7))
        for number, client in enumerate(opened)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if wrong:
        raise RuntimeError(wrong[0])
    found = [latency for each in latencies for latency in each]
    return Figures(len(found) / took, percentile(found, 0.5), percentile(found, 0.99))


# --- the server and its rows


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
    from django_scheduled_tasks.services.tasks import create_task

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
    from django_scheduled_tasks.services.executions import run_once

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


def main() -> None:
    """Measure, and print a table with ratios to the bare views."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rest", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each call is measured in each round")
    parser.add_argument("--executions", default="0,1000000", help="how many there are in the table")
    parser.add_argument("--quick", action="store_true", help="short rounds, and 20,000 rows")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.executions = 2.0, "0,20000"
    results: defaultdict[tuple[int, str], list[Figures]] = defaultdict(list)
    bare: dict[str, str] = {}
    with own_servers() as (postgres, redis):
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.rest_settings",
            "SCHEDULED_TASKS_TEST_PROFILE": "postgres",
            "SCHEDULED_TASKS_TEST_CLUSTER": "bench-rest",
        }
        import django

        django.setup()
        tokens = prepare()
        for count in map(int, options.executions.split(",")):
            fill(max(count, LEAST_ROWS))
            measured = calls(tokens)
            bare |= {call.name: call.bare for call in measured}
            with server() as port:
                one_pass(measured, port, min(options.seconds, 2.0))  # what each process builds at its first requests
                for number in range(options.rounds):
                    for name, figures in one_pass(measured, port, options.seconds).items():
                        results[count, name].append(figures)
                    print(f"{count:,} executions, round {number + 1} done", file=sys.stderr)
    report(results, bare)


def one_pass(measured: list[Call], port: int, seconds: float) -> dict[str, Figures]:
    """Measure one call after the other."""
    with clients(port) as opened:
        return {call.name: measure(call, opened, seconds) for call in measured}


def report(results: dict[tuple[int, str], list[Figures]], compared: dict[str, str]) -> None:
    """Print medians over the rounds; ratios are those of each round, and then their median."""
    print("| executions | call | requests/s | p50, ms | p99, ms | rate, of bare | p99, of bare |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for (count, name), rounds in results.items():
        bare = results[count, compared[name]]

        def median(of: Callable[[Figures], float], rounds: list[Figures] = rounds) -> float:
            return statistics.median(of(one) for one in rounds)

        def ratio(of: Callable[[Figures], float], rounds: Any = rounds, bare: Any = bare) -> float:
            return statistics.median(of(one) / of(other) for one, other in zip(rounds, bare, strict=True))

        print(
            f"| {count:,} | {name} | {median(lambda one: one.rate):.0f} | {median(lambda one: one.p50) * 1000:.1f} |"
            f" {median(lambda one: one.p99) * 1000:.1f} | {ratio(lambda one: one.rate):.2f} |"
            f" {ratio(lambda one: one.p99):.2f} |"
        )


if __name__ == "__main__":
    main()
