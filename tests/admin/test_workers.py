"""The page *Workers*: who is there, what each runs, what waits, and what only one release knows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Presence, PresenceKind, read_now
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.releases.own import ensure_written, own_key
from django_scheduled_tasks.services.tasks.holds import hold
from tests.admin.pages import EXECUTIONS, WORKERS
from tests.admin.test_health import text_of, wait
from tests.factories import OPERATOR, OWNER, VIEWER, make_execution, make_release, make_task, make_user

pytestmark = pytest.mark.django_db


def seen(
    kind: PresenceKind,
    host: str,
    *,
    ago: float = 1,
    queue: str = "",
    release: str | None = None,
    pid: int | None = None,
    **columns: object,
) -> None:
    ensure_written()
    at = read_now() - timedelta(seconds=ago)
    Presence.objects.create(
        kind=kind,
        identity=f"{kind}:{host}:{queue}:{release}:{pid}",
        host=host,
        pid=pid,
        queue=queue,
        release=own_key() if release is None else release,
        started_at=at - timedelta(minutes=11),
        last_seen_at=at,
        **columns,
    )


@pytest.fixture
def opened(client):
    client.force_login(make_user(*OWNER))

    def show(path: str = WORKERS) -> str:
        live.forget()
        response = client.get(path)
        assert response.status_code == 200
        return response.content.decode()

    return show


def rows(page: str, table: str) -> list[str]:
    body = page[page.index(f'<table class="dst-table" aria-labelledby="{table}"') :].partition("</table>")[0]
    return [text_of(row) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)][1:]


@pytest.mark.every_database
def test_workers_with_what_each_runs_and_schedulers_with_their_processes(opened):
    task = make_task(name="sync-stock")
    now = read_now()
    make_execution(
        task, status=Status.COMPLETED, started_at=now - timedelta(minutes=9), completed_at=now - timedelta(minutes=7)
    )
    running = make_execution(
        task,
        status=Status.PROCESSING,
        started_at=now - timedelta(seconds=74),
        worker_host="worker-1",
        worker_pid=4121,
        release=own_key(),
        progress_current=62,
        progress_total=100,
    )
    for queue in ("", "mail"):
        seen(PresenceKind.WORKER, "worker-1", queue=queue)
    seen(PresenceKind.WORKER, "worker-2", queue="reports")
    seen(PresenceKind.SCHEDULER, "scheduler-a", pid=208)
    seen(PresenceKind.SCHEDULER, "scheduler-a", pid=209)
    page = opened()
    first, second = rows(page, "dst-workers")
    assert re.match(r"worker-1 \S+ default, mail sync-stock #\d+ 62%, 1 min 1\d s, usually 2 min, process 4121 ", first)
    assert first.endswith("11 min 1 s ago")
    assert f'href="{EXECUTIONS}{running.pk}/change/"' in page
    assert re.match(r"worker-2 \S+ reports Nothing ", second)
    assert [row[:23] for row in rows(page, "dst-schedulers")] == ["scheduler-a process 208", "scheduler-a process 209"]
    assert "Present <b>4</b>" in page
    assert "Gone in 24 h <b>0</b>" in page


@pytest.mark.every_database
def test_queues_with_what_waits_is_held_and_has_started_lately(opened):
    seen(PresenceKind.SCHEDULER, "scheduler-a", pid=1)
    seen(PresenceKind.WORKER, "worker-1")
    wait("reports", ago=360, count=3)
    wait("", ago=2)
    make_execution(make_task(), status=Status.PROCESSING, worker_host="worker-1", release=own_key())
    held = make_task(queue="mail")
    make_execution(held, submissions=1)
    hold("task", task=held, reason="x")
    now = read_now()
    started = {"triggered_at": now - timedelta(seconds=90), "started_at": now - timedelta(seconds=50)}
    make_execution(make_task(), status=Status.COMPLETED, completed_at=now, **started)
    default, mail, reports = rows(opened(), "dst-queues")
    assert re.match(r"default 1 \d s 1 worker-1 2 started, longest wait 40 s$", default)
    assert mail == "mail 0 1 held — 0 none"
    assert reports == "reports 3 6 min 0 none"


def test_of_two_releases_the_newer_one_is_first_and_what_only_one_knows_is_named(opened):
    from django_scheduled_tasks.models import Release

    Release.objects.filter(pk=ensure_written().pk).update(first_seen_at=read_now() - timedelta(days=9))
    live.forget()
    known = [*ensure_written().functions.keys() - {"testapp.add"}, "billing.dunning", "billing.old"]
    newer = make_release("1.5.0", functions=known, kind=None)
    seen(PresenceKind.WORKER, "worker-1")
    seen(PresenceKind.WORKER, "worker-2", release=newer.key)
    seen(PresenceKind.SCHEDULER, "scheduler-a", pid=1)
    task = make_task(name="dunning")
    type(task).objects.filter(pk=task.pk).update(function="billing.dunning")
    page = opened()
    said = text_of(page)
    assert "Two releases run since" in said
    assert re.search(r"Only 1.5.0 knows billing.dunning \(1 task\), billing.old. Only \S+ knows testapp.add. ", said)
    assert "Each leaves to the other what it does not know." in said
    assert said.count("releases run since") == 1, "once, in the words of this page"
    assert [row.split()[0] for row in rows(page, "dst-workers")] == ["worker-2", "worker-1"]
    assert '<span class="dst-new">1.5.0</span>' in page


def test_who_went_within_a_day_and_what_runs_where_nobody_answers(opened):
    seen(PresenceKind.WORKER, "worker-1", ago=3600)
    seen(PresenceKind.SCHEDULER, "scheduler-a", ago=7200, pid=311)
    seen(PresenceKind.SCHEDULER, "scheduler-x", ago=25 * 3600, pid=1)
    make_execution(make_task(name="lost one"), status=Status.PROCESSING, worker_host="worker-1", release=own_key())
    page = opened()
    assert re.search(r"On workers that do not answer: worker-1: lost one #\d+", text_of(page))
    assert "Gone in 24 h <b>2</b>" in page
    page = opened(f"{WORKERS}?gone=1")
    found = [text_of(row) for row in re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)]
    assert [row.split()[:2] for row in found[:2]] == [["Worker", "worker-1"], ["Scheduler", "scheduler-a"]]
    assert "process 311" in found[1]
    assert "scheduler-x" not in page


def test_how_many_processes_are_free_and_who_was_asked_to_end(opened):
    now = read_now()
    seen(PresenceKind.SCHEDULER, "scheduler-a", pid=1)
    for pid, processes, ending_at in ((4121, 2, None), (640, 1, now - timedelta(minutes=8))):
        seen(PresenceKind.WORKER, f"worker-{pid}", pid=pid, queue="reports", processes=processes, ending_at=ending_at)
    seen(PresenceKind.WORKER, "worker-9", pid=9, queue="mail", processes=3, ending_at=now)
    for host in (4121, 640):
        make_execution(
            make_task(queue="reports"), status=Status.PROCESSING, worker_host=f"worker-{host}", release=own_key()
        )
    wait("mail", ago=60)
    page = opened()
    free, asked, other = rows(page, "dst-workers")
    assert re.match(r"worker-4121 process 4121 · 2 processes \S+ reports task .* 1 process free ", free)
    assert re.match(r"worker-640 process 640 · 1 process \S+ reports task .* asked to end: takes nothing new ", asked)
    assert "process free" not in asked
    assert "Nothing asked to end" in other
    mail, reports = rows(page, "dst-queues")
    assert reports == "reports 0 — 2 of 3 2 processes on worker-4121 2 started, longest wait 0 s"
    assert mail == "mail 1 1 min 0 of 3 none takes new ones"
    assert "worker-9 was asked to end at" in text_of(page)


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (timedelta(milliseconds=19), "Clocks agree within 19 ms."),
        (timedelta(seconds=41), "scheduler-a&#x27;s clock is 41 s behind the database."),
        (timedelta(seconds=-41), "scheduler-a&#x27;s clock is 41 s ahead of the database."),
    ],
)
def test_a_clock_that_is_apart_is_named(opened, apart, said):
    at = read_now() - timedelta(seconds=1)
    seen(PresenceKind.SCHEDULER, "scheduler-a", pid=208)
    Presence.objects.update(last_seen_at=at, host_time=at - apart)
    seen(PresenceKind.WORKER, "worker-old")  # an older release, which does not say what its clock shows
    assert said in text_of(opened())


@pytest.mark.every_database
def test_how_those_who_are_gone_went_and_what_became_of_what_they_ran(opened):
    now = read_now()
    seen(PresenceKind.WORKER, "worker-1", ago=3600, pid=1)
    seen(PresenceKind.WORKER, "worker-2", ago=3600, pid=2, ended_at=now - timedelta(seconds=3500))
    began = now - timedelta(minutes=65)
    for attempt, host in ((2, "worker-3"), (2, "worker-3"), (1, "worker-1")):
        row = make_execution(
            status=Status.COMPLETED if attempt == 2 else Status.ERRORS, attempt=attempt, worker_host=host
        )
        row.attempts.create(
            number=1, worker_host="worker-1", release=own_key(), started_at=began, ended_at=now, outcome="worker_lost"
        )
    page = opened(f"{WORKERS}?gone=1")
    well, abrupt = (text_of(row) for row in re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)[:2])
    assert "Ended in good order, " in well
    assert re.search(r"Not seen since .*; its 1 execution was lost; 2 of its executions were given to worker-3", abrupt)


def test_nobody_is_there(opened):
    said = text_of(opened())
    assert "Not started yet." in said
    assert "No task names a queue, and no worker answers." in said
    assert "Nobody went within 24 h." in text_of(opened(f"{WORKERS}?gone=1"))


def test_the_page_is_in_the_sidebar_for_those_who_may_see_tasks(client):
    for permissions in (VIEWER, OPERATOR, OWNER):
        client.force_login(make_user(*permissions))
        assert f'href="{WORKERS}"' in client.get("/admin/").content.decode()
    client.force_login(make_user("view_execution"))
    assert f'href="{WORKERS}"' not in client.get("/admin/").content.decode()
    assert client.get(WORKERS).status_code == 403
    client.force_login(make_user("view_presence", "change_presence", "delete_presence"))
    assert client.get(WORKERS).status_code == 403


def test_names_of_hosts_and_releases_are_escaped_and_executions_are_links_for_those_who_may_see_them(client):
    task = make_task(name="secret name")
    make_execution(task, status=Status.PROCESSING, worker_host="<b>w", release=own_key())
    seen(PresenceKind.WORKER, "<b>w")
    client.force_login(make_user("view_scheduledtask"))
    page = client.get(WORKERS).content.decode()
    assert "<b>w" not in page
    assert "&lt;b&gt;w" in page
    assert "secret name #" in page
    assert EXECUTIONS not in page.partition('id="dst-workers"')[2]
