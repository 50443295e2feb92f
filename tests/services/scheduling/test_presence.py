"""Which schedulers and workers there are."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError

from django_scheduled_tasks import __version__
from django_scheduled_tasks.engines import Cluster
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.models import Presence, PresenceKind, Release, frozen_at, read_now
from django_scheduled_tasks.services.scheduling import presence

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_being_seen_again_keeps_one_row_and_costs_one_statement(django_assert_num_queries):
    assert presence.seen(PresenceKind.WORKER)
    first = Presence.objects.get()
    assert (first.kind, first.host, first.pid, first.version) == ("worker", HOST, None, __version__)
    with django_assert_num_queries(2):  # another process of this host may have written it
        assert not presence.seen(PresenceKind.WORKER)
    with django_assert_num_queries(1):  # and one that looks first does not try to write
        assert not presence.seen(PresenceKind.WORKER, look_first=True)
    assert Presence.objects.get().last_seen_at == first.last_seen_at
    later = read_now() + timedelta(seconds=20)
    with frozen_at(later), django_assert_num_queries(1):
        assert presence.seen(PresenceKind.WORKER)
    again = Presence.objects.get()
    assert again.started_at == first.started_at
    assert again.last_seen_at > first.last_seen_at
    much_later = later + timedelta(minutes=1)
    with frozen_at(much_later):  # it was away in between
        presence.seen(PresenceKind.WORKER)
    assert Presence.objects.get().started_at == much_later


def test_each_presence_says_which_release_it_is_and_the_release_has_a_row(settings):
    presence.seen(PresenceKind.WORKER)
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"RELEASE": "2.0"}
    presence.seen(PresenceKind.WORKER)
    presence.seen(PresenceKind.SCHEDULER)
    keys = {row.release for row in Presence.objects.all()}
    assert Presence.objects.filter(kind=PresenceKind.WORKER).count() == len(keys) == 2
    assert Release.objects.filter(pk__in=keys).count() == 2
    assert Release.objects.filter(pk__in=keys, name="2.0").count() == 1


def test_a_web_process_is_seen_but_rarely_and_never_fails_for_it(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(presence, "_web_seen_at", {})
    presence.seen_as_web()
    assert Presence.objects.get().kind == PresenceKind.WEB
    assert not presence.was_seen()
    with django_assert_num_queries(0):
        presence.seen_as_web()

    def fail(*_arguments: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(presence, "seen", fail)
    monkeypatch.setattr(presence, "_web_seen_at", {})
    presence.seen_as_web()


def test_who_was_not_seen_for_a_while_is_gone():
    presence.seen(PresenceKind.SCHEDULER)
    assert presence.is_alive(PresenceKind.SCHEDULER)
    assert not presence.is_alive(PresenceKind.WORKER)
    seen_at = presence.last_seen(PresenceKind.SCHEDULER)
    with frozen_at(seen_at + timedelta(seconds=31)):
        assert not presence.is_alive(PresenceKind.SCHEDULER)
    assert presence.last_seen(PresenceKind.WORKER) is None


def test_a_scheduler_that_ends_says_so_and_workers_stay():
    presence.seen(PresenceKind.SCHEDULER)
    presence.seen(PresenceKind.WORKER)
    presence.ends(PresenceKind.SCHEDULER, pid=os.getpid())
    assert not presence.is_alive(PresenceKind.SCHEDULER)
    assert presence.is_alive(PresenceKind.WORKER)
    assert presence.last_seen(PresenceKind.SCHEDULER) is not None
    presence.seen(PresenceKind.SCHEDULER)  # one with the same process id
    assert presence.is_alive(PresenceKind.SCHEDULER)


def test_what_was_not_seen_for_long_is_forgotten():
    presence.seen(PresenceKind.WORKER)
    with frozen_at(read_now() + timedelta(hours=23)):
        assert presence.forget_old() == 0  # the page Workers shows who went within a day
    with frozen_at(read_now() + timedelta(hours=25)):
        assert presence.forget_old() == 1
    assert not Presence.objects.exists()


def test_two_that_are_seen_for_the_first_time_at_once_share_a_row(monkeypatch):
    presence.seen(PresenceKind.SCHEDULER)
    monkeypatch.setattr(type(Presence.objects.all()), "update", lambda *_args, **_values: 0)
    assert not presence.seen(PresenceKind.SCHEDULER)
    assert Presence.objects.count() == 1


def test_a_row_that_the_database_refuses_for_another_reason_is_an_error(monkeypatch):
    monkeypatch.setattr(presence, "__version__", None)
    with pytest.raises(IntegrityError):
        presence.seen(PresenceKind.SCHEDULER)


@pytest.mark.parametrize(
    ("interval", "timeout", "seconds"), [(10, 30, 10), (5, 30, 12.5), (2, 30, 14), (5, 12, 5), (1, 3, 1)]
)
def test_who_leaves_it_to_another_process_is_there_before_the_host_counts_as_gone(settings, interval, timeout, seconds):
    given = {"PRESENCE_INTERVAL": timedelta(seconds=interval), "PRESENCE_TIMEOUT": timedelta(seconds=timeout)}
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | given
    wait = presence.look_again_after().total_seconds()
    assert wait == seconds
    assert interval <= wait
    assert wait + interval < timeout


def test_where_the_clock_was_set_back_who_is_there_says_so_at_once_and_who_is_gone_is_not_there_for_long():
    ahead = read_now() + timedelta(hours=1)
    with frozen_at(ahead):
        presence.seen(PresenceKind.WORKER)
    assert Presence.objects.get().last_seen_at == ahead
    assert presence.seen(PresenceKind.WORKER)
    assert Presence.objects.get().last_seen_at < ahead - timedelta(minutes=59)


ONE, OTHER = Cluster("a1", 4121, 2), Cluster("b2", 977, 4)


def test_each_cluster_of_a_host_has_a_row_with_its_processes_and_its_clock():
    assert presence.seen(PresenceKind.WORKER, queue="reports", cluster=ONE)
    assert presence.seen(PresenceKind.WORKER, queue="reports", cluster=OTHER)
    assert not presence.seen(PresenceKind.WORKER, queue="reports", cluster=ONE), "another process of it was seen"
    assert set(Presence.objects.values_list("pid", "processes")) == {(4121, 2), (977, 4)}
    with frozen_at(read_now() + timedelta(seconds=41)):
        assert presence.seen(PresenceKind.WORKER, queue="reports", cluster=ONE)
    row = Presence.objects.get(pid=4121)
    assert timedelta(seconds=40) < row.clock_behind < timedelta(seconds=42)


def test_a_cluster_that_ends_is_asked_first_and_is_gone_at_once_and_another_one_of_the_host_stays():
    for cluster in (ONE, OTHER):
        presence.seen(PresenceKind.WORKER, cluster=cluster)
    presence.ends(PresenceKind.WORKER, pid=ONE.pid, has_ended=False)
    row = Presence.objects.get(pid=ONE.pid)
    assert row.ending_at is not None
    assert not row.ended_well
    assert Presence.objects.filter(kind=PresenceKind.WORKER).alive().count() == 2
    presence.ends(PresenceKind.WORKER, pid=ONE.pid)
    assert Presence.objects.get(pid=ONE.pid).ended_well
    assert [one.pid for one in Presence.objects.alive()] == [OTHER.pid]


def test_a_scheduler_that_comes_back_with_the_same_process_id_has_not_ended():
    presence.seen(PresenceKind.SCHEDULER)
    presence.ends(PresenceKind.SCHEDULER, pid=os.getpid())
    assert Presence.objects.get().ended_well
    presence.seen(PresenceKind.SCHEDULER)
    assert not Presence.objects.get().ended_well


def test_of_clusters_that_come_and_go_on_a_host_the_last_few_are_kept(monkeypatch):
    monkeypatch.setattr(presence, "KEPT", 2)
    for number in range(5):
        presence.seen(PresenceKind.WORKER, cluster=Cluster(f"c{number}", number, 1))
        presence.ends(PresenceKind.WORKER, pid=number)
    presence.seen(PresenceKind.WORKER, queue="other")
    assert set(Presence.objects.filter(queue="").values_list("pid", flat=True)) == {2, 3, 4}


def test_long_names_of_hosts_and_queues_do_not_make_two_the_same(monkeypatch):
    monkeypatch.setattr(presence, "HOST", "h" * 190)
    assert presence.seen(PresenceKind.WORKER, queue="a")
    assert presence.seen(PresenceKind.WORKER, queue="b")
    assert Presence.objects.count() == 2
