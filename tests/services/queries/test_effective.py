"""With which parameters an execution ran, and where they are from."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services.queries.executions.effective import (
    EffectiveParameter,
    Source,
    effective_parameters,
)
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_execution, make_release, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def found(execution) -> list[tuple[str, str, Source | None]]:
    return [(one.name, one.value, one.source) for one in effective_parameters(execution)]


def test_what_is_given_for_a_run_is_told_from_what_the_task_says(engine):
    task = make_task(function="testapp.add", params={"a": 1, "b": 3}, overlap="allow")
    one = run_once(task, params={"a": 1, "b": 5}).execution
    assert found(one) == [("a", "1", Source.TASK), ("b", "5", Source.RUN)]
    assert found(run_once(task, rerun_of=one).execution) == found(one)
    plain = run_once(task).execution
    plain.refresh_from_db()
    assert plain.own_params is None
    assert found(plain) == [("a", "1", Source.TASK), ("b", "3", Source.TASK)]


def test_defaults_are_those_of_the_release_that_ran_it():
    signature = {"digest": "x", "required": [], "optional": ["b", "token"], "more": False}
    old = make_release(functions={"testapp.add": signature | {"defaults": {"b": "7", "token": '"s3cret"'}}})
    task = make_task(function="testapp.add", params={"a": 1})
    ran = make_execution(task, status=Status.COMPLETED, release=old.key)
    assert found(ran) == [("a", "1", Source.TASK), ("b", "7", Source.DEFAULT), ("token", MASK, Source.DEFAULT)]
    assert found(make_execution(task)) == [("a", "1", Source.TASK), ("b", "2", Source.DEFAULT)]


def test_of_a_version_that_recorded_neither_only_values_are_told():
    before = make_release(functions=["testapp.add"])
    live.forget()
    ran = make_execution(
        make_task(function="testapp.add", params={"a": 1}), status=Status.COMPLETED, release=before.key
    )
    assert effective_parameters(ran) == [EffectiveParameter("a", "1", None)]
    gone = make_execution(ran.task, status=Status.COMPLETED, release="gone")
    assert effective_parameters(gone) == [EffectiveParameter("a", "1", None)]
