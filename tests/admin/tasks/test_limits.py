"""The limits of a task in words: one pure function, shown by the form and by its live preview."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.admin.tasks.form.limits import GROUPS, HELP, Limits, in_words, limits_from
from django_scheduled_tasks.models import ScheduledTask, frozen_at
from tests.admin.pages import TASKS
from tests.factories import EDITOR, make_task

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("given", "group", "said"),
    [
        ({}, "retries", "Tries once. If its worker is lost, it has failed."),
        (
            {"max_attempts": 3, "min_backoff": 17 * SECOND, "pause_after_failures": 2},
            "retries",
            "Tries 3 times over about 51 s, then pauses after 2 failures. If its worker is lost, it has failed.",
        ),
        (
            {"max_attempts": 1_000, "max_age": timedelta(hours=1), "on_worker_lost": "retry"},
            "retries",
            "Tries up to 1,000 times within 1 h. If its worker is lost, it is tried again.",
        ),
        ({"pause_after_failures": 1}, "retries", "Tries once, then pauses after 1 failure."),
        ({}, "overlap", "Skips a run while another one is open."),
        ({"overlap": "allow"}, "overlap", "Runs side by side, any number of them."),
        (
            {"overlap": "queue_all", "concurrency_group": "erp"},
            "overlap",
            "Lets all runs wait for one another, one at a time. Never runs beside other tasks of the group “erp”.",
        ),
        ({}, "time", "Runs for as long as it takes."),
        (
            {"timeout": 90 * SECOND, "expires_after": timedelta(hours=2)},
            "time",
            "Stops after 1 min 30 s. Gives up when it has waited 2 h for a worker.",
        ),
        ({}, "late", "Starts the newest of those that were due while no scheduler ran, until the next one is due."),
        (
            {"catch_up": "all", "grace": timedelta(minutes=5)},
            "late",
            "Starts all that were due while no scheduler ran, oldest first, up to 5 min late.",
        ),
        (
            {"catch_up": "all"},
            "late",
            "Starts all that were due while no scheduler ran, oldest first, at most the 100 newest.",
        ),
        (
            {"catch_up": "all", "overlap": "cancel_running"},
            "late",
            "Starts the newest of those that were due while no scheduler ran, until the next one is due.",
        ),
        (
            {"catch_up": "none"},
            "late",
            "Starts none of those that were due while no scheduler ran: what is found over 10 s late is missed.",
        ),
        (
            {"catch_up": "none", "grace": SECOND},
            "late",
            "Starts none of those that were due while no scheduler ran: what is found over 1 s late is missed.",
        ),
        (
            {"keep_last": 5, "keep_for": timedelta(days=2), "log_level": "ERROR"},
            "history",
            "Keeps the last 5 runs for 2 d at most, and of their logs the lines from ERROR on.",
        ),
        ({}, "history", "Keeps the last 1,000 runs for 30 d at most, and of their logs the lines from INFO on."),
    ],
)
def test_limits_are_read_back_in_words(given, group, said):
    assert in_words(Limits(**given))[group].startswith(said)


def test_what_is_typed_is_read_and_what_is_no_value_counts_as_the_default():
    typed = {"max_attempts": "3", "min_backoff_0": "17", "min_backoff_1": "1", "timeout_0": "2", "timeout_1": "60"}
    found = limits_from(typed | {"keep_last": "many", "max_doublings": "99999999999", "overlap": "sometimes"})
    assert found == Limits(max_attempts=3, min_backoff=17 * SECOND, timeout=timedelta(minutes=2), overlap="sometimes")
    assert in_words(found)["overlap"] == ""
    assert limits_from({}) == Limits()


def test_the_defaults_are_those_of_the_model():
    task = ScheduledTask()
    assert all(getattr(task, name) == value for name, value in vars_of(Limits()).items())
    assert {name for _label, names in GROUPS.values() for name in names} == HELP.keys() - {"spread"} | {"retry_on"}


def vars_of(limits):
    return {name: getattr(limits, name) for name in Limits.__dataclass_fields__}


@pytest.mark.django_db
def test_the_form_shows_them_with_a_sentence_and_the_default_of_each(page_of):
    task = make_task(max_attempts=3, pause_after_failures=2)
    page = page_of(f"{TASKS}{task.pk}/change/", *EDITOR)
    assert "Tries 3 times over about 30 s, then pauses after 2 failures." in page
    for group in ("Overlap", "Time", "Retries", "Late runs", "History"):
        assert f"Limits · {group}" in page
    assert "A run that takes longer is stopped and has failed. Default: none." in page
    assert "It never waits longer than this between two attempts. Default: 5 min." in page
    assert "counted apart. Default: 1,000." in page
    assert "is still open. Default: Skip the new one." in page


@pytest.mark.django_db
def test_the_live_preview_reads_them_back_and_escapes_what_is_typed(page_of):
    typed = "max_attempts=4&concurrency_group=<b>&schedule_kind=manual"
    said = page_of(f"{TASKS}preview/?{typed}", *EDITOR)
    assert 'hx-swap-oob="innerHTML:#dst-limits"' in said
    assert "Tries 4 times over about 1 min 10 s" in said
    assert "&lt;b&gt;" in said
    assert "<b>" not in said


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Without a scheduler for the next hour 4 runs would be due: 1 starts, 3 are missed."),
        ({"catch_up": "all"}, "4 runs would be due: 4 start, one after the other."),
        ({"catch_up": "all", "overlap": "allow"}, "4 runs would be due: 4 start."),
        ({"catch_up": "all", "overlap": "cancel_running"}, "4 runs would be due: 1 starts, 3 are skipped."),
        ({"catch_up": "none", "grace": 5 * SECOND}, "4 runs would be due: 1 starts, 3 are missed."),
        ({"expression": "30d"}, "Without a scheduler for the next hour no run would be missed: none is due."),
        ({"schedule_kind": "manual", "expression": ""}, ""),
    ],
)
def test_the_form_says_what_an_hour_without_a_scheduler_would_do(page_of, values, said):
    values = {"schedule_kind": "interval", "expression": "15m"} | values
    task = make_task(**values)
    with frozen_at(task.created_at + 30 * SECOND if values["expression"] == "30d" else task.created_at):
        page = page_of(f"{TASKS}{task.pk}/change/", *EDITOR)
    assert said in page
    assert said or "Without a scheduler" not in page
