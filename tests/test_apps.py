"""What happens after ``migrate``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from django_scheduled_tasks.apps import _connect_monitors, _sync_after_migrate
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.alerts import monitors
from django_scheduled_tasks.signals import execution_finished, execution_started
from tests.database import ALIAS, connection

ROOT = Path(__file__).resolve().parents[1]
LABEL = ScheduledTask._meta.app_label
pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def synced(monkeypatch):
    """Return the list of times that declared tasks were written to the database."""
    times = []
    monkeypatch.setattr("django_scheduled_tasks.services.tasks.sync.sync_declared_tasks", lambda: times.append("now"))
    return times


def migrated_to(*targets: tuple[str, str]) -> ProjectState:
    return MigrationLoader(connection).project_state(list(targets))


def all_of(label: str) -> tuple[str, str]:
    return next(node for node in MigrationLoader(connection).graph.leaf_nodes(label))


def test_declared_tasks_are_written_once_the_tables_are_there(synced):
    _sync_after_migrate(using=ALIAS, apps=migrated_to(all_of(LABEL)).apps)
    _sync_after_migrate(using=ALIAS)  # after flush, which names no state
    assert len(synced) == 2
    _sync_after_migrate(using="another")
    assert len(synced) == 2


def test_nothing_is_written_without_the_tables(synced):
    """After ``migrate auth`` in a new database, and after ``migrate django_scheduled_tasks zero``."""
    _sync_after_migrate(using=ALIAS, apps=migrated_to(all_of("auth")).apps)
    assert synced == []


def test_nothing_is_written_on_the_way_to_todays_tables(synced):
    state = migrated_to(all_of(LABEL))
    state.remove_field(LABEL, "scheduledtask", "description")
    _sync_after_migrate(using=ALIAS, apps=state.apps)
    assert synced == []


@pytest.mark.slow
def test_migrate_of_other_apps_flush_and_the_way_back_to_nothing_work_in_a_database_of_ones_own(tmp_path):
    """What a user types, in one process, with a task that the code declares."""
    script = """
import django
django.setup()
from django.core.management import call_command
from django_scheduled_tasks.models import Release, ScheduledTask
def names():
    return sorted(ScheduledTask.objects.values_list("name", flat=True))
call_command("migrate", "auth", verbosity=0)
call_command("migrate", "django_scheduled_tasks", "0002", verbosity=0)
call_command("migrate", verbosity=0)
assert names() == ["declared-by-new"], names()
assert Release.objects.count() == 1
call_command("flush", interactive=False, verbosity=0)
assert names() == ["declared-by-new"], names()
call_command("migrate", "django_scheduled_tasks", "zero", verbosity=0)
call_command("migrate", verbosity=0)
print(names())
"""
    surroundings = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.cluster_settings",
        "SCHEDULED_TASKS_TEST_PROFILE": "sqlite",
        "SCHEDULED_TASKS_TEST_DATABASE": str(tmp_path / "database.sqlite3"),
        "SCHEDULED_TASKS_TEST_RELEASE": "new",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "['declared-by-new']"), done.stderr[-3000:]


def test_templates_are_drawn_in_a_project_without_the_admin():
    """Django imports all tags of all apps with the first template."""
    script = """
import sys
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_q", "django_scheduled_tasks"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    Q_CLUSTER={"orm": "default"},
)
import django
django.setup()
from django.template import engines
print(engines["django"].from_string("{{ word }}").render({"word": "drawn"}))
print(sorted(name for name in sys.modules if name.startswith(("django.contrib.admin", "django_scheduled_tasks.admin"))))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["drawn", "[]"], done.stderr[-3000:]


@pytest.mark.parametrize(
    ("given", "connected"),
    [({}, False), ({"PINGS": {"*": "HC"}}, True), ({"SENTRY_MONITORS": ("*",)}, True), ({"PINGS": 7}, False)],
)
def test_monitors_are_told_of_executions_if_the_settings_name_some(settings, given, connected):
    settings.SCHEDULED_TASKS = given
    try:
        _connect_monitors()
        assert execution_started.has_listeners(Execution) is connected
        assert execution_finished.has_listeners(Execution) is connected
    finally:
        monitors.disconnect()
