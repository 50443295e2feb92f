"""The note that a database is a copy, and its page, as stranger, viewer, operator and owner."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, Installation, ScheduledTask, read_now
from django_scheduled_tasks.services.installation import state
from tests.admin.pages import EXECUTIONS, TASKS
from tests.factories import OPERATOR, OWNER, VIEWER, make_execution, make_task, make_user
from tests.services.installation.conftest import installation, staging  # noqa: F401

pytestmark = pytest.mark.django_db
ADOPT, LEAVE = f"{TASKS}adopt/", f"{TASKS}leave-held/"
HEADLINE = "This database is a copy of “production”. Nothing runs by schedule."


@pytest.fixture
def copied(staging):  # noqa: F811
    task = make_task(name="sync-stock", schedule_kind="interval", expression="1h")
    waiting = make_execution(task, trigger=Trigger.SCHEDULE, scheduled_for=read_now())
    state.look()
    return task, waiting


def shown(client, path: str = TASKS) -> str:
    response = client.get(path, follow=True)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def test_the_note_is_on_every_page_of_ours_and_on_the_index(copied, client):
    task, waiting = copied
    client.force_login(make_user(*OWNER))
    for path in (
        *("/admin/", "/admin/django_scheduled_tasks/", TASKS, EXECUTIONS, f"{TASKS}upcoming/", f"{TASKS}add/"),
        *(f"{TASKS}{task.pk}/change/", f"{TASKS}{task.pk}/history/", f"{TASKS}{task.pk}/pause/"),
        f"{EXECUTIONS}{waiting.pk}/change/",
    ):
        page = shown(client, path)
        assert page.count(HEADLINE) == 1, path
        assert "The setting ENVIRONMENT says “staging”" in page
        assert "1 execution that was waiting never starts here by itself." in page


def test_what_was_running_when_the_copy_was_made_says_so_and_what_runs_here_runs(staging, client):  # noqa: F811
    task = make_task(overlap="allow")
    copied = make_execution(task, status=Status.PROCESSING, worker_host="worker-9")
    state.look()
    own = make_execution(task, status=Status.PROCESSING, worker_host="here")
    client.force_login(make_user(*OWNER))
    page = shown(client, f"{EXECUTIONS}{copied.pk}/change/")
    assert "<span>Was running</span>" in page
    assert "It was running when the copy was made." in page
    assert "worker-9." not in page
    page = shown(client, f"{EXECUTIONS}{own.pk}/change/")
    assert "<span>Running</span>" in page
    assert re.search(r"Started \d s ago by here\.", page)
    assert shown(client, EXECUTIONS).count("<span>Was running</span>") == 1


def test_at_home_there_is_no_note(installation, client):  # noqa: F811
    state.look()
    client.force_login(make_user(*OWNER))
    assert "Nothing runs by schedule" not in shown(client) + shown(client, "/admin/")


def test_what_is_said_is_escaped(copied, client):
    Installation.objects.update(environment="<b>prod", address="<i>db")
    state.look()
    client.force_login(make_user(*OWNER, "adopt_installation"))
    for path in (TASKS, ADOPT):
        page = shown(client, path)
        assert "&lt;b&gt;prod" in page
        assert "<b>prod" not in page
        assert "<i>db" not in page


def test_only_who_may_adopt_has_the_link_and_the_page(copied, client):
    assert client.get(ADOPT).status_code == 302  # to the login
    for permissions in (VIEWER, OPERATOR, OWNER):
        client.force_login(make_user(*permissions))
        page = shown(client)
        assert ADOPT not in page
        assert "Ask somebody who may adopt an installation." in page
        assert client.get(ADOPT).status_code == 403
        assert client.post(ADOPT, {"what": "copy", "typed": "staging"}).status_code == 403
    client.force_login(make_user("adopt_installation"))  # without permission to see tasks: the page is enough
    assert client.get(ADOPT).status_code == 200
    assert Installation.objects.get().environment == "production"


def test_adopting_asks_for_the_name_and_is_logged(copied, client):
    _task, waiting = copied
    user = make_user(*VIEWER, "adopt_installation")
    client.force_login(user)
    page = shown(client, ADOPT)
    assert "From now on 1 task runs here by schedule." in page
    assert "Does production still run elsewhere? Then both do the same work." in page
    assert "Type “staging” to confirm" in page
    page = client.post(ADOPT, {"what": "copy", "typed": "production"}).content.decode()
    assert "This is not “staging”." in page
    assert state.look().is_held
    response = client.post(ADOPT, {"what": "copy", "typed": "staging"}, follow=True)
    assert "Adopted as “staging”. 1 copied execution was skipped." in response.content.decode()
    assert HEADLINE not in response.content.decode()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.outcome) == (Status.ERRORS, Outcome.SKIPPED)
    row = Installation.objects.get()
    assert (row.environment, row.adopted_by) == ("staging", user)
    assert "Adopted as “staging”" in LogEntry.objects.get().get_change_message()
    response = client.get(ADOPT, follow=True)
    assert "The database is at home here already." in response.content.decode()


def test_what_has_only_moved_goes_on(copied, client, settings):
    _task, waiting = copied
    Installation.objects.update(environment="", system_identifier="")
    client.force_login(make_user(*VIEWER, "adopt_installation"))
    assert "checked" not in shown(client, ADOPT)  # it may be either, so that neither is chosen
    assert client.post(ADOPT, {"typed": "staging"}).status_code == 200
    client.post(ADOPT, {"what": "same", "typed": "staging"})
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING
    assert not state.look().is_held


def test_another_name_in_another_process_is_refused_on_the_page(copied, client, monkeypatch):
    from django_scheduled_tasks.admin.installation import adoption as page
    from django_scheduled_tasks.exceptions import FieldError, InvalidInput

    def refuse(**_options):
        raise InvalidInput([FieldError("environment", "it is another one.", "other")])

    monkeypatch.setattr(page, "adopt", refuse)
    client.force_login(make_user(*VIEWER, "adopt_installation"))
    response = client.post(ADOPT, {"what": "copy", "typed": "staging"})
    assert "it is another one." in response.content.decode()


def test_left_held_the_note_is_folded_for_this_session(copied, client):
    assert client.post(LEAVE).status_code == 302
    client.force_login(make_user("add_user"))
    assert client.post(LEAVE).status_code == 403
    client.force_login(make_user(*VIEWER))
    assert client.get(LEAVE).status_code == 405
    page = client.post(LEAVE, follow=True).content.decode()
    assert HEADLINE in page
    assert "The setting ENVIRONMENT says" not in page
    client.force_login(make_user(*VIEWER))
    assert "The setting ENVIRONMENT says" in shown(client)


def test_in_a_copy_run_once_asks_and_then_runs(copied, client):
    task, _waiting = copied
    client.force_login(make_user(*OPERATOR))
    page = shown(client)
    assert "Run once…" in page
    assert "Nothing is planned in a copy." in page
    assert page.count("Held: nothing is planned here") == 2, "in the strip, for those who see it and those who hear it"
    assert "All <b>1</b>" in page
    assert "dst-held" in page
    assert "dst-mark-next" not in page
    url = f"{TASKS}{task.pk}/run-once/"
    assert client.post(url).url == url  # asked first
    client.post(TASKS, {"action": "run_selected", "_selected_action": [str(task.pk)]})
    assert Execution.objects.count() == 1
    page = shown(client, url)
    assert "Run it in this copy?" in page
    client.post(url, {"dst_asked": "1", "param-as_json": "{}", "reason": "to see"})
    execution = Execution.objects.latest("pk")
    assert execution.trigger == Trigger.ADMIN
    assert execution.lock_key is None


def test_after_a_gap_the_note_says_what_was_seen(installation, client):  # noqa: F811
    Installation.objects.update(held_at=read_now())
    state.look()
    client.force_login(make_user(*VIEWER, "adopt_installation"))
    page = shown(client)
    assert "This database may be an older one. Nothing runs by schedule." in page
    assert 'value="same"' in shown(client, ADOPT)


# --- tasks for some environments only


@pytest.fixture
def elsewhere(db):
    return make_task(name="invoices", schedule_kind="interval", expression="1h", environments=["production", "eu"])


def test_a_task_for_other_environments_is_elsewhere_and_run_once_asks(elsewhere, client):
    assert elsewhere.next_run_at is None
    client.force_login(make_user(*OPERATOR))
    page = shown(client)
    assert "Runs in production, eu only." in page
    assert "?state=elsewhere" in page
    assert "invoices" in shown(client, f"{TASKS}?state=elsewhere")
    assert "Elsewhere" in shown(client, f"{TASKS}{elsewhere.pk}/change/")
    url = f"{TASKS}{elsewhere.pk}/run-once/"
    assert client.post(url).url == url
    assert "Run it here? Runs in production, eu only." in shown(client, url)
    client.post(url, {"dst_asked": "1", "param-as_json": "{}"})
    assert Execution.objects.get().status == Status.PENDING


def test_in_its_environment_it_is_as_any_other(elsewhere, client, settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "ENVIRONMENT": "eu"}
    client.force_login(make_user(*OPERATOR))
    page = shown(client)
    assert "Elsewhere" not in page
    assert "invoices" not in shown(client, f"{TASKS}?state=elsewhere")


def test_the_form_takes_names_with_commas_between(elsewhere, client):
    from tests.admin.pages import Fields

    client.force_login(make_user(*OWNER))
    path = f"{TASKS}{elsewhere.pk}/change/"
    form = Fields(shown(client, path)).sent
    assert form["environments"] == "production, eu"
    assert client.post(path, form | {"environments": " staging,production,"}).status_code == 302
    assert ScheduledTask.objects.get().environments == ["staging", "production"]
    response = client.post(path, Fields(shown(client, path)).sent | {"environments": "x" * 600})
    assert "These are too many words." in response.content.decode()
    everywhere = Fields(shown(client, path)).sent | {"environments": ""}
    asked = client.post(path, everywhere)
    assert "What changes" in asked.content.decode(), "from now on it runs here"
    assert client.post(path, everywhere | {"dst_asked": "1"}).status_code == 302
    task = ScheduledTask.objects.get()
    assert task.environments == []
    assert task.next_run_at is not None
