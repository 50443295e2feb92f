"""Deleting a task that the code declares: it comes back, so the page offers to switch it off."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.registry import Registry
from django_scheduled_tasks.services.tasks import fields, sync, validation
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks
from tests.admin.pages import TASKS
from tests.factories import OWNER, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def declared(monkeypatch):
    """A task of the code, and no other one."""
    from django_scheduled_tasks import registry as registered
    from django_scheduled_tasks import scheduled_task

    fresh = Registry()
    for module in (registered, fields, sync, validation):
        monkeypatch.setattr(module, "registry", fresh)

    @scheduled_task(name="nightly")
    def nightly() -> None:
        """Does nothing."""

    sync_declared_tasks()
    return ScheduledTask.objects.get(name="nightly")


@pytest.fixture
def owner(client):
    client.force_login(make_user(*OWNER))
    return client


def test_the_page_that_asks_says_that_it_comes_back_and_switches_it_off(owner, declared):
    page = owner.get(f"{TASKS}{declared.pk}/delete/").content.decode()
    assert "deleted, it comes back at the next migrate." in page
    url = f"{TASKS}{declared.pk}/switch-off/"
    assert f'action="{url}"' in page
    assert owner.get(url).status_code == 405
    response = owner.post(url, follow=True)
    assert "Switched off. Run once still works." in response.content.decode()
    sync_declared_tasks()
    declared.refresh_from_db()
    assert (declared.enabled, declared.next_run_at) == (False, None)
    assert "switch-off/" not in owner.get(f"{TASKS}{declared.pk}/delete/").content.decode(), "it is off"


def test_it_does_come_back_and_a_bulk_action_says_so(owner, declared):
    chosen = {"action": "delete_selected", "post": "yes", "_selected_action": [str(declared.pk)]}
    page = owner.post(TASKS, chosen, follow=True).content.decode()
    assert "ightly is declared in code, and comes back at the next migrate." in page
    assert not ScheduledTask.objects.filter(pk=declared.pk).exists()
    sync_declared_tasks()
    assert ScheduledTask.objects.filter(name="nightly").exists()


def test_of_a_task_of_the_admin_nothing_is_said(owner):
    task = make_task()
    assert "declared in code" not in owner.get(f"{TASKS}{task.pk}/delete/").content.decode()
