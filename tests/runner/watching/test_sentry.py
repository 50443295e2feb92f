"""What Sentry's events say of the execution in which they happen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.transport import Transport

from django_scheduled_tasks.runner import watching
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_task

pytestmark = pytest.mark.django_db


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        if (event := envelope.get_event()) is not None:
            self.events.append(event)


@pytest.fixture
def events() -> Iterator[list[Any]]:
    kept = Kept()
    sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=kept, default_integrations=False)
    watching._watchers.cache_clear()
    yield kept.events
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)
    watching._watchers.cache_clear()


def test_a_failure_is_an_event_that_leads_to_its_execution(engine, events, settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "SITE_URL": "https://shop.example"}
    execution = run_once(make_task(name="bill", function="testapp.fail", max_attempts=1)).execution
    execute(str(execution.tracking_id))
    (event,) = events
    assert event["transaction"] == "testapp.fail"
    assert event["tags"] == {"task": "bill", "tracking_id": str(execution.tracking_id)}
    page = event["contexts"]["execution"]["url"]
    assert page.startswith("https://shop.example/")
    assert f"/{execution.pk}/" in page


def test_what_is_tried_again_or_succeeds_is_no_event(engine, events):
    for task in (make_task(function="testapp.fail", max_attempts=2), make_task()):
        execute(str(run_once(task).execution.tracking_id))
    assert events == []


def test_secrets_of_the_parameters_are_not_sent(engine, events):
    task = make_task(function="testapp.leak", params={"password": "s3cret-value-1"}, max_attempts=1)
    execute(str(run_once(task).execution.tracking_id))
    (event,) = events
    assert event["exception"]["values"][0]["value"].endswith(" is wrong")
    assert "s3cret-value-1" not in str(event)


def test_one_executions_tags_are_not_those_of_the_next(engine, events):
    execute(str(run_once(make_task(name="first")).execution.tracking_id))
    sentry_sdk.capture_message("outside")
    assert "tags" not in events[0] or "tracking_id" not in events[0]["tags"]
