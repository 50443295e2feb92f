"""What Sentry is told of an execution, by the real SDK."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.runner.sentry import reported
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    """What is sent to Sentry."""
    found: list[dict[str, Any]] = []

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            found.extend(item.payload.json for item in envelope.items if item.type == "event")

    options = {"default_integrations": False, "auto_enabling_integrations": False}
    sentry_sdk.init("http://key@127.0.0.1:9/7", integrations=[LoggingIntegration()], transport=Kept(), **options)
    yield found
    sentry_sdk.get_client().close(timeout=0.1)
    sentry_sdk.Scope.get_global_scope().set_client(None)


def test_what_is_reported_while_a_function_runs_says_whose_it_is_and_nothing_else_does(events, settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"SITE_URL": "https://example.com/"}
    execution = make_execution(make_task(function="testapp.log_levels"))
    execute(str(execution.tracking_id))
    logging.getLogger("after").error("afterwards")
    within, after = events[0], events[-1]
    assert within["transaction"] == execution.task_name
    assert within["tags"] == {"task": execution.task_name, "tracking_id": str(execution.tracking_id)}
    page = f"https://example.com/admin/django_scheduled_tasks/execution/{execution.pk}/change/"
    about = within["contexts"]["execution"]
    assert (about["number"], about["attempt"], about["page"]) == (execution.pk, 1, page)
    assert "tracking_id" not in after.get("tags", {})


@pytest.mark.parametrize("address", ["https://example.com", ""])
def test_without_an_admin_or_an_address_there_is_no_link(events, settings, address):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"SITE_URL": address}
    settings.ROOT_URLCONF = "tests.runner.test_sentry"
    with reported(make_execution()):
        sentry_sdk.capture_message("hello")
    assert "page" not in events[0]["contexts"]["execution"]


urlpatterns: list[Any] = []


def test_without_sentry_nothing_of_it_is_imported():
    code = "import django, sys; django.setup(); import django_scheduled_tasks.runner.execute\n"
    code += "from django_scheduled_tasks.models import Execution\n"
    code += "from django_scheduled_tasks.runner.sentry import reported\n"
    code += "with reported(Execution()): print('sentry_sdk' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
