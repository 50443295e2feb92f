"""The health line and the one note at a time, on every page of ours and on the admin's index."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_scheduled_tasks.admin.installation import health
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, Installation, Presence, PresenceKind, read_now
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.queries.health import snapshot
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.tasks.holds import hold, release
from tests.admin.pages import EXECUTIONS, TASKS, WORKERS
from tests.database import connection
from tests.factories import OPERATOR, OWNER, VIEWER, make_execution, make_release, make_task, make_user
from tests.services.installation.conftest import installation  # noqa: F401

pytestmark = pytest.mark.django_db


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture
def shown(client):
    """Return a function that opens a page as somebody who may see it, and returns its words."""
    client.force_login(make_user(*OWNER))

    def show(path: str = TASKS) -> str:
        live.forget()
        response = client.get(path, follow=True)  # what was changed of a task is a page for all tasks
        assert response.status_code == 200, (path, response.status_code)
        return text_of(response.content.decode())

    return show


def seen(kind: PresenceKind, host: str = "scheduler-a", *, ago: float = 1, queue: str = "") -> None:
    at = read_now() - timedelta(seconds=ago)
    identity = f"{kind}:{host}:{queue}"
    Presence.objects.create(kind=kind, identity=identity, host=host, queue=queue, started_at=at, last_seen_at=at)


def wait(queue: str = "", *, ago: float, submissions: int = 1, count: int = 1) -> None:
    task = make_task(queue=queue)
    for _ in range(count):
        make_execution(task, triggered_at=read_now() - timedelta(seconds=ago), submissions=submissions)


def paths() -> list[str]:
    """Return the addresses of all pages of ours, with something on each."""
    task = make_task(name="sync-stock", schedule_kind="interval", expression="1h")
    row = make_execution(task, status=Status.COMPLETED)
    going = make_execution(task, status=Status.PROCESSING)
    pages = ("change", "history", "delete", "pause", "hold", "why", "run-once")
    return [
        *(TASKS, EXECUTIONS, f"{TASKS}add/", f"{TASKS}upcoming/", f"{TASKS}hold/", WORKERS),
        *(f"{TASKS}{task.pk}/{page}/" for page in pages),
        *(f"{EXECUTIONS}{row.pk}/{page}/" for page in ("change", "history", "delete")),
        f"{EXECUTIONS}{going.pk}/cancel/",
    ]


INDEXES = ("/admin/", "/admin/django_scheduled_tasks/")


def test_line_and_note_stand_once_on_every_page_of_ours_and_on_the_overviews(shown):
    wanted = paths()
    presence.seen(PresenceKind.SCHEDULER)
    for path in (*wanted, *INDEXES):
        said = shown(path)
        assert said.count("Scheduler seen ") == 1, path
        assert said.count("No worker answers") == 1 + (path == WORKERS), path  # there the table is empty as well
        assert said.count("Nothing starts, not by Run once either.") == 1, path
    response_to_delete_several = shown_after_choosing_to_delete(shown)
    assert "Nothing starts, not by Run once either." in response_to_delete_several


def shown_after_choosing_to_delete(shown) -> str:
    from django.test import Client

    client = Client()
    client.force_login(make_user(superuser=True))
    chosen = {"action": "delete_selected", "_selected_action": [str(make_task().pk)]}
    return text_of(client.post(TASKS, chosen).content.decode())


@pytest.mark.every_database
def test_where_our_tables_are_older_than_the_code_the_index_is_drawn_all_the_same(client, monkeypatch):
    def fail():
        connection.cursor().execute("SELECT nothing_like_it FROM django_scheduled_tasks_installation")

    monkeypatch.setattr(health, "take_snapshot", fail)
    client.force_login(make_user(*VIEWER))
    page = client.get("/admin/")
    assert page.status_code == 200
    assert "Site administration" in page.content.decode()
    assert "Scheduler" not in page.content.decode()


def test_pages_of_others_say_nothing(shown, client):
    client.force_login(make_user(superuser=True))
    assert "Scheduler" not in shown("/admin/auth/group/")
    client.force_login(make_user("view_group"))
    assert "scheduler" not in shown("/admin/").lower()


def test_on_each_page_they_cost_two_statements(client, monkeypatch):
    wanted = [*paths(), *INDEXES]
    client.force_login(make_user(superuser=True))
    for kind in (PresenceKind.SCHEDULER, PresenceKind.WORKER):
        seen(kind)
    hold(reason="upgrade")
    monkeypatch.setattr(live, "REMEMBERED_FOR", 3600)
    client.get(TASKS)  # what is read once in a process
    for path in wanted:
        taken = []
        look = snapshot.take_snapshot

        def counted(look=look, taken=taken):
            with CaptureQueriesContext(connection) as queries:
                found = look()
                _ = found.condition
            taken.append(len(queries))
            return found

        with monkeypatch.context() as patched:
            patched.setattr(health, "take_snapshot", counted)
            assert client.get(path, follow=True).status_code == 200
        assert taken == [2], path


# --- each fact has its own words ----------------------------------------------------------------------------------


def test_all_is_well(shown):
    seen(PresenceKind.SCHEDULER)
    for host in ("worker-1", "worker-2"):
        seen(PresenceKind.WORKER, host)
    make_execution(status=Status.PROCESSING, worker_host="worker-1")
    said = shown()
    assert "Scheduler seen 1 s ago 2 workers answer, 1 busy Queues empty" in said
    assert "Nothing starts" not in said
    seen(PresenceKind.SCHEDULER, "scheduler-b")
    wait(ago=1)
    said = shown()
    assert "2 schedulers answer 2 workers answer, 1 busy 1 waits, oldest" in said


def test_nothing_was_ever_seen(shown):
    said = shown()
    assert "Not started yet. python manage.py runscheduler --with-cluster" in said
    assert "No scheduler has been seen No worker answers Queues empty" in said


def test_the_scheduler_is_dead_and_workers_are_alive(shown):
    seen(PresenceKind.SCHEDULER, ago=58 * 60)
    seen(PresenceKind.WORKER, "worker-1")
    said = shown()
    assert "Scheduler not seen for 58 min 1 worker answers Queues empty" in said
    assert "Nothing starts by schedule; Run once works. scheduler-a was last seen" in said
    assert "python manage.py runscheduler ·" in said
    wait(ago=60, submissions=0)
    said = shown()
    assert "Run once works." not in said
    assert "1 execution could not be sent to a worker, which only a scheduler tries again." in said
    assert "Broker" not in said, "nobody knows"


def test_the_workers_are_dead_and_the_scheduler_is_alive(shown):
    seen(PresenceKind.SCHEDULER)
    seen(PresenceKind.WORKER, "worker-1", ago=90)
    wait(ago=6 * 60, count=14)
    said = shown()
    assert "Scheduler seen 1 s ago No worker answers 14 wait, oldest 6 min" in said
    assert "Nothing starts, not by Run once either. 14 executions wait, the oldest for 6 min." in said
    assert "python manage.py qcluster ·" in said


def test_both_are_dead_and_run_once_is_not_said_to_work(shown):
    seen(PresenceKind.SCHEDULER, ago=90)
    seen(PresenceKind.WORKER, "worker-1", ago=90)
    said = shown()
    assert "Nothing starts: neither a scheduler nor a worker answers." in said
    assert "runscheduler --with-cluster" in said
    assert "Run once works" not in said


def test_a_queue_without_a_worker(shown):
    seen(PresenceKind.SCHEDULER)
    seen(PresenceKind.WORKER, "worker-1")
    wait("reports", ago=6 * 60, count=14)
    said = shown()
    assert "1 worker answers Queue reports: no worker" in said
    assert "Queue “reports”: no worker takes its 14 executions, the oldest for 6 min." in said
    assert "Q_CLUSTER_NAME=reports python manage.py qcluster · Workers" in said
    seen(PresenceKind.WORKER, "worker-2", queue="reports")
    said = shown()
    assert "Queue “reports”: 14 executions wait, the oldest for 6 min. Its workers run 0 executions." in said


def test_a_command_to_be_copied_runs_nothing_that_the_name_of_a_queue_says(shown):
    seen(PresenceKind.SCHEDULER)
    seen(PresenceKind.WORKER, "worker-1")
    wait("x; touch /tmp/here #", ago=6 * 60, count=14)
    assert "Q_CLUSTER_NAME='x; touch /tmp/here #' python manage.py qcluster" in unescape(shown())


def test_a_broker_that_does_not_answer(shown):
    seen(PresenceKind.SCHEDULER)
    seen(PresenceKind.WORKER, "worker-1")
    wait(ago=3 * 60, submissions=0)
    said = shown()
    assert "Broker does not answer" in said
    assert "The broker has not taken a message for 3 min. What runs goes on; nothing new reaches a worker." in said


def test_two_releases(shown):
    seen(PresenceKind.SCHEDULER)
    seen(PresenceKind.WORKER, "worker-1")
    make_release("1.4 <b>", host="a", first_seen_at=read_now() - timedelta(days=2))
    make_release("1.5", host="b")
    assert "Two releases run since 0 min: 1.4 &lt;b&gt; (a), 1.5 (b). · Workers" in shown()


# --- holds --------------------------------------------------------------------------------------------------------


def test_what_is_held_stands_first_and_what_was_due_meanwhile_waits_from_its_end_on(shown):
    seen(PresenceKind.WORKER, "worker-1")
    task = make_task()
    row = hold(reason="upgrade")
    make_execution(task, triggered_at=read_now() - timedelta(hours=2), submissions=1)
    make_execution(task, status=Status.PROCESSING)
    said = shown(f"{TASKS}upcoming/")
    assert "Everything is held since" in said
    assert "“upgrade”, until somebody releases it. Nothing new starts. 1 execution still runs." in said
    assert "Nothing starts by schedule" not in said, "one note at a time"
    assert "1 held" in said
    release(row)
    seen(PresenceKind.SCHEDULER)
    said = shown()
    assert re.search(r"1 waits, oldest \d s", said), "it waits since the hold has ended"
    assert "Broker" not in said


def test_the_reason_is_not_for_those_who_may_not_see_tasks(client):
    hold(reason="secret merger")
    client.force_login(make_user("view_execution"))
    page = client.get(EXECUTIONS).content.decode()
    assert "Everything is held" in page
    assert "merger" not in page
    assert "Release now" not in page


def test_several_holds_are_one_note_each_with_its_buttons(shown, client):
    client.force_login(make_user(superuser=True))
    rows = [hold("tag", tag=tag, reason=tag) for tag in ("a", "b", "c", "d")]
    said = client.get(f"{TASKS}upcoming/").content.decode()
    assert [f"holds/{row.pk}/release/" in said for row in rows] == [True, True, True, False]
    assert "1 more hold lasts." in said


# --- the database has moved ---------------------------------------------------------------------------------------


@pytest.fixture
def moved(installation):  # noqa: F811
    here = state.look().here
    assert here is not None
    values = {"moved_from": "db-1:5432/shop (7714/16384)", "moved_at": timezone.now()}
    Installation.objects.update(address=here.address, system_identifier=here.system, **values)
    for kind in (PresenceKind.SCHEDULER, PresenceKind.WORKER):
        presence.seen(kind)
    return state.look().installation


def test_that_the_database_has_moved_is_said_until_somebody_says_that_it_is_the_same(moved, client):
    sentence = f"The database has moved from db-1:5432/shop to {moved.address}; taken as the same installation."
    client.force_login(make_user(*OPERATOR))
    page = client.get(TASKS).content.decode()
    assert sentence in page
    assert "It is a copy…" not in page
    assert client.post(f"{TASKS}say-same/").status_code == 403
    client.force_login(make_user(*VIEWER, "adopt_installation"))
    page = client.get(TASKS).content.decode()
    assert "It is a copy…" in page
    client.post(f"{TASKS}say-same/")
    assert "The database has moved" not in client.get(TASKS).content.decode()
    assert not state.look().is_held
    assert "the same installation" in LogEntry.objects.get().get_change_message()


def test_somebody_says_that_it_is_a_copy(moved, client):
    waiting = make_execution()
    address = f"{TASKS}moved/"
    client.force_login(make_user(*VIEWER))
    assert client.get(address).status_code == client.post(address).status_code == 403
    client.force_login(make_user(*VIEWER, "adopt_installation"))
    assert "If it is a copy, nothing runs by schedule here" in client.get(address).content.decode()
    page = client.post(address, follow=True).content.decode()
    assert "It has moved, and somebody has said that it is a copy." in page
    assert "This database is a copy. Nothing runs by schedule." in page
    assert "Scheduler holds: copy" in page
    assert not state.standing().may_start(waiting)
    assert "Said that it is a copy." in LogEntry.objects.get().get_change_message()
    client.post(f"{TASKS}adopt/", {"what": "same", "typed": moved.address.rpartition("/")[2]})
    assert not state.look().is_held
    assert Execution.objects.get().status == Status.PENDING


def test_a_move_to_another_system_at_the_same_address_names_both(moved, client):
    Installation.objects.update(moved_from=f"{moved.address} (1/2)", system_identifier="")
    client.force_login(make_user(*VIEWER))
    state.forget()
    assert f"has moved from {moved.address} (1/2) to {moved.address}" in client.get(TASKS).content.decode()


# --- an open list -------------------------------------------------------------------------------------------------


def test_an_open_list_gets_the_note_when_it_changes_and_keeps_it_when_not(client):
    client.force_login(make_user(*VIEWER))
    make_task()
    first = client.get(f"{TASKS}live/?v=x").content.decode()
    assert "Not started yet." in first
    known = re.search(r'data-version="([^"]+)"', first)
    assert known is not None
    assert client.get(f"{TASKS}live/?v={known[1]}").status_code == 204
    wait(ago=1)
    live.forget()
    second = client.get(f"{TASKS}live/?v={known[1]}").content.decode()
    assert "1 waits" in second
    assert "dst-note" not in second
    seen(PresenceKind.SCHEDULER)
    live.forget()
    assert "Nothing starts, not by Run once either." in client.get(f"{TASKS}live/?v={known[1]}").content.decode()
