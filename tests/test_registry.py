"""Which functions may run, and which tasks the code declares."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

import django_scheduled_tasks.registry as module
from django_scheduled_tasks import cron, every, scheduled_task
from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidSchedule
from django_scheduled_tasks.lifecycle import LogLevel, Overlap
from django_scheduled_tasks.registry import Registry, registry
from django_scheduled_tasks.schedules.durations import LEAST
from tests.testapp import tasks


@pytest.fixture
def empty(monkeypatch) -> Registry:
    fresh = Registry()
    monkeypatch.setattr(module, "registry", fresh)
    return fresh


def test_the_functions_of_each_apps_tasks_module_are_found():
    found = registry.functions()
    assert found["testapp.add"].function is tasks.add
    assert found["testapp.add"].description == "Adds two numbers."
    assert found["testapp.add"].app_label == "testapp"
    assert found["testapp.wait_a_moment"].is_async
    assert not found["testapp.add"].is_async


def test_a_decorated_function_stays_the_function_it_is():
    assert tasks.add(1, b=4) == 5


def test_an_unknown_function_is_named():
    with pytest.raises(FunctionNotRegistered, match='"shop.gone" is not in the code'):
        registry.get("shop.gone")


def test_a_plain_decorator_declares_no_task(empty):
    @scheduled_task
    def function() -> None: ...

    assert [f.function for f in empty.functions().values()] == [function]
    assert empty.declarations() == ()


def test_a_schedule_without_a_name_takes_the_functions(empty):
    @scheduled_task(schedule=every("15m"))
    def sync_stock() -> None: ...

    (declaration,) = empty.declarations()
    assert (declaration.name, declaration.schedule.kind) == ("sync_stock", "interval")


def test_the_decorator_may_be_stacked(empty):
    @scheduled_task(name="a", params={"n": 1})
    @scheduled_task(name="b", schedule=cron("0 3 * * *", timezone="Europe/Berlin"), overlap="allow")
    def function(n: int = 0) -> None: ...

    assert {d.name: d.schedule.kind for d in empty.declarations()} == {"a": "manual", "b": "cron"}
    assert len(empty.functions()) == 1


def test_policies_become_columns(empty):
    @scheduled_task(
        name="a", timeout="90s", grace=timedelta(minutes=1), overlap=Overlap.QUEUE_ONE, retry_on=[OSError, ValueError]
    )
    def function() -> None: ...

    (declaration,) = empty.declarations()
    assert declaration.fields == {
        "timeout": timedelta(seconds=90),
        "grace": timedelta(minutes=1),
        "overlap": "queue_one",
        "retry_on": ["OSError", "ValueError"],
    }
    assert type(declaration.fields["overlap"]) is str


def test_an_unknown_policy_is_named():
    with pytest.raises(TypeError, match="has no retries"):
        scheduled_task(name="a", retries=3)(lambda: None)


@pytest.mark.parametrize("name", sorted(LEAST))
@pytest.mark.parametrize("value", ["0s", timedelta(0), timedelta(milliseconds=999), -timedelta(days=1)])
def test_a_duration_that_is_too_short_is_refused_where_it_is_written(empty, name, value):
    with pytest.raises(InvalidSchedule, match=f"^{name} has to be 1s or longer") as caught:
        scheduled_task(name="a", **{name: value})(lambda: None)
    assert caught.value.field == name
    scheduled_task(name="a", **{name: timedelta(seconds=1)})(lambda: None)


def test_a_duration_is_a_timedelta_or_a_text(empty):
    with pytest.raises(TypeError, match="grace is a timedelta or a text like 90s, not 5"):
        scheduled_task(name="a", grace=5)(lambda: None)


def test_policies_without_a_task_are_refused(empty):
    def function() -> None: ...

    with pytest.raises(TypeError, match="need a name or a schedule"):
        scheduled_task(timeout="5m")(function)


def test_only_functions_can_be_scheduled():
    with pytest.raises(TypeError, match="goes on a function"):
        scheduled_task(dict)


def test_two_tasks_of_one_name_are_refused_and_both_named(empty):
    @scheduled_task(name="Report")
    def first() -> None: ...

    with pytest.raises(ImproperlyConfigured, match="first.*second"):

        @scheduled_task(name="report")
        def second() -> None: ...


def test_two_functions_of_one_name_are_refused(empty):
    def function() -> None: ...

    def other() -> None: ...

    other.__name__ = "function"
    scheduled_task(function)
    scheduled_task(other)
    with pytest.raises(ImproperlyConfigured, match="Two functions are called"):
        empty.functions()


def test_a_reloaded_module_replaces_its_functions(empty):
    def load():
        @scheduled_task(name="a")
        def function() -> None: ...

        return function

    load()
    again = load()
    assert [f.function for f in empty.functions().values()] == [again]
    assert len(empty.declarations()) == 1


def test_a_generator_is_no_task_since_a_call_would_run_nothing_of_it():
    def numbers():
        yield 1

    async def later():
        yield 1

    for function in (numbers, later):
        with pytest.raises(TypeError, match="yields"):
            scheduled_task(function)


# --- former names -------------------------------------------------------------------------------------------------


def test_a_function_is_found_under_its_former_paths_unless_another_has_one_today(empty):
    @scheduled_task(formerly=("shop.old", "shop.older"))
    def today() -> None: ...

    path = f"{today.__module__}.today" if empty.functions().get("testapp.today") is None else "testapp.today"
    assert list(empty.functions()) == [path]
    assert empty.get("shop.old") is empty.get("shop.older") is empty.get(path)
    assert empty.knows("shop.old")
    assert not empty.knows("shop.other")
    assert set(empty.former_functions()) == {"shop.old", "shop.older"}

    @scheduled_task(formerly=(path,))
    def tomorrow() -> None: ...

    assert empty.get(path).function is today
    assert path not in empty.former_functions()


def test_former_names_go_with_a_declaration_and_are_a_tuple(empty):
    @scheduled_task(name="new", formerly=("Old name", "shop.old"))
    def work() -> None: ...

    (declaration,) = empty.declarations()
    assert declaration.formerly == ("Old name",)
    with pytest.raises(TypeError, match="a tuple of names"):
        scheduled_task(name="x", formerly="old")
    with pytest.raises(TypeError, match="no task is declared"):
        scheduled_task(formerly=("old name",))(work)


def test_a_log_level_is_written_in_any_case_and_an_enum_or_a_text():
    assert module.columns_of({"log_level": LogLevel.NONE}) == {"log_level": "NONE"}
    assert module.columns_of({"log_level": "debug"}) == {"log_level": "DEBUG"}
