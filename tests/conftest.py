"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.test import TransactionTestCase
from django.utils import timezone, translation

from django_scheduled_tasks.engines.immediate import DeferredEngine
from tests import flush, profiles, selection

# No deadline, since the machine may be busy. The gate takes the same examples each time; at night they are new ones.
hypothesis.settings.register_profile("gate", deadline=None, max_examples=selection.examples(100), derandomize=True)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=selection.examples(100))
hypothesis.settings.load_profile("nightly" if selection.IS_NIGHTLY else "gate")
TransactionTestCase._fixture_teardown = flush.teardown
pytest_plugins = ["django_scheduled_tasks.testing"]


def pytest_collection_finish() -> None:
    """Let the garbage collector not look at all tests again and again, which takes a fifteenth of the time."""
    gc.set_threshold(100_000, 50, 1_000)


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """Let no test go on in the language that the last request of another one asked for, nor in its zone."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def own_memory() -> Iterator[None]:
    """Let no test count on what this process has read, or left to other schedulers, in another one."""
    from django_scheduled_tasks.services.releases import live
    from django_scheduled_tasks.services.scheduling import left, presence

    presence._web_seen_at[os.getpid()] = time.monotonic() + 86_400  # it costs the first page statements
    yield
    live.forget()
    left.forget()


@pytest.fixture(autouse=True)
def at_home() -> None:
    """Let this process take its database for one that is at home, and not ask; tests of copies ask themselves."""
    from django_scheduled_tasks.services.installation import state

    state.suppose(state.Standing())


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Begin each test with the same tables: empty ones, as those have that come after a test that commits.

    PostgreSQL does not wait for the disk at each commit: the databases of tests need not outlive a power cut.
    """
    for connection in connections.all():
        with django_db_blocker.unblock():
            flush.empty_tables(connection.alias)
        if connection.vendor == "postgresql":
            with django_db_blocker.unblock(), connection.cursor() as cursor:
                name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
                cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit TO off")
            connection.close()  # it holds for connections that are made from now on


@pytest.fixture(scope="module")
def shared_cluster(request: pytest.FixtureRequest, django_db_setup, django_db_blocker) -> Iterator[Any]:
    """Workers for all tests of a module, which may say ``WORKERS = 4`` and ``WITH_SCHEDULER = True``."""
    from tests.cluster import SHARED_LEASE, cluster, scheduler

    count = getattr(request.module, "WORKERS", 2)
    with django_db_blocker.unblock(), cluster(workers=count, settings={"LEASE": SHARED_LEASE}) as workers:
        if getattr(request.module, "WITH_SCHEDULER", False):
            with scheduler():
                yield workers
        else:
            yield workers
    # A worker that is killed leaves its presence behind, written after the last test has emptied the tables.
    with django_db_blocker.unblock():
        for alias in connections:
            flush.empty_tables(alias)


@pytest.fixture
def workers(shared_cluster, transactional_db) -> Iterator[Any]:
    """The workers of the module, for a test that leaves them alive and idle."""
    from django_scheduled_tasks.models import Execution
    from tests.cluster import wait_until

    before = shared_cluster.alive_worker_pids()
    assert before == shared_cluster.worker_pids(), shared_cluster.text()[-4000:]
    yield shared_cluster
    wait_until(lambda: not Execution.objects.open().exists(), what="all that the test has started ends")
    assert shared_cluster.alive_worker_pids() == before


@pytest.fixture
def engine(scheduled_tasks_engine) -> DeferredEngine:
    """Let executions wait until the test says ``engine.run_all()``."""
    return scheduled_tasks_engine


@pytest.fixture
def django_assert_num_queries(django_assert_num_queries) -> Any:
    """Count the statements to our database."""
    from tests.database import connection

    return partial(django_assert_num_queries, connection=connection)


@pytest.fixture
def django_assert_max_num_queries(django_assert_max_num_queries) -> Any:
    """Count the statements to our database."""
    from tests.database import connection

    return partial(django_assert_max_num_queries, connection=connection)


@pytest.fixture
def django_capture_on_commit_callbacks(django_capture_on_commit_callbacks) -> Any:
    """Capture what waits for a commit in our database."""
    from tests.database import ALIAS

    return partial(django_capture_on_commit_callbacks, using=ALIAS)


if django_settings.VARIANT == "asgi":

    @pytest.fixture
    def live_server(transactional_db) -> Iterator[Any]:
        """Serve the project with uvicorn in place of Django's own server."""
        from tests.uvicorn_server import UvicornServer

        server = UvicornServer()
        yield server
        server.stop()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run is not for, skip what needs a service that is not here; what takes long comes first."""
    chosen, left_out = [], []
    for item in items:
        is_meant = selection.is_in_scope(item) and selection.is_asked_for(config, item)
        (chosen if is_meant else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = selection.in_order(chosen)
    there = {name: answers() for name, answers in profiles.SERVICES.items()}
    for name in profiles.required():
        if not there.get(name):
            pytest.exit(f"{name} is required by SCHEDULED_TASKS_TEST_REQUIRE, and does not answer.", returncode=1)
    for item in items:
        for name, answers in there.items():
            if item.get_closest_marker(name) and not answers:
                item.add_marker(pytest.mark.skip(reason=f"no {name} on this machine"))
        if len(django_settings.DATABASES) > 1:
            _let_use_all_databases(item)


def _let_use_all_databases(item: pytest.Item) -> None:
    fixtures = getattr(item, "fixturenames", ())
    marker = item.get_closest_marker("django_db")
    if marker is not None or {"db", "transactional_db"} & set(fixtures):
        asked = {"transaction": "transactional_db" in fixtures, **(marker.kwargs if marker else {})}
        item.add_marker(pytest.mark.django_db(**{**asked, "databases": "__all__"}), append=False)
