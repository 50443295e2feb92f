"""Tasks of Celery and of Django's Tasks framework, registered as they are."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest
from django.core.exceptions import ImproperlyConfigured

import django_scheduled_tasks.registry as module
from django_scheduled_tasks import every, scheduled_task
from django_scheduled_tasks.functions.foreign import functions_at
from django_scheduled_tasks.registry import Registry
from tests.testapp import foreign


@pytest.fixture
def empty(monkeypatch) -> Registry:
    fresh = Registry()
    monkeypatch.setattr(module, "registry", fresh)
    return fresh


@pytest.mark.parametrize("given", [foreign.shared, foreign.of_an_app], ids=["shared_task", "app.task"])
def test_a_task_of_celery_runs_as_the_function_that_it_is(empty, given):
    assert scheduled_task(given) is given
    (found,) = empty.functions().values()
    assert found.name == f"testapp.{given.name.rpartition('.')[2]}"
    assert found.description == "Adds."
    assert found.parameters.typed({"a": "3"}) == {"a": 3}
    assert found.function(a=3) == 5


def test_a_bound_task_of_celery_has_itself(empty):
    scheduled_task(foreign.bound)
    (found,) = empty.functions().values()
    assert found.parameters.required == ("a",)
    assert found.function(a=3) == ("tests.testapp.foreign.bound", 3)


def test_a_task_of_celery_may_be_declared_by_stacked_decorators(empty):
    @scheduled_task(schedule=every("15m"))
    @foreign.shared_task
    def sync_stock() -> None: ...

    assert [one.name for one in empty.declarations()] == ["sync_stock"]
    assert sync_stock.delay is not None


def test_a_task_of_djangos_framework_runs_as_its_function(empty):
    scheduled_task(foreign.of_django)
    (found,) = empty.functions().values()
    assert found.name == "testapp.of_django"
    assert found.function(a=1) == 2


def test_one_that_takes_a_context_of_the_framework_is_refused(empty):
    with pytest.raises(TypeError, match="takes a context of Django's Tasks"):
        scheduled_task(foreign.with_context)


def test_a_setting_names_what_is_registered():
    assert next(functions_at(["tests.testapp.foreign.shared", "tests.testapp.tasks.add"])) is foreign.shared
    found = {one.name.rpartition(".")[2] for one in functions_at(["tests.testapp.foreign.*"])}
    assert found == {"shared", "of_an_app", "bound", "of_django", "with_context"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("tests.testapp.foreign.gone", "nothing is at tests.testapp.foreign.gone"),
        ("tests.nowhere.*", "nothing is at tests.nowhere"),
        ("nothing", "nothing is at nothing"),
        ("tests.testapp.foreign.CELERY", "it is no function and no task"),
        ("tests.testapp.apps.*", "no task of Celery or of Django's Tasks is in it"),
    ],
)
def test_a_wrong_path_says_what_is_wrong(path, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        list(functions_at([path]))


def test_neither_library_is_imported_for_it():
    code = (
        "import sys; import django_scheduled_tasks.functions.foreign as f; f.plain_function(object());"
        "print([name for name in sys.modules if name.split('.')[0] in ('celery', 'django_tasks')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert isinstance(foreign, types.ModuleType)
