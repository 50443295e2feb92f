"""Which releases run, and what they know."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.models import Presence, PresenceKind, frozen_at, read_now
from django_scheduled_tasks.services.releases import live, own
from tests.factories import make_release

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_another_release_counts_as_long_as_a_process_of_it_is_seen(django_assert_num_queries):
    make_release(functions=["shop.new"])
    seen = live.alive()
    assert seen.knows_function("shop.new")
    assert not seen.knows_function("shop.old")
    assert seen.functions() == {"shop.new"}
    with django_assert_num_queries(2):
        live.alive()
    with frozen_at(read_now() + timedelta(minutes=1)):
        assert not live.alive().knows_function("shop.new")
        assert live.seen_within(timedelta(minutes=5)).knows_function("shop.new")


def test_the_release_of_this_process_is_none_of_the_others():
    own.ensure_written()
    Presence.objects.create(
        kind="worker", identity="w", host="h", release=own.own_key(), started_at=read_now(), last_seen_at=read_now()
    )
    assert live.alive().others == ()


def test_a_release_that_migrate_has_made_known_counts_for_a_while():
    make_release(functions=["shop.new"], kind=None, first_seen_at=read_now())
    assert live.alive().knows_function("shop.new")
    with frozen_at(read_now() + timedelta(minutes=3)):
        assert not live.seen_within(timedelta(minutes=2)).knows_function("shop.new")


@pytest.mark.parametrize(("kind", "expected"), [("worker", True), ("scheduler", True), ("web", False)])
def test_a_process_of_an_older_version_may_know_anything(kind, expected):
    Presence.objects.create(kind=kind, identity="old", host="h", started_at=read_now(), last_seen_at=read_now())
    seen = live.alive()
    assert seen.has_silent is expected
    assert seen.knows_function("whatever") is expected
    assert seen.declares("whatever") is expected


def test_which_tasks_are_declared():
    make_release(declared={"nightly": "digest", "old name": "formerly:nightly"})
    seen = live.alive()
    assert seen.declares("Nightly")
    assert not seen.declares("old name")


def test_parameters_fit_into_another_signature():
    signature = {"digest": "other", "required": ["a"], "optional": ["b"], "more": False}
    make_release(functions={"testapp.add": signature})
    seen = live.alive()
    assert seen.takes("testapp.add", {"a": 1})
    assert seen.takes("testapp.add", {"a": 1, "b": 2})
    assert not seen.takes("testapp.add", {"b": 2})
    assert not seen.takes("testapp.add", {"a": 1, "c": 2})
    assert not seen.takes("testapp.noop", {})


def test_the_same_signature_takes_nothing_that_does_not_fit_here():
    make_release(functions=own.own().functions)
    assert not live.alive().takes("testapp.add", {"a": 1})


def test_who_may_read_a_schedule():
    make_release(schedule_kinds=["cron", "moon"])
    seen = live.alive()
    assert seen.may_read("moon")
    assert not seen.may_read("sun")
    assert not seen.may_read("cron", zone_is_absent=True), "it has the same time zone data"
    make_release(versions={"tzdata": "2031a"})
    assert live.alive().may_read("cron", zone_is_absent=True)


def test_pages_ask_rarely(django_assert_num_queries):
    live.alive_lately()
    with django_assert_num_queries(0):
        live.alive_lately()


def test_when_a_release_was_seen_first():
    release = make_release(kind=PresenceKind.WEB)
    assert live.first_seen_at(release.key) == release.first_seen_at
    assert live.first_seen_at("unknown") is None
