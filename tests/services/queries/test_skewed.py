"""Lists read few rows of a skewed history: most executions are of one task, some tasks have none."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.admin.ui.base import COUNT_CAP
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.runner.context import ExecutionContext
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.executions import timeline
from django_scheduled_tasks.services.queries.executions.search import SEARCHED
from django_scheduled_tasks.services.scheduling.retention import _never_deleted
from tests.admin.pages import EXECUTIONS, TASKS
from tests.database import connection
from tests.factories import make_execution, make_task, make_user
from tests.rows_read import rows_read

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(connection.vendor != "postgresql", reason="counts by EXPLAIN")]
REST = "/api/scheduled-tasks/executions/"
STRIP = timeline.STRIP_CAP * 74
"""The most that the strip of the day reads."""
RARE, NONE, COMMON = 6, 6, 60_000
EACH = 200
"""Executions of each rare task; they are older than all of the common one."""


@pytest.fixture(autouse=True, scope="module")
def clear_away(django_db_setup, django_db_blocker):
    """Afterwards remove what the tests have written from the indexes: others would read it as dead rows for minutes."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE django_scheduled_tasks_execution, django_scheduled_tasks_scheduledtask")


@pytest.fixture
def tasks() -> list[ScheduledTask]:
    common = make_task(name="common", schedule_kind="interval", expression="1m")
    rare = [make_task(name=f"rare {number}", schedule_kind="interval", expression="1h") for number in range(RARE)]
    none = [make_task(name=f"none {number}", schedule_kind="interval", expression="1d") for number in range(NONE)]
    for task, count, days in (*((task, EACH, 9) for task in rare), (common, COMMON, 0)):
        first = make_execution(task, status=Status.COMPLETED, trigger="api")
        fill(first, count - 1, days)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_scheduled_tasks_execution")
    return [common, *rare, *none]


