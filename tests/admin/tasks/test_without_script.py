"""Adding a task without JavaScript: what the page has sent is enough where nothing is wrong."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import ScheduledTask
from tests.admin.pages import TASKS, Fields
from tests.factories import EDITOR, make_user

pytestmark = pytest.mark.django_db
CHOSEN = {"name": "Nightly", "cron": "0 3 * * *"}


@pytest.fixture
def editor(client):
    client.force_login(make_user(*EDITOR))
    return client


@pytest.mark.parametrize("function", ["testapp.noop", "testapp.count_to", "testapp.print_a_lot"])
def test_a_task_whose_function_needs_nothing_is_added_at_the_first_try(editor, function):
    sent = Fields(editor.get(f"{TASKS}add/").content.decode()).sent
    response = editor.post(f"{TASKS}add/", sent | CHOSEN | {"function": function})
    assert response.status_code == 302, response.context["adminform"].form.errors
    task = ScheduledTask.objects.get()
    assert (task.function, task.params) == (function, {}), "the function's own defaults count"


def test_what_the_function_needs_is_said_and_its_fields_are_there(editor):
    sent = Fields(editor.get(f"{TASKS}add/").content.decode()).sent
    response = editor.post(f"{TASKS}add/", sent | CHOSEN | {"function": "testapp.add"})
    assert response.context["adminform"].form.errors == {"params": ["a: this function needs it."]}
    again = Fields(response.content.decode()).sent
    assert editor.post(f"{TASKS}add/", again | {"param-p-a": "1"}).status_code == 302
    assert ScheduledTask.objects.get().params == {"a": 1}
