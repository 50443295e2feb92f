"""Addresses that nobody is sent to, but anybody who may log in can type: each has an ordinary answer."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from django_scheduled_tasks import task as handle
from django_scheduled_tasks.exceptions import TaskNotFound
from django_scheduled_tasks.identifiers import BIGGEST_ID, read_number
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.services.queries.lookup import get_task
from tests.admin.pages import EXECUTIONS, TASKS
from tests.factories import make_execution, make_task, make_user
from tests.selection import first_in_gate, some_in_gate

pytestmark = pytest.mark.django_db
LONG, BIG = "9" * 5_000, "9" * 20
NUMBERS = (LONG, BIG, "%C2%B2", "%D9%A3", "-1", "%2B1", "1_0", "a%00")
"""What is no number, or too large a one."""
SOME = some_in_gate(NUMBERS, gate=lambda number: number in {BIG, "%C2%B2", "a%00"})


@pytest.fixture
def staff(client):
    client.force_login(make_user(superuser=True))
    return client


@pytest.fixture
def execution():
    return make_execution(make_task(name="one", function="testapp.noop"), status=Status.PROCESSING)


@pytest.mark.parametrize("path", [TASKS, EXECUTIONS])
@pytest.mark.parametrize("page", ["0", "-5", "2", BIG, f"-{BIG}"])
def test_a_page_that_there_is_not_leads_to_the_first(staff, execution, path, page):
    response = staff.get(f"{path}?p={page}")
    assert (response.status_code, response["Location"]) == (302, f"{path}?e=1")
    assert staff.get(f"{path}?e=1").status_code == 200


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("to=9999-12-31", 1),
        ("to=9999-12-31T23:59:59-10:00", 1),
        ("from=0001-01-01T00:00%2B10:00", 1),
        ("from=0001-01-01", 1),
        ("from=0001-01-01&to=9999-12-31", 1),
        ("to=0001-01-01", 0),
        ("from=9999-12-31", 0),
        ("from=9999-12-31&to=0001-01-01", 0),
        ("from=2020-01-01&to=nonsense", 1),
        ("task=a%00", 0),
        ("task=ONE", 1),
        *((f"p={page}", 1) for page in (LONG, "a%00", "%C2%B2")),
        *((f"q={number}", 0) for number in (LONG, BIG, "%D9%A3")),
    ],
)
@pytest.mark.parametrize("zone", first_in_gate(["America/New_York", "Asia/Tokyo", "UTC"]))
def test_the_history_answers(staff, execution, settings, zone, query, count):
    settings.TIME_ZONE = zone
    response = staff.get(f"{EXECUTIONS}?{query}")
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) == count


@pytest.mark.parametrize("number", SOME[:-1])
@pytest.mark.parametrize("page", ["change/", "live/", "log/", "cancel/"])
def test_there_is_no_execution_of_such_a_number(staff, execution, page, number):
    assert staff.get(f"{EXECUTIONS}{number}/{page}", follow=True).status_code == 404


@pytest.mark.parametrize("number", SOME)
def test_live_parts_go_on_whatever_they_are_asked(staff, execution, number):
    assert staff.get(f"{TASKS}live/?watch={number},{execution.pk}").status_code == 200
    assert f"dst-tail-{execution.pk}" in staff.get(f"{TASKS}live/?watch={number},{execution.pk}").content.decode()
    assert "1 new" in staff.get(f"{EXECUTIONS}news/?after={number}").content.decode()
    assert staff.get(f"{EXECUTIONS}{execution.pk}/live/?log={number}").status_code == 200


@pytest.mark.parametrize("path", [f"{TASKS}live/?p=2&v=x", f"{TASKS}live/?p=0", f"{EXECUTIONS}news/?p=9&after=1"])
def test_a_page_whose_rows_were_deleted_is_told_nothing_new_and_goes_on_asking(staff, execution, path):
    response = staff.get(path)
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("number", SOME)
def test_no_execution_is_run_again_by_such_a_number(staff, execution, number):
    path = f"{TASKS}{execution.task.pk}/run-once/"
    response = staff.get(f"{path}?again={number}")
    assert (response.status_code, response.context["again"]) == (200, None)
    asked = {"dst_asked": "1", "param-use_json": "on", "param-as_json": "no", "again": unquote(number)}
    response = staff.post(path, asked)
    assert (response.status_code, response.context["again"]) == (200, None)


@pytest.mark.parametrize(
    "query",
    [
        "every_0=1.0e999&every_1=60",
        "every_0=-1.0e999&every_1=60",
        f"every_0=1.5&every_1={LONG}",
        f"every_0={LONG}.0&every_1=60",
        "every_0=1.0&every_1=%C2%B2",
    ],
)
def test_the_preview_says_what_is_wrong_with_an_interval(staff, query):
    response = staff.get(f"{TASKS}preview/?schedule_kind=interval&{query}")
    assert response.status_code == 200
    assert "dst-wrong" in response.content.decode()


def test_no_name_is_completed_from_what_no_database_takes(staff, execution):
    assert b"one" in staff.get(f"{EXECUTIONS}names/?task=ON").content
    response = staff.get(f"{EXECUTIONS}names/?task=a%00")
    assert (response.status_code, response.content) == (200, b"")


def test_no_task_is_called_what_no_database_takes(execution):
    assert handle("one").run_once(overlap="allow").errors is None
    assert handle("one\x00").run_once().errors.status == 404
    with pytest.raises(TaskNotFound):
        get_task("one\x00")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        (str(BIGGEST_ID), BIGGEST_ID),
        (str(BIGGEST_ID + 1), None),
        *((text, None) for text in ("", "²", "٣", "-1", "+1", " 1", "1_0", "1.0", LONG, None)),
    ],
)
def test_a_number_is_read_from_plain_digits_only(text, number):
    assert read_number(text) == number


# --- forms that nobody has been given -----------------------------------------------------------------------------


DURATIONS = (
    "every",
    "spread",
    "grace",
    "timeout",
    "max_runtime",
    "expires_after",
    "min_backoff",
    "max_age",
    "keep_for",
)


@pytest.mark.parametrize("value", ["", "nonsense", "1", "-5m", "%00", f"{LONG}d", "0001-01-01", "9999-12-31T23:59"])
def test_the_empty_form_opens_whatever_the_address_fills_in(staff, value):
    names = (*DURATIONS, "starts_at", "ends_at", "max_runs", "params", "preview", "timezone")
    assert staff.get(f"{TASKS}add/?{'&'.join(f'{name}={value}' for name in names)}").status_code == 200


def test_an_address_may_fill_in_the_empty_form(staff):
    response = staff.get(f"{TASKS}add/?name=Nightly&timeout=90s&every=2h&starts_at=2030-01-02T03:04&ends_at=2031-01-02")
    form = response.context["adminform"].form
    assert {name: str(form[name].initial) for name in ("name", "timeout", "every", "starts_at", "ends_at")} == {
        "name": "Nightly",
        "timeout": "0:01:30",
        "every": "2:00:00",
        "starts_at": "2030-01-02 03:04:00+00:00",
        "ends_at": "2031-01-02 00:00:00+00:00",
    }


ACTIONS = [
    *((TASKS, name) for name in ("run_selected", "pause_selected", "resume_selected", "delete_selected")),
    *((EXECUTIONS, name) for name in ("run_again_selected", "cancel_selected", "delete_selected")),
]


@pytest.mark.parametrize(("path", "action"), ACTIONS)
def test_what_no_row_can_have_as_its_key_is_not_selected(staff, execution, path, action):
    for key in ("", "x", "-1", "٣", "1\x00", BIG, LONG, "{}", "00000000-0000-0000-0000-00000000000g"):
        response = staff.post(path, {"action": action, "_selected_action": [key, key], "post": "yes", "dst_asked": "1"})
        assert response.status_code in {200, 302}, key
    execution.refresh_from_db()
    assert (execution.status, execution.cancel_requested_at) == (Status.PROCESSING, None)


def test_what_is_selected_beside_it_is_handled_all_the_same(staff, execution):
    staff.post(EXECUTIONS, {"action": "cancel_selected", "_selected_action": ["x", str(execution.pk)]})
    execution.refresh_from_db()
    assert execution.cancel_requested_at is not None


# --- texts to search for ------------------------------------------------------------------------------------------


AUTOCOMPLETE = "/admin/autocomplete/?app_label=django_scheduled_tasks&model_name=execution&field_name=task&term="


@pytest.mark.parametrize("text", ["a" * 60_000, "a+" * 3_000, "%25" * 30_000, '"a+' * 2_000, "%F0%9F%98%80" * 20_000])
@pytest.mark.parametrize(
    "path",
    [f"{TASKS}?q=", f"{TASKS}live/?q=", f"{EXECUTIONS}?q=", f"{EXECUTIONS}news/?q=", f"{EXECUTIONS}names/?task="],
)
def test_a_text_that_is_too_long_is_found_nowhere(staff, execution, path, text):
    response = staff.get(f"{path}{text}")
    assert response.status_code in {200, 204}
    assert b"one" not in response.content.partition(b'id="result_list"')[2]


@pytest.mark.parametrize("text", ["a" * 60_000, "a+" * 3_000, "%00"])
@pytest.mark.parametrize("field", ["task", "rerun_of"])
def test_nor_does_djangos_own_completion_fail_over_it(staff, execution, text, field):
    assert staff.get(f"{AUTOCOMPLETE.replace('=task', f'={field}')}{text}").json()["results"] == []