def fill(first: Execution, count: int, days: int) -> None:
    """Write *count* copies of an execution, one each half minute, every tenth a failed one."""
    names = [field.column for field in Execution._meta.concrete_fields if field.column != "id"]
    at = f"STATEMENT_TIMESTAMP() - INTERVAL '30 s' * (%s - n) - INTERVAL '{days} d'"
    values = {"tracking_id": "gen_random_uuid()", "triggered_at": at, "started_at": at, "completed_at": at}
    values["status"] = "CASE WHEN n %% 10 = 0 THEN 'errors' ELSE 'completed' END"
    values["outcome"] = "CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'succeeded' END"
    columns = ", ".join(names)
    chosen = ", ".join(values.get(name, name) for name in names)
    sql = (
        f"INSERT INTO django_scheduled_tasks_execution ({columns})"
        f" SELECT {chosen} FROM django_scheduled_tasks_execution, generate_series(1, {count}) n WHERE id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*[count] * 3, first.pk])


def states() -> list[ScheduledTask]:
    return list(overview.with_state(ScheduledTask.objects.all()).order_by(*overview.DEFAULT_ORDER)[:40])


def test_states_read_a_few_rows_of_each_task(tasks):
    bound = len(tasks) * (3 * overview.LOOKED_BACK + 10)
    assert rows_read(states) <= bound
    assert rows_read(overview.count_tasks) <= bound


@pytest.mark.slow
def test_recent_executions_read_those_that_are_shown(tasks):
    ids = [task.pk for task in tasks]
    shown = (1 + RARE) * overview.RECENT
    assert rows_read(lambda: overview.recent_executions(ids)) <= shown
    assert rows_read(lambda: overview.usual_durations(ids)) <= shown


@pytest.mark.slow
def test_lists_and_pages_read_few_rows(client, tasks):
    client.force_login(make_user(superuser=True))
    bound = len(tasks) * (3 * overview.LOOKED_BACK + 2 * overview.RECENT)
    lists = [TASKS, f"{TASKS}live/?v=x", f"{TASKS}?state=failing", f"{TASKS}?o=5", f"{TASKS}?q=rare"]
    for path in [*lists, f"{TASKS}upcoming/"]:
        read = rows_read(lambda path=path: client.get(path))
        strip = STRIP if path.startswith((TASKS, f"{TASKS}?")) else 0
        assert read <= 2 * bound + strip, (path, read)
    for name in ("common", "rare 3", "none 0"):
        task = ScheduledTask.objects.get(name=name)
        pages = [f"{TASKS}{task.pk}/change/", f"{TASKS}{task.pk}/run-once/"]
        pages += [f"{EXECUTIONS}{pk}/change/" for pk in task.executions.order_by("id").values_list("pk", flat=True)[:1]]
        for path in pages:
            read = rows_read(lambda path=path: client.get(path))
            assert read <= 3 * overview.LOOKED_BACK, (name, path, read)


def test_lists_of_the_executions_of_one_task_read_those_of_the_page(client, tasks):
    client.force_login(make_user(superuser=True))
    shown = 51
    for name, count in (("rare 3", EACH), ("none 0", 0), ("common", COMMON)):
        task = ScheduledTask.objects.get(name=name)
        capped = min(count, COUNT_CAP + 1)
        histogram = 48 * timeline.BUCKET_CAP
        for path in (f"{EXECUTIONS}?task={task.pk}", f"{EXECUTIONS}?task={name}", f"{EXECUTIONS}?task={task.pk}&p=2"):
            read = rows_read(lambda path=path: client.get(path))
            assert read <= capped + 2 * shown + overview.RECENT + histogram, (name, path, read)
        address = f"{REST}?task={name}"
        following = client.get(f"{address}&pageSize=50").json()["next"] or address
        before = (client.get(following).json().get("previous") if following != address else None) or address
        for path in (address, f"{REST}?task={task.pk}", following, before):
            read = rows_read(lambda path=path: client.get(path))
            assert read <= max(EACH, shown) + 5, (name, path, read)
        read = rows_read(lambda path=f"{address}&search=nothing": client.get(path))
        # So few rows the planner may rather read all, once, than look for each of those by its number.
        assert read <= max(2 * min(count, SEARCHED), COMMON + RARE * EACH + SEARCHED if count == COMMON else 0) + shown


MOST_READ = 20_000
"""What a page of the history may read, of a million rows as well. A search does, too, where it pays to use an index."""
HISTORY = (
    *("", "p=2", "p=200", "status=errors", "outcome=failed", "outcome=timed_out", "trigger=api", "trigger=cli"),
    *("by=anna", "task=common", "task=common&p=200", "task=rare 3", "task=none 0", "when=today", "when=30d"),
    *("task=rare 3&when=30d", "task=common&status=errors", "task=common&by=anna", "task=common&trigger=cli"),
    "q=%231",
)


def test_each_page_of_the_history_reads_few_rows_whatever_the_filters(client, tasks):
    anna = make_user(superuser=True, name="anna")
    old = Execution.objects.filter(task__name="rare 3").order_by("id").values_list("pk", flat=True)[:20]
    Execution.objects.filter(pk__in=list(old)).update(triggered_by=anna)
    client.force_login(anna)
    found = {query: rows_read(lambda query=query: client.get(f"{EXECUTIONS}?{query}")) for query in HISTORY}
    assert max(found.values()) <= MOST_READ, found


def test_what_is_asked_of_one_task_reads_few_of_its_executions(tasks):
    for name in ("rare 3", "none 0", "common"):
        task = ScheduledTask.objects.get(name=name)
        new = make_execution(task)
        seen = ExecutionContext(
            tracking_id=new.tracking_id,
            number=new.pk,
            task_name=name,
            attempt=1,
            trigger="schedule",
            triggered_at=new.triggered_at,
            scheduled_for=None,
            params={},
        )
        assert rows_read(seen.previous_success) <= 20, name
        assert rows_read(lambda task=task: _never_deleted(task.pk)) <= 50, name


@pytest.mark.slow
def test_the_states_are_right(tasks):
    newest = {row.name: (row.last_id, row.last_ran, row.is_running) for row in states()}
    for task in tasks:
        last = task.executions.order_by("-id").first()
        assert newest[task.name] == ((last.pk, last.outcome, False) if last else (None, None, False))
    assert timeline.scheduled_tasks()[0].next_run_at == min(tasks, key=lambda task: task.next_run_at).next_run_at
