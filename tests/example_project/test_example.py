"""The example project: its demonstration over real processes, and its tasks' real work."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from tests.cluster import ROOT, is_alive
from tests.profiles import POSTGRES_HOST, POSTGRES_PORT
from tests.selection import first_in_gate

pytestmark = pytest.mark.cluster


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def surroundings(folder: Path, **values: str) -> dict[str, str]:
    """Return the environment of a process that sees the example with a database of its own."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("SCHEDULED_TASKS", "DATABASE_URL"))}
    keep.pop("REDIS_URL", None)
    return keep | {"DJANGO_SETTINGS_MODULE": "example_project.settings", "VAR_DIR": str(folder)} | values


def manage(*arguments: str, folder: Path, **values: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(
        command, env=surroundings(folder, **values), capture_output=True, text=True, check=False, timeout=100, cwd=ROOT
    )


class Demo:
    """A running demonstration."""

    def __init__(self, folder: Path) -> None:
        self.port, self.output = free_port(), folder / "demo.log"
        command = [sys.executable, str(ROOT / "manage.py"), "demo", "--port", str(self.port)]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=surroundings(folder), stdout=output, stderr=output, cwd=ROOT, start_new_session=True
            )

    def text(self) -> str:
        return self.output.read_text()

    def until(self, condition, what: str, seconds: float = 60.0):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.text()}"
            assert self.process.poll() is None, self.text()
            time.sleep(0.1)
        return found

    def ask(self, path: str, token: str, method: str = "GET", body: dict | None = None) -> dict:
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        sent = json.dumps(body).encode() if body else None
        request = urllib.request.Request(path, sent, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response) | {"location": response.headers.get("Location")}

    def descendants(self) -> list[int]:
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text().split()]
        return found


def wait_for_none(pids: list[int]) -> None:
    """Wait until none of the processes is left."""
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.parametrize("how", first_in_gate([signal.SIGINT, signal.SIGTERM]))
def test_the_demo_runs_the_main_job_and_leaves_nothing_behind(tmp_path, how):
    demo = Demo(tmp_path)
    try:
        demo.until(lambda: "Stop it with Ctrl-C" in demo.text(), "it says where it is")
        assert f"http://127.0.0.1:{demo.port}/admin/" in demo.text()
        assert "login admin, password admin" in demo.text()
        line = re.search(r"curl -X POST -H 'Authorization: Token (\w+)' (\S+)", demo.text())
        token, address = line.groups()
        answer = demo.ask(address, token, "POST")
        assert answer["info"]["status"] == "pending"
        done = demo.until(
            lambda: (found := demo.ask(answer["location"], token)["info"])["status"] == "completed" and found,
            "billOnDemand completes",
        )
        assert done["result"]["invoices"] == 50
        for path in ("admin/login/", "api/docs/"):
            with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/{path}", timeout=20) as page:
                assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        pids = demo.descendants()
        assert len(pids) >= 6  # demo, web, scheduler, cluster, its parts
        os.kill(demo.process.pid, how)
        assert demo.process.wait(60) == 0
        wait_for_none(pids)
    finally:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_the_demo_at_once(tmp_path):
    demo = Demo(tmp_path)
    try:
        demo.until(lambda: "Stop it with Ctrl-C" in demo.text(), "it says where it is")
        token, address = re.search(r"Token (\w+)' (\S+)", demo.text()).groups()
        report = address.replace("billOnDemand", "usage-report")
        location = demo.ask(report, token, "POST", {"params": {"passes": 100_000}})["location"]
        demo.until(lambda: demo.ask(location, token)["info"]["status"] == "processing", "the report is running")
        pids = demo.descendants()
        os.kill(demo.process.pid, signal.SIGINT)
        time.sleep(1)
        assert demo.process.poll() is None  # it waits for the report
        began = time.monotonic()
        os.kill(demo.process.pid, signal.SIGINT)
        assert demo.process.wait(10) == 0
        assert time.monotonic() - began < 8
        wait_for_none(pids)
    finally:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGKILL)


def test_the_demo_is_refused_unless_debug(tmp_path):
    done = manage("demo", "--port", str(free_port()), folder=tmp_path, DEBUG="0", SECRET_KEY="x")
    assert done.returncode == 1
    assert "refused unless DEBUG is on" in done.stderr


def test_a_port_in_use_is_said_in_a_sentence(tmp_path):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = manage("demo", "--port", str(port), folder=tmp_path)
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in done.stderr


