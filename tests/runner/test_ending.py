"""What follows when a function has ended: connections as the next execution finds them, and asking again."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError, connections, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteConnection

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.runner import ending
from django_scheduled_tasks.runner.ending import clean_connections, insist, open_blocks
from tests.database import ALIAS, connection
from tests.factories import make_task

pytestmark = pytest.mark.django_db(transaction=True)


def change(text: str) -> None:
    ScheduledTask.objects.update(description=text)


def description() -> str:
    return ScheduledTask.objects.get().description


def begin(blocks: int = 1) -> None:
    for _ in range(blocks):
        transaction.atomic(using=ALIAS).__enter__()
    change("changed")


def begin_with_savepoint() -> None:
    begin()
    getattr(transaction, "savepoint_create", transaction.savepoint)(using=ALIAS)  # its name since Django 6.1
    change("changed again")


def begin_durably_and_wait_for_the_commit() -> None:
    transaction.atomic(using=ALIAS, durable=True).__enter__()
    change("changed")
    transaction.on_commit(lambda: pytest.fail("it was rolled back"), using=ALIAS)


def begin_and_break_the_transaction() -> None:
    begin()
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM there_is_no_such_table")


def begin_and_mark_for_rollback() -> None:
    begin(2)
    transaction.set_rollback(True, using=ALIAS)


def begin_and_close() -> None:
    begin(2)
    connection.close()


def begin_and_close_behind_djangos_back() -> None:
    begin(2)
    connection.connection.close()


def switch_autocommit_off() -> None:
    transaction.set_autocommit(False, using=ALIAS)
    change("changed")


@pytest.mark.parametrize(
    "leave_open",
    [
        begin,
        lambda: begin(3),
        begin_with_savepoint,
        begin_durably_and_wait_for_the_commit,
        begin_and_break_the_transaction,
        begin_and_mark_for_rollback,
        begin_and_close,
        begin_and_close_behind_djangos_back,
        switch_autocommit_off,
    ],
)
def test_what_a_function_leaves_open_is_rolled_back_and_the_connection_is_as_new(leave_open, caplog):
    make_task()
    wrapper = connections[ALIAS]
    leave_open()
    clean_connections()
    assert "left a transaction open" in caplog.text
    assert connections[ALIAS] is wrapper, "modules may hold it"
    assert connection.get_autocommit()
    assert not connection.in_atomic_block
    assert (connection.savepoint_ids, connection.atomic_blocks, connection.run_on_commit) == ([], [], [])
    assert not connection.needs_rollback
    assert not connection.closed_in_transaction
    assert description() == ""
    # What follows is committed, in blocks of every kind.
    with transaction.atomic(using=ALIAS, durable=True), transaction.atomic(using=ALIAS):
        change("kept")
    connection.close()
    assert description() == "kept"


def test_a_transaction_that_was_open_before_is_left_alone(caplog):
    make_task()
    with transaction.atomic(using=ALIAS):
        outer = open_blocks()
        change("kept")
        clean_connections(outer)
        assert connection.in_atomic_block
    assert outer == {ALIAS}
    assert description() == "kept"
    assert caplog.text == ""


def test_a_database_that_is_away_by_then_is_opened_at_the_next_use(monkeypatch, caplog):
    make_task()

    def refuse(_parameters):
        raise OperationalError("away")

    begin(2)
    with monkeypatch.context() as patched:
        patched.setattr(connections[ALIAS], "get_new_connection", refuse)
        clean_connections()
        assert "could not be opened again: away" in caplog.text
        with pytest.raises(OperationalError):
            description()
    assert not connection.in_atomic_block
    assert description() == ""


def test_a_database_in_memory_is_still_there():
    """Tests of projects have one, as a rule, and it lasts as long as one connection to it."""
    settings = connections.configure_settings({"memory": {"ENGINE": "django.db.backends.sqlite3"}, "default": {}})
    memory = SqliteConnection(settings["memory"] | {"NAME": "file:in_memory?mode=memory&cache=shared"}, alias="memory")
    with memory.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (number INTEGER)")
    memory.set_autocommit(False)
    left = memory.cursor()
    left.execute("INSERT INTO kept VALUES (1)")
    ending._roll_back(memory)
    with memory.cursor() as cursor:
        assert cursor.execute("SELECT COUNT(*) FROM kept").fetchone() == (0,)
    memory.connection.close()


# --- asking again while the database is away ----------------------------------------------------------------------


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """The seconds that were waited between two tries."""
    found: list[float] = []
    monkeypatch.setattr(ending.time, "sleep", found.append)
    return found


def answers(*values):
    rest = iter(values)

    def act():
        if isinstance(value := next(rest), Exception):
            raise value
        return value

    return act


def test_each_pause_is_longer_up_to_a_limit(pauses):
    away = [OperationalError("away"), InterfaceError("closed")] * 4
    assert insist(answers(*away, "there"), within=60) == "there"
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_any_error_is_tried_again_once_since_the_function_may_have_broken_the_connection(pauses):
    assert insist(answers(ProgrammingError("broken"), "there"), within=60) == "there"
    with pytest.raises(ProgrammingError, match="wrong"):
        insist(answers(ProgrammingError("broken"), ProgrammingError("wrong"), "never"), within=60)


@pytest.mark.parametrize("within", [0, 0.05])
def test_it_is_given_up_when_its_time_is_over(pauses, within):
    with pytest.raises(OperationalError):
        insist(answers(OperationalError("away"), "late"), within=within)
    assert pauses == []


def test_within_a_transaction_of_the_caller_nothing_is_tried_again(pauses):
    with transaction.atomic(using=ALIAS), pytest.raises(OperationalError):
        insist(answers(OperationalError("away"), "late"), within=60)
    assert pauses == []
