"""What was secret stays secret: recorded with the row, and given to no other function, through every door."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from django.db import connections
from pydantic import BaseModel, SecretStr, field_validator

import django_scheduled_tasks.services.tasks.sync as sync_module
from django_scheduled_tasks import scheduled_task, task
from django_scheduled_tasks.exceptions import FunctionChanged, InvalidParameters, InvalidTask
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.parameters import MASK, Parameters
from django_scheduled_tasks.registry import Registry, registry
from django_scheduled_tasks.runner.ending import storable_result
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.starting.backfill import backfill
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.edit import create_task, update_task
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
SERVERS = [{"host": "a", "token": "t1"}, {"host": "b", "token": "t2"}]
PARAMS = {"password": "pa55word", "user": "anna", "servers": SERVERS}
TREE = {"password": True, "servers": {"0": {"token": True}, "1": {"token": True}}}
SHOWN = {"password": MASK, "user": "anna", "servers": [{"host": "a", "token": MASK}, {"host": "b", "token": MASK}]}


@pytest.fixture
def connecting():
    return make_task(name="connecting", function="testapp.log_in", params=PARAMS)


# --- recorded with the row ----------------------------------------------------------------------------------------


def test_rows_record_where_secrets_are(connecting, engine):
    connecting.refresh_from_db()
    assert connecting.secret_params == TREE
    first = run_once(connecting, params={"user": "otto"}).execution
    Execution.objects.update(status=Status.COMPLETED, outcome="succeeded", completed_at=first.triggered_at)
    rerun = run_once(connecting, rerun_of=first).execution
    for execution in (first, rerun):
        execution.refresh_from_db()
        assert execution.secret_params == TREE
    assert make_task().secret_params == {}


def test_an_occurrence_and_a_backfill_record_it_too(connecting, engine):
    update_task(connecting, schedule_kind="interval", expression="1s", overlap="allow")
    ScheduledTask.objects.update(next_run_at=connecting.created_at, created_at=connecting.created_at)
    record_due(limit=10)
    now = ScheduledTask.objects.get().updated_at
    backfill(connecting, start=now, end=now)
    assert Execution.objects.count() >= 1
    assert all(row.secret_params == TREE for row in Execution.objects.all())


def test_a_function_that_is_gone_shows_no_secret_of_its_history(connecting, engine):
    execution = run_once(connecting).execution
    ScheduledTask.objects.update(function="shop.gone")
    Execution.objects.update(function="shop.gone")
    for row in (ScheduledTask.objects.get(), Execution.objects.get(pk=execution.pk)):
        assert shown_params(row) == SHOWN
    ScheduledTask.objects.update(secret_params=None)
    Execution.objects.update(secret_params=None)  # as written by an older version
    for row in (ScheduledTask.objects.get(), Execution.objects.get(pk=execution.pk)):
        assert shown_params(row) == {"password": MASK, "user": MASK, "servers": MASK}


def test_a_secret_by_annotation_stays_one_when_the_function_is_gone_or_says_so_no_longer():
    row = make_task(function="testapp.typed", params={"day": "2026-03-20", "address": {"street": "E", "pin": "1"}})
    assert row.secret_params == {"address": {"pin": True}}
    row = make_task(function="testapp.leave_thread", params={"secret": "s3cret!", "until": "x"})
    for function in ("shop.gone", "testapp.give"):
        ScheduledTask.objects.filter(pk=row.pk).update(function=function, params={"until": "s3cret!", "secret": "x"})
        ScheduledTask.objects.filter(pk=row.pk).update(secret_params={"until": True})
        row.refresh_from_db()
        assert shown_params(row) == {"until": MASK, "secret": MASK}


def test_a_signature_that_cannot_be_read_is_as_good_as_none(connecting, monkeypatch):
    def broken(value: lambda: 1) -> None: ...  # type: ignore[valid-type]

    known = Registry()
    registered = known.add_function(broken)
    monkeypatch.setattr(registry, "get", lambda _name: registered)
    assert shown_params(connecting) == SHOWN


def test_old_code_can_still_insert():
    """A release before the column leaves it out of its INSERT."""
    row = make_execution(make_task(function="testapp.log_in", params=PARAMS))
    names = [field.column for field in Execution._meta.concrete_fields if field.name not in {"id", "secret_params"}]
    names = [name for name in names if name != "tracking_id"]
    with connections[write_alias()].cursor() as cursor:
        quoted = ", ".join(connections[write_alias()].ops.quote_name(name) for name in names)
        table = Execution._meta.db_table
        Execution.objects.filter(pk=row.pk).update(idempotency_key=None)
        tracking_id = "0197d3a0-0000-7000-8000-000000000001"
        has_uuids = connections[write_alias()].features.has_native_uuid_field
        given = tracking_id if has_uuids else tracking_id.replace("-", "")
        cursor.execute(
            f"INSERT INTO {table} (tracking_id, {quoted}) SELECT %s, {quoted} FROM {table} WHERE id = %s",
            [given, row.pk],
        )
    assert Execution.objects.latest("pk").secret_params is None


# --- another function ---------------------------------------------------------------------------------------------


def test_another_function_does_not_get_the_secrets(connecting):
    changed = update_task(connecting, function="testapp.log_out")
    changed.refresh_from_db()
    assert (changed.params, changed.secret_params) == ({"user": "anna"}, {})


def test_it_gets_what_is_given_with_it(connecting):
    changed = update_task(connecting, function="testapp.log_out", params={"password": "other"})
    assert changed.params == {"password": "other"}


def test_a_mask_does_not_stand_for_the_secret_of_another_function(connecting):
    with pytest.raises(InvalidTask, match="params.password: this is the mask of a secret"):
        update_task(connecting, function="testapp.log_out", params={"password": MASK})


def test_of_a_function_that_is_gone_nothing_is_handed_on(connecting):
    ScheduledTask.objects.update(function="shop.gone", secret_params=None)
    changed = update_task(ScheduledTask.objects.get(), function="testapp.log_out")
    assert changed.params == {}


def test_code_that_gives_a_task_another_function_does_not_hand_on_what_staff_entered(monkeypatch):
    known = Registry()
    monkeypatch.setattr(sync_module, "registry", known)
    for name in ("fields", "validation"):
        module = import_module(f"django_scheduled_tasks.services.tasks.{name}")
        monkeypatch.setattr(module, "registry", known)
    monkeypatch.setattr("django_scheduled_tasks.services.secrets.registry", known)
    monkeypatch.setattr("django_scheduled_tasks.registry.registry", known)

    def before(token: SecretStr | None = None, user: str = "") -> None: ...
    def after(token: SecretStr | None = None, user: str = "") -> None: ...

    scheduled_task(name="declared")(before)
    sync_declared_tasks()
    update_task(ScheduledTask.objects.get(name="declared"), params={"token": "t0ken", "user": "anna"})
    known.clear()
    scheduled_task(name="declared")(after)
    assert sync_declared_tasks().updated == ["declared"]
    row = ScheduledTask.objects.get(name="declared")
    assert row.function.endswith(".after")
    assert row.params == {"user": "anna"}


def test_a_rerun_under_another_function_is_refused(connecting, engine):
    earlier = make_execution(connecting, status=Status.COMPLETED)
    ScheduledTask.objects.update(function="testapp.log_out", params={})
    with pytest.raises(FunctionChanged, match=f"Execution #{earlier.pk} ran") as error:
        run_once(connecting, rerun_of=earlier)
    assert (error.value.code, error.value.status) == ("function_changed", 409)
    assert not Execution.objects.exclude(pk=earlier.pk).exists()


# --- masks that come back -----------------------------------------------------------------------------------------

MASKED = [
    ({"password": MASK}, PARAMS),
    (SHOWN, PARAMS),
    ({"servers": SHOWN["servers"][::-1]}, PARAMS | {"servers": SERVERS[::-1]}),
    ({"servers": [SHOWN["servers"][1]]}, PARAMS | {"servers": [SERVERS[1]]}),
    ({"servers": [{"host": "c", "token": MASK}, SHOWN["servers"][1]]}, None),
    ({"servers": [*SHOWN["servers"], {"host": "c", "token": "t3"}]}, None),
]


@pytest.mark.parametrize(("given", "expected"), MASKED)
def test_a_mask_stands_for_the_stored_secret(connecting, engine, given, expected):
    if expected is None:  # the mask goes to its place, and what is new stays
        expected = PARAMS | {
            "servers": [
                {**item, "token": SERVERS[place]["token"] if item["token"] == MASK else item["token"]}
                for place, item in enumerate(given["servers"])
            ]
        }
    assert run_once(connecting, params=given).execution.params == expected
    earlier = make_execution(connecting, status=Status.COMPLETED)
    Execution.objects.exclude(pk=earlier.pk).delete()
    ScheduledTask.objects.update(params={})
    assert run_once(connecting, params=given, rerun_of=earlier).execution.params == expected
    ScheduledTask.objects.update(params=PARAMS)
    whole = {**SHOWN, **given}
    assert update_task(connecting, params=whole).params == expected


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"user": MASK}, "user"),
        ({"servers": [{"host": "z", "token": MASK}]}, "servers.0.token"),
        ({"servers": [{"host": MASK, "token": "t"}]}, "servers.0.host"),
    ],
)
def test_a_mask_that_stands_for_nothing_is_refused(connecting, engine, given, field):
    with pytest.raises(InvalidParameters) as error:
        run_once(connecting, params=given)
    assert [(item.field, item.code) for item in error.value.errors] == [(field, "masked")]
    with pytest.raises(InvalidTask, match=f"params.{field}: this is the mask"):
        update_task(connecting, params=given)
    with pytest.raises(InvalidTask):
        create_task(name="new", function="testapp.log_in", params=given)
    _info, errors = task("connecting").run_once(given)
    assert errors.status == 422


def test_a_mask_does_not_move_a_secret_to_where_it_would_be_seen(engine, monkeypatch):
    def connect(pair: tuple[SecretStr, str]) -> None: ...

    row = make_task(function="testapp.give", params={"value": ["s3cret!"]})
    ScheduledTask.objects.update(secret_params={"value": {"0": True}})  # the signature said so once
    row.refresh_from_db()
    for given in (["x", MASK], [["x"], [MASK]], [[MASK]]):
        with pytest.raises(InvalidParameters, match="mask"):
            run_once(row, params={"value": given})
        with pytest.raises(InvalidTask, match="mask"):
            update_task(row, params={"value": given})
    registered = Registry().add_function(connect)
    monkeypatch.setattr(registry, "get", lambda _name: registered)
    row = make_task(function="connect", params={"pair": ["s3cret!", "anna"]})
    assert shown_params(row) == {"pair": [MASK, "anna"]}
    assert run_once(row, params={"pair": [MASK, "bob"]}).execution.params == {"pair": ["s3cret!", "bob"]}
    with pytest.raises(InvalidParameters, match="mask"):
        run_once(row, params={"pair": ["x", MASK]})


# --- what the function says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["anna", "raise"])
def test_what_is_secret_by_name_is_taken_out_of_log_error_and_result(connecting, engine, user):
    execution = run_once(connecting, params={"user": user}).execution
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    lines = [line.message for line in execution.logs.order_by("number")]
    assert lines == [f"{user}:{MASK}"]
    if user == "raise":
        assert execution.error_message == f"401 for {MASK}"
        assert "pa55word" not in execution.traceback
    else:
        assert execution.result == {
            "password": MASK,
            "servers": [{"apiKey": MASK, "host": "h"}],
            "note": f"used {MASK}",
        }


class Login(BaseModel):
    token: SecretStr
    user: str = ""

    @field_validator("token", "user")
    @classmethod
    def check(cls, value: Any) -> Any:
        raise ValueError(f"not {value!r}, which is {getattr(value, '_secret_value', value)}")


def with_login(login: Login | None = None, password: int = 0) -> None: ...


@pytest.mark.parametrize("beside", [object(), "x" * 100_000])
def test_keys_name_secrets_in_results_that_are_kept_as_text_too(beside):
    text, kind = storable_result([{"password": "n3w-pa55word", "beside": beside}])
    assert kind in {"repr", "cut"}
    assert MASK in text or json.dumps(MASK)[1:-1] in text
    assert "n3w-pa55word" not in text


@pytest.mark.parametrize("params", [{"login": {"token": "hunter22", "user": "x"}}, {"password": "hunter22"}])
def test_errors_about_parameters_repeat_no_secret(params):
    with pytest.raises(InvalidParameters) as error:
        Parameters(with_login, "shop.f").clean(params)
    assert error.value.errors
    assert "hunter22" not in str(error.value)
    assert "input_value" not in str(error.value.__cause__)


def test_a_reason_that_quotes_what_could_not_be_written_has_no_secret(connecting, monkeypatch):
    update_task(connecting, schedule_kind="interval", expression="1s")
    ScheduledTask.objects.update(next_run_at=connecting.created_at)
    module = "django_scheduled_tasks.services.scheduling.occurrences"

    def fail(*_args: Any, **_options: Any) -> None:
        raise ValueError('CONTEXT: JSON data, line 1: {"password": "pa55word"')

    monkeypatch.setattr(f"{module}.row_of", fail)
    record_due(limit=10)
    reason = ScheduledTask.objects.get().pause_reason
    assert "could not be planned" in reason
    assert "pa55word" not in reason