def migrate(folder: Path, **values: str) -> None:
    done = manage("migrate", "--skip-checks", "--verbosity", "0", folder=folder, **values)
    assert done.returncode == 0, done.stderr
    (folder / "migrated").touch()


@cache
def migrated() -> Path:
    """Return a folder with an empty SQLite database of the example, made once."""
    folder = Path(tempfile.mkdtemp(prefix="example-"))
    migrate(folder)
    return folder


def run_here(folder: Path, name: str, *arguments: str) -> dict:
    """Run one of the example's tasks at once, and return what the command printed."""
    engine = "django_scheduled_tasks.engines.immediate.ImmediateEngine"
    lines = ["from example_project.settings import *", f"SCHEDULED_TASKS = {{'ENGINE': {engine!r}}}"]
    (folder / "immediate_settings.py").write_text("\n".join(lines))
    values = {"DJANGO_SETTINGS_MODULE": "immediate_settings", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    values |= {key: os.environ[key] for key in ("DATABASE_URL",) if key in os.environ}
    if not (folder / "migrated").exists():
        if "DATABASE_URL" in os.environ:
            migrate(folder, **values)
        else:
            shutil.copytree(migrated(), folder, dirs_exist_ok=True)
    done = manage("run_task", "--skip-checks", name, *arguments, "--wait", "--json", folder=folder, **values)
    return json.loads(done.stdout) | {"code": done.returncode}


@pytest.mark.slow
def test_bill_on_demand_writes_invoices_and_bringing_them_up_to_date_bills_nobody_twice(tmp_path):
    first = run_here(tmp_path, "billOnDemand", "--param", "month=2026-01", "--param", "dry_run=true")
    assert first["info"]["result"]["dryRun"] is True
    pulse = run_here(tmp_path, "usage-pulse")["info"]["result"]
    assert pulse["records"] >= 10_000
    assert pulse["invoices"] == 0
    for _ in range(2):
        done = run_here(tmp_path, "billOnDemand", "--param", "month=2026-01")
        assert done["info"]["result"]["invoices"] == 50
        assert done["info"]["progress"] == {"current": 50, "total": 50, "message": "Writing invoices"}
    assert run_here(tmp_path, "usage-pulse")["info"]["result"]["invoices"] == 50
    refused = run_here(tmp_path, "billOnDemand", "--param", "month=2026-13")
    assert refused["code"] == 1
    assert refused["errors"]["items"][0]["details"]["field"] == "month"


@pytest.mark.slow
def test_backups_are_real_and_old_ones_are_pruned(tmp_path):
    import sqlite3

    for _ in range(3):
        done = run_here(tmp_path, "backup-database", "--param", "keep=2")
        assert done["code"] == 0, done
    backups = sorted((tmp_path / "backups").glob("backup-*.sqlite3"))
    assert len(backups) == 2
    assert backups[-1].name == done["info"]["result"]["file"]
    with closing(sqlite3.connect(backups[-1])) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT COUNT(*) FROM django_scheduled_tasks_scheduledtask").fetchone()[0] >= 7


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="no pg_dump on this machine")
def test_a_backup_of_postgresql_can_be_read(tmp_path, monkeypatch):
    import psycopg

    name = f"example_backup_{os.getpid()}"
    server = {"host": POSTGRES_HOST, "port": POSTGRES_PORT, "user": os.environ.get("PGUSER", "postgres")}
    with psycopg.connect(dbname="postgres", autocommit=True, **server) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            monkeypatch.setenv("DATABASE_URL", f"postgres://{server['user']}@{POSTGRES_HOST}:{POSTGRES_PORT}/{name}")
            done = run_here(tmp_path, "backup-database")
            assert done["code"] == 0, done
            backup = tmp_path / "backups" / done["info"]["result"]["file"]
            listed = subprocess.run(["pg_restore", "--list", backup], capture_output=True, text=True, check=True)
            assert "TABLE DATA public django_scheduled_tasks_scheduledtask" in listed.stdout
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.slow
def test_the_other_tasks(tmp_path):
    report = run_here(tmp_path, "usage-report", "--param", "passes=2")["info"]["result"]
    assert report == run_here(tmp_path, "usage-report", "--param", "passes=2")["info"]["result"]
    assert run_here(tmp_path, "clear-sessions")["code"] == 0
    failed = run_here(tmp_path, "check-site", "--param", "url=ftp://example.org")
    assert (failed["code"], failed["info"]["outcome"]) == (1, "failed")
