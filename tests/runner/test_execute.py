"""The runner in the test's own process, one function after another."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DataError, OperationalError, connections, transaction
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks import context, signals
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Attempt, Execution, ExecutionLog, ScheduledTask, read_now
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.runner import execute as execute_module
from django_scheduled_tasks.runner.ending import storable_result
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.running.claim import take
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task
from tests.runner.attempts import attempt_at

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def run(function: str, params=None, **values) -> Execution:
    """Run a function once, in this process, and return its record."""
    task = make_task(function=f"testapp.{function}", params=params or {}, **values)
    execution = run_once(task).execution
    execution.refresh_from_db()
    return execution


def messages(execution: Execution) -> list[str]:
    return list(execution.logs.order_by("number").values_list("message", flat=True))


# --- the happy path -----------------------------------------------------------------------------------------------

STATEMENTS = 2 if connection.vendor == "postgresql" else 3
"""Take and finish; elsewhere taking is reading and claiming."""


@pytest.mark.parametrize("values", [{}, {"overlap": "allow"}, {"concurrency_group": "g"}, {"timeout": timedelta(9)}])
def test_a_run_that_succeeds_takes_three_statements_and_two_on_postgresql(engine, values):
    execution = run_once(make_task(function="testapp.add", params={"a": 1}, **values)).execution
    with CaptureQueriesContext(
        connection,
    ) as queries:
        execute(str(execution.tracking_id))
    assert len(queries) == STATEMENTS, "\n".join(
        query["sql"][:200] + " ... " + query["sql"][-700:] for query in queries
    )
    execution.refresh_from_db()
    assert (execution.status, execution.outcome, execution.result) == (Status.COMPLETED, Outcome.SUCCEEDED, 3)
    assert execution.started_at <= execution.completed_at
    assert execution.lease_until is None
    assert execution.exclusive_key is None


def test_a_short_run_with_progress_takes_no_more(engine, heartbeat_is_here):
    execution = run_once(make_task(function="testapp.count_to", params={"total": 4})).execution
    with CaptureQueriesContext(connection) as queries:
        execute(str(execution.tracking_id))
    assert len(queries) == STATEMENTS
    execution.refresh_from_db()
    assert (execution.progress_current, execution.progress_total, execution.progress_message) == (4, 4, "Counting")


def test_a_run_that_logs_takes_one_more(engine):
    execution = run_once(make_task(function="testapp.say")).execution
    with CaptureQueriesContext(connection) as queries:
        execute(str(execution.tracking_id))
    statements = [query["sql"] for query in queries if not query["sql"].startswith(("BEGIN", "COMMIT"))]
    assert len(statements) == STATEMENTS + 1


@pytest.mark.parametrize(
    "state", [{"status": "processing"}, {"status": "completed"}, {"status": "errors"}, {"attempt": 1}]
)
def test_a_second_or_early_message_changes_nothing(engine, state):
    if state == {"attempt": 1}:
        state = {"not_before": read_now() + timedelta(hours=1)}
    execution = make_execution(make_task(function="testapp.fail"), **state)
    before = Execution.objects.values().get()
    execute(str(execution.tracking_id))
    assert Execution.objects.values().get() == before


def test_a_message_for_an_execution_that_is_gone_is_harmless(caplog):
    execute("01983f5c-9d5b-7000-8000-000000000000")
    assert "is gone" in caplog.text


def test_an_execution_that_waited_too_long_never_starts(engine):
    execution = make_execution(make_task(function="testapp.fail"), expires_at=read_now() - timedelta(seconds=1))
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert (execution.status, execution.outcome, execution.started_at) == (Status.ERRORS, Outcome.EXPIRED, None)


# --- how a function may end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "code", "type_", "message"),
    [
        ("fail", "failed", "ValueError", "It broke."),
        ("sys_exit", "system_exit", "SystemExit", "The function called sys.exit(3)."),
        ("interrupt_itself", "keyboard_interrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("run_out_of_memory", "out_of_memory", "MemoryError", "MemoryError"),
        (
            "raise_unspeakable",
            "failed",
            "tests.testapp.misbehaving.UnspeakableError",
            "(its message could not be made)",
        ),
    ],
)
def test_an_error_is_kept_and_the_worker_goes_on(function, code, type_, message):
    execution = run(function)
    assert (execution.status, execution.outcome) == (Status.ERRORS, Outcome.FAILED)
    assert (execution.error_code, execution.error_type, execution.error_message) == (code, type_, message)
    assert function in execution.traceback
    assert run("add", {"a": 1}).result == 3
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.outcome, attempt.error_type) == (1, "failed", type_)
    assert attempt.started_at <= attempt.ended_at
    assert attempt.worker_pid


def test_the_traceback_begins_with_the_function_and_tells_own_frames_from_library_frames():
    execution = run("raise_chained")
    lines = execution.traceback.splitlines()
    frames = [line.strip() for line in lines if 'File "' in line]
    own = [frame for frame in frames if not frame.startswith("(library)")]
    assert frames[0] == own[0]
    assert [frame.rpartition(" in ")[2] for frame in own] == ["raise_chained", "raise_chained"]
    assert any("django/db/models/query.py" in frame for frame in frames if frame.startswith("(library)"))
    assert "The above exception was the direct cause of the following exception:" in lines
    assert "matching query does not exist" in execution.traceback
    assert lines[-1] == "LookupError: nobody is there"


def test_a_group_of_errors_is_kept_whole():
    execution = run("raise_group")
    assert "ValueError: one" in execution.traceback
    assert "LookupError: two" in execution.traceback


def test_an_endless_recursion_is_kept_short():
    execution = run("recurse")
    assert execution.error_type == "RecursionError"
    assert len(execution.traceback) < 40_000
    assert "in recurse" in execution.traceback


def test_a_message_much_too_long_is_cut_and_stays_storable(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ERROR_MAX_BYTES": 1000}
    execution = run("raise_long")
    for text in (execution.error_message, execution.traceback):
        assert len(text.encode()) <= 1000
        assert "… [cut] …" in text
    assert execution.error_message.startswith("begin")
    assert execution.error_message.endswith("\ufffd?end")


def test_a_function_that_is_no_longer_in_the_code(engine):
    task = make_task()
    execution = run_once(task).execution
    Execution.objects.update(function="testapp.was_here", given_back=15)  # it was waited for
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert (execution.outcome, execution.error_code) == (Outcome.FAILED, "function_not_registered")
    assert "testapp.was_here" in execution.error_message


def test_parameters_that_no_longer_fit(engine):
    execution = run_once(make_task(function="testapp.add", params={"a": 1}, max_attempts=3)).execution
    Execution.objects.update(params={"a": "much"})
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert (execution.status, execution.error_code) == (Status.ERRORS, "invalid_parameters")


@pytest.mark.parametrize(
    ("value", "kept", "kind"),
    [
        (None, None, ""),
        ({"a": [1, "ü", None]}, {"a": [1, "ü", None]}, "json"),
        (float("nan"), "nan", "repr"),
        ("a\x00b", "'a\\x00b'", "repr"),
        ("a\ud800b", "'a\\ud800b'", "repr"),
    ],
)
def test_results_are_kept_as_json_or_as_text(value, kept, kind, monkeypatch):
    monkeypatch.setattr("tests.testapp.tasks.context", context)
    stored, found = storable_result(value)
    assert (stored, found) == (kept, kind)
    execution = make_execution()
    Execution.objects.filter(pk=execution.pk).update(result=stored)
    execution.refresh_from_db()
    assert execution.result == kept


def test_a_result_that_is_no_json_or_too_long(settings):
    assert run("give_object").result_format == "repr"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"RESULT_MAX_BYTES": 100}
    execution = run("give", {"value": "x" * 1000})
    assert execution.result_format == "cut"
    assert len(execution.result) <= 100


# --- what nobody can store: how it ended is recorded all the same ------------------------------------------------


@pytest.mark.parametrize("in_worker", [False, True])
@pytest.mark.parametrize("what", ["surrogate", "large", "nan", "infinite", "text"])
def test_progress_that_no_database_takes_does_no_harm(what, in_worker, request):
    if in_worker:
        request.getfixturevalue("heartbeat_is_here")
    execution = run("report", {"what": what})
    assert (execution.outcome, execution.result) == (Outcome.SUCCEEDED, "done")
    if what == "surrogate":
        assert (execution.progress_current, execution.progress_message) == (3, "caf?.txt\ufffd")
    else:
        assert (execution.progress_current, execution.progress_message) == (None, what)


@pytest.mark.parametrize("secret", [None, "s3cret!"])
@pytest.mark.parametrize("what", ["changing", "unshowable", "deep", "very deep"])
def test_a_result_that_can_hardly_be_stored_is_no_failure(what, secret):
    execution = run("give_oddly", {"what": what, "secret": secret})
    assert execution.outcome == Outcome.SUCCEEDED
    assert execution.result


def test_an_exit_that_cannot_be_shown_is_recorded():
    execution = run("exit_oddly")
    assert (execution.outcome, execution.error_code) == (Outcome.FAILED, "system_exit")
    assert execution.error_message == "(its message could not be made)"


def test_records_that_cannot_be_shown_or_named_are_no_error_of_the_function(monkeypatch):
    for name in ("caf\udce9", "shop"):  # those who run the tests cannot show them either
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
        monkeypatch.setattr(logging.getLogger(name), "handlers", [logging.NullHandler()])
    execution = run("log_oddly")
    assert (execution.outcome, execution.result) == (Outcome.SUCCEEDED, "done")
    names = list(execution.logs.order_by("number").values_list("logger", "message"))
    assert names[0] == ("caf?", "named oddly")
    assert names[1] == ("shop", "(a record that could not be formatted)")
    assert len(names) == 3


@pytest.mark.parametrize("function", ["give", "fail"])
def test_what_the_database_refuses_to_store_of_an_end_is_left_out(engine, monkeypatch, caplog, function):
    params = {"value": "x"} if function == "give" else {}
    execution = run_once(make_task(function=f"testapp.{function}", params=params)).execution
    real, refused = ExecutionQuerySet.transition, []

    def transition(rows, *args, **values):
        if {"result", "traceback"} & {name for name, value in values.items() if value} and not refused[1:]:
            refused.append(values)
            raise DataError("invalid JSON")
        return real(rows, *args, **values)

    monkeypatch.setattr(ExecutionQuerySet, "transition", transition)
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert len(refused) == 2
    if function == "give":
        assert execution.outcome == Outcome.SUCCEEDED
        assert execution.result == "Its result could not be stored: DataError"
    else:
        assert (execution.outcome, execution.error_message) == (Outcome.FAILED, "ValueError")
    assert "cannot be recorded as it is" in caplog.text


@pytest.mark.parametrize(
    "value", [{"text": "done \N{PARTY POPPER}"}, "C:\\udata", "\\u0000", ["\\\\u0000", "\N{PARTY POPPER}"]]
)
def test_an_emoji_or_a_backslash_is_plain_json(value):
    assert storable_result(value) == (value, "json")
    execution = make_execution()
    Execution.objects.filter(pk=execution.pk).update(result=value)
    execution.refresh_from_db()
    assert execution.result == value


@pytest.mark.parametrize("value", ["\x00", "\\\x00", {"\ud83c": 1}, ["\N{PARTY POPPER}", "\udf89"]])
def test_a_nul_or_half_a_character_is_kept_as_text(value):
    stored, kind = storable_result(value)
    assert (stored, kind) == (repr(value), "repr")


def test_an_async_function_behind_a_plain_decorator_is_awaited():
    assert run("wrapped").result == "awaited"
    assert run("wrapped", {"error": "broken"}).error_message == "broken"


def test_a_generator_is_no_success_since_nothing_of_it_ran():
    execution = run("hand_out")
    assert execution.outcome == Outcome.FAILED
    assert "nothing of it ran" in execution.error_message


def test_a_thread_that_a_function_left_behind_does_not_write_its_secrets_into_the_next_ones_log(
    heartbeat_is_here, tmp_path, engine
):
    until = str(tmp_path / "until")
    first = run_once(make_task(function="testapp.leave_thread", params={"secret": "s3cret!", "until": until})).execution
    second = run_once(make_task(function="testapp.wait_for_thread", params={"until": until})).execution
    for execution in (first, second):
        execute(str(execution.tracking_id))
    assert messages(second) == ["mine"]


# --- transactions and connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", ["leave_transaction_open", "leave_autocommit_off", "leave_transaction_open_in_async"]
)
def test_a_transaction_left_open_is_rolled_back_and_the_next_execution_is_well(function, caplog):
    other = make_task(name="other")
    execution = run(function, {"name": "other"})
    assert execution.outcome == Outcome.SUCCEEDED
    assert "left a transaction open" in caplog.text
    other.refresh_from_db()
    assert other.description == ""
    assert connection.get_autocommit()
    assert not connection.in_atomic_block
    assert run("add", {"a": 1}).result == 3


def test_a_broken_transaction_and_a_broken_connection():
    execution = run("break_transaction")
    assert execution.outcome == Outcome.FAILED
    assert "OperationalError" in execution.error_type or "ProgrammingError" in execution.error_type
    assert run("break_connection").outcome == Outcome.SUCCEEDED
    assert run("add", {"a": 1}).result == 3


@pytest.mark.parametrize("usable", [True, False])
def test_after_an_error_a_connection_is_kept_if_it_can_be_used_and_closed_if_not(usable, monkeypatch):
    run("add", {"a": 1})
    before = connection.connection
    monkeypatch.setattr(connection, "is_usable", lambda: usable)

    def break_it(**_signal):
        connection.errors_occurred = True

    signals.execution_started.connect(break_it)
    try:
        assert run("add", {"a": 1}).result == 3
    finally:
        signals.execution_started.disconnect(break_it)
    assert (connection.connection is before) is usable
    assert not connection.errors_occurred


def test_a_transaction_of_the_caller_is_not_ended(engine):
    execution = run_once(make_task(function="testapp.add", params={"a": 1}, overlap="queue_all")).execution
    with transaction.atomic(using=ALIAS):
        ScheduledTask.objects.update(description="kept")
        execute(str(execution.tracking_id))
        assert connection.in_atomic_block
    execution.refresh_from_db()
    assert execution.result == 3
    assert ScheduledTask.objects.get().description == "kept"


def test_a_database_that_is_away_for_a_moment_is_waited_for(engine, monkeypatch, caplog):
    execution = run_once(make_task(function="testapp.add", params={"a": 1})).execution
    succeed, answers = finish.succeed, iter([OperationalError("gone"), OperationalError("gone"), None])

    def try_to(*args, **values):
        if error := next(answers):
            raise error
        return succeed(*args, **values)

    monkeypatch.setattr(finish, "succeed", try_to)
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert execution.result == 3
    assert caplog.text.count("The database does not answer, trying again: gone") == 2


def test_a_database_that_stays_away_at_the_start_leaves_the_execution_to_be_sent_again(engine, monkeypatch):
    execution = run_once(make_task()).execution

    def refuse(*_args):
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr("django_scheduled_tasks.runner.execute.CLAIM_WITHIN", 0)
        patched.setattr("django_scheduled_tasks.runner.execute.take", refuse)
        with pytest.raises(OperationalError):
            execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert execution.status == Status.PENDING


@pytest.mark.parametrize("function", ["noop", "fail"])
def test_a_claim_of_which_the_answer_got_lost_is_still_ours(engine, monkeypatch, function):
    execution = run_once(make_task(function=f"testapp.{function}")).execution
    real, tries = execute_module.take, []

    def take(tracking_id):
        tries.append(real(tracking_id))
        if len(tries) == 1:
            raise OperationalError("the connection broke after the commit")
        return tries[-1]

    monkeypatch.setattr(execute_module, "take", take)
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert [is_ours for _row, is_ours in tries] == [True, False]
    assert execution.outcome == (Outcome.SUCCEEDED if function == "noop" else Outcome.FAILED)
    assert execution.attempt == 1


@pytest.mark.parametrize("function", ["noop", "fail"])
def test_an_end_of_which_the_answer_got_lost_is_no_late_end(engine, monkeypatch, caplog, function):
    execution = run_once(make_task(function=f"testapp.{function}")).execution
    name = "succeed" if function == "noop" else "fail"
    real, written = getattr(finish, name), []

    def write(*args, **values):
        written.append(real(*args, **values))
        if len(written) == 1:
            raise OperationalError("the connection broke after the commit")
        return written[-1]

    monkeypatch.setattr(finish, name, write)
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert written == [True, False]
    assert execution.outcome == (Outcome.SUCCEEDED if function == "noop" else Outcome.FAILED)
    assert "ended late" not in caplog.text
    assert not any("ended late" in text for text in messages(execution))


def test_a_claim_from_before_is_somebody_elses_even_if_the_database_was_away(engine, monkeypatch):
    execution = run_once(make_task()).execution
    attempt_at(execution)
    Execution.objects.update(started_at=read_now() - timedelta(seconds=20))
    real, errors = execute_module.take, [OperationalError("gone")]

    def take(tracking_id):
        if errors:
            raise errors.pop()
        return real(tracking_id)

    monkeypatch.setattr(execute_module, "take", take)
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    assert execution.status == Status.PROCESSING


def test_an_execution_that_runs_here_is_not_taken_a_second_time(engine, monkeypatch):
    execution = run_once(make_task()).execution
    attempt = attempt_at(execution)
    before = time.monotonic() - 60
    with process.running(attempt):
        assert execute_module._claim(str(execution.tracking_id), before) is None
    with ThreadPoolExecutor(1) as other:
        assert other.submit(_in_a_thread, execution, before).result() is None
    assert execute_module._claim(str(execution.tracking_id)) is None
    assert execute_module._claim(str(execution.tracking_id), before) is not None


def _in_a_thread(execution, before):
    try:
        return execute_module._claim(str(execution.tracking_id), before)
    finally:
        connections.close_all()


# --- logs ---------------------------------------------------------------------------------------------------------


def test_logging_and_prints_become_lines_in_order(capsys):
    execution = run("log_levels")
    assert list(execution.logs.order_by("number").values_list("number", "level", "logger")) == [
        (1, "INFO", "shop.orders"),
        (2, "WARNING", "shop.orders"),
        (3, "ERROR", "shop.orders"),
        (4, "INFO", "shop.alone"),
        (5, "INFO", "django_scheduled_tasks.execution"),
    ]
    texts = messages(execution)
    assert texts[0] == "an info of mine"
    assert texts[2].startswith("an error\nTraceback (most recent call last):")
    assert texts[2].endswith("ValueError: inner")

    execution = run("say", {"text": "one\ntwo", "error": "three", "record": "four"})
    assert list(execution.logs.order_by("number").values_list("level", "logger", "message")) == [
        ("INFO", "stdout", "one"),
        ("INFO", "stdout", "two"),
        ("WARNING", "stderr", "three"),
        ("INFO", "shop.orders", "four"),
    ]
    output = capsys.readouterr()
    assert output.out == "one\ntwo\n"
    assert "three" in output.err


@pytest.mark.parametrize(("level", "count"), [("DEBUG", 6), ("INFO", 5), ("WARNING", 2), ("ERROR", 1), ("odd", 5)])
def test_records_are_kept_from_the_level_of_the_task(level, count):
    task = make_task(function="testapp.log_levels")
    ScheduledTask.objects.filter(pk=task.pk).update(log_level=level)
    execution = run_once(task).execution
    assert ExecutionLog.objects.filter(execution=execution, logger__startswith="shop").count() + 1 >= count
    assert execution.logs.count() == count or level == "DEBUG"


def test_the_projects_own_logging_is_as_before(caplog):
    import logging

    root = logging.getLogger()
    level = root.level
    run("log_levels")
    assert root.level == level
    # caplog's handler hangs on the root logger, whose level is WARNING: it must not see the records below.
    shop = [record.levelname for record in caplog.records if record.name == "shop.orders"]
    assert shop == ["WARNING", "ERROR"]
    assert len(messages(run("say", {"text": "", "record": "heard"}))) == 1


def test_secrets_never_appear_in_logs_errors_progress_or_results():
    secret = 'raise "s3cr3t"\nword/of mine'
    execution = run("say_secret", {"password": secret})
    whole = repr(Execution.objects.filter(pk=execution.pk).values(*kept()).get()) + repr(messages(execution))
    assert "s3cr3t" not in whole
    assert "word/of" not in whole
    assert MASK in execution.error_message
    execution = run("say_secret", {"password": "hunter2"})
    assert execution.result == f"used {MASK}"
    assert execution.progress_message == f"using {MASK}"
    assert messages(execution)[:2] == [f"it is {MASK}, in quotes '{MASK}'", MASK]


def kept() -> list[str]:
    return ["error_message", "traceback", "result", "progress_message"]


def test_the_log_is_capped_with_a_marker_where_lines_were_dropped(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"LOG_MAX_LINES": 21}
    texts = messages(run("print_a_lot", {"lines": 1000}))
    assert len(texts) == 21
    assert texts[0].startswith("first")
    assert texts[14].startswith("13 ")
    assert texts[15] == "… 982 lines dropped here, since an execution's log is limited …"
    assert texts[16].startswith("996 ")
    assert texts[-1].startswith("last")


def test_the_log_is_capped_in_bytes_and_lines_in_length(settings):
    caps = {"LOG_MAX_BYTES": 10_000, "LOG_MAX_LINE_LENGTH": 500}
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | caps
    texts = messages(run("print_a_lot", {"lines": 100, "width": 1000}))
    assert sum(len(text.encode()) for text in texts) <= 10_000 + 100
    assert max(len(text) for text in texts) == 500
    assert texts[0].endswith(" … [cut] …")
    assert any("lines dropped" in text for text in texts)
    texts = messages(run("print_a_lot", {"lines": 1000, "width": 1000, "newline": False}))
    assert len(texts) == 2
    assert texts[1].startswith("0 xxx")


def test_threads_and_async_tasks_belong_to_the_execution():
    execution = run("say_in_threads")
    assert sorted(messages(execution)) == [f"thread {n} of execution {execution.pk}" for n in range(3)]
    execution = run("say_in_tasks")
    assert execution.result == [execution.pk] * 3
    assert messages(execution) == ["task 0", "task 1", "task 2"]
    assert execution.progress_total == 3


# --- context ------------------------------------------------------------------------------------------------------


def test_outside_of_an_execution_the_context_does_nothing():
    from tests.testapp import misbehaving, tasks

    assert context.execution is None
    assert context.should_cancel is False
    context.progress(1, 2, "x")
    context.log.info("nothing")
    assert list(context.track(iter("ab"))) == ["a", "b"]
    assert tasks.count_to(2) == 2
    assert misbehaving.fail_until(1) == "succeeded at 1"


def test_the_context_knows_the_previous_success(engine):
    task = make_task(function="testapp.previous")
    first = run_once(task).execution
    engine.run_all()
    second = run_once(task).execution
    engine.run_all()
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.result is None
    assert second.result == first.started_at.isoformat()


def test_a_function_asked_to_stop_is_stopped_when_it_reports(engine, monkeypatch):
    monkeypatch.setattr("django_scheduled_tasks.runner.attempt.SIGNALS_INTERVAL", 0)
    for function in ("sleep_with_progress", "cancelled_but_busy"):
        execution = run_once(make_task(function=f"testapp.{function}", max_attempts=3)).execution

        def ask(execution=execution, **_signal):
            from django_scheduled_tasks.services.running.cancel import cancel

            cancel(execution.tracking_id)

        signals.execution_started.connect(ask)
        try:
            execute(str(execution.tracking_id))
        finally:
            signals.execution_started.disconnect(ask)
        execution.refresh_from_db()
        assert execution.status == Status.ERRORS
        # An error raised while it stops is the real end, and yet it is not tried again.
        assert execution.outcome == (Outcome.CANCELLED if function == "sleep_with_progress" else Outcome.FAILED)


# --- time limits, in the main thread of whatever process ------------------------------------------------------------


@pytest.mark.parametrize("function", ["sleep", "loop", "async_sleep", "async_loop"])
def test_a_function_is_ended_at_its_limit(function):
    params = {"seconds": 60} if function in {"sleep", "loop", "async_sleep"} else {}
    execution = run(function, params, timeout=timedelta(seconds=1))
    assert (execution.status, execution.outcome, execution.error_code) == (Status.ERRORS, "timed_out", "timed_out")
    assert execution.error_message == "It did not end within its time limit of 1 s."
    took = execution.completed_at - execution.started_at
    assert timedelta(seconds=1) <= took < timedelta(seconds=3)
    assert function in execution.traceback


def test_an_alarm_of_somebody_else_is_put_back():
    import signal

    rang = []
    signal.signal(signal.SIGALRM, lambda *_args: rang.append(True))
    signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        assert run("add", {"a": 1}, timeout=timedelta(seconds=5)).result == 3
        assert 25 < signal.getitimer(signal.ITIMER_REAL)[0] < 30
        signal.raise_signal(signal.SIGALRM)
        assert rang == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_a_run_over_its_max_runtime_gives_an_alert_and_goes_on():
    seen = []
    signals.execution_overran.connect(listener := lambda execution, **_signal: seen.append(execution.pk))
    try:
        execution = run("sleep", {"seconds": 1.2}, max_runtime=timedelta(seconds=1))
    finally:
        signals.execution_overran.disconnect(listener)
    assert execution.outcome == Outcome.SUCCEEDED
    assert seen == [execution.pk]
    assert messages(execution) == [f"Execution #{execution.pk} of {execution.task_name} runs longer than 0:00:01."]


# --- fencing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["add", "fail"])
def test_a_late_end_is_refused_and_logged(engine, function, caplog):
    params = {"a": 1} if function == "add" else {}
    execution = run_once(make_task(function=f"testapp.{function}", params=params)).execution

    def lose(execution, **_signal):
        row, _is_ours = take(str(execution.tracking_id))
        failure = Failure(outcome=Outcome.WORKER_LOST, code="worker_lost", message="Gone.")
        assert finish.fail(row, failure, ended_at=read_now())

    signals.execution_started.connect(lose)
    try:
        execute(str(execution.tracking_id))
    finally:
        signals.execution_started.disconnect(lose)
    execution.refresh_from_db()
    assert (execution.outcome, execution.error_message, execution.result) == ("worker_lost", "Gone.", None)
    assert Attempt.objects.count() == 1
    tried = "succeeded, with the result 3" if function == "add" else "failed: It broke."
    assert tried in caplog.text
    assert messages(execution)[-1].endswith(tried)
