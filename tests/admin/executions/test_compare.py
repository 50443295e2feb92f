"""Two executions side by side."""

from __future__ import annotations

import re

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ExecutionLog, read_now
from tests.admin.pages import EXECUTIONS
from tests.factories import LOG_VIEWER, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> tuple[Execution, Execution]:
    task = make_task(function="testapp.add", params={"a": 1})
    done = make_execution(task, status=Status.COMPLETED, params={"a": 1, "b": 2}, result={"rows": [1, 2]})
    failed = make_execution(task, status=Status.ERRORS, params={"a": "<i>", "b": 2}, error_message="It broke.")
    for execution, lines in ((done, ["begin", "same", "end"]), (failed, ["begin", "<b>other", "same"])):
        for number, message in enumerate(lines, start=1):
            at = read_now()
            ExecutionLog.objects.create(execution=execution, number=number, logged_at=at, level="INFO", message=message)
    return done, failed


def marked(page: str) -> list[str]:
    """Return the lines that are marked, with their marks."""
    found = re.findall(r"<(?:del|ins)><b>(.)</b> (.*?)</(?:del|ins)>", page)
    return [f"{mark} {text}" for mark, text in found]


def test_what_differs_is_marked_and_the_earlier_one_stands_first(page_of, pair):
    done, failed = pair
    page = page_of(f"{EXECUTIONS}{failed.pk}/compare/?with={done.pk}", *LOG_VIEWER)
    assert page.index(f"Execution #{done.pk}</a>") < page.index(f"Execution #{failed.pk}</a> <span")
    lines = marked(page)
    assert [line for line in lines if line in {"− 1", "+ &quot;&lt;i&gt;&quot;"}] == ["− 1", "+ &quot;&lt;i&gt;&quot;"]
    assert "+ INFO &lt;b&gt;other" in lines
    assert "− INFO end" in lines
    assert not any("same" in line for line in lines)
    assert any(line.startswith("− ") and "rows" in line for line in lines)
    assert page_of(f"{EXECUTIONS}{done.pk}/compare/?with=%23{failed.pk}", *LOG_VIEWER).count("<del>") == page.count(
        "<del>"
    )


def test_without_a_number_it_is_the_last_success_before(page_of, pair):
    done, failed = pair
    assert f"Execution #{done.pk}</a>" in page_of(f"{EXECUTIONS}{failed.pk}/compare/", *VIEWER)
    assert "It has never succeeded." in page_of(f"{EXECUTIONS}{done.pk}/compare/", *VIEWER)


@pytest.mark.parametrize("asked", ["999999", "x", "<b>"])
def test_what_is_not_there_is_said(page_of, pair, asked):
    page = page_of(f"{EXECUTIONS}{pair[1].pk}/compare/?with={asked}", *VIEWER)
    assert "There is no execution #" in page
    assert "<b>." not in page
    assert "This is the same execution." in page_of(f"{EXECUTIONS}{pair[1].pk}/compare/?with={pair[1].pk}", *VIEWER)


def test_logs_results_and_messages_are_for_those_who_may_see_logs(page_of, pair):
    done, failed = pair
    page = page_of(f"{EXECUTIONS}{failed.pk}/compare/?with={done.pk}", *VIEWER)
    assert "Log and result are for those who may see logs." in page
    for text in ("begin", "rows", "It broke."):
        assert text not in page


def test_secrets_are_masked_on_both_sides(page_of):
    task = make_task(function="testapp.secretive", params={"password": "pa55word"})
    one, other = (make_execution(task, params={"password": text}) for text in ("pa55word", "s3cret"))
    page = page_of(f"{EXECUTIONS}{other.pk}/compare/?with={one.pk}", *LOG_VIEWER)
    assert "pa55word" not in page
    assert "s3cret" not in page
    assert "••••••••" in page


def test_of_long_logs_the_beginning_is_compared(page_of, pair):
    done, failed = pair
    rows = [
        ExecutionLog(execution=done, number=number, logged_at=read_now(), level="INFO", message=f"{number}" * 100)
        for number in range(10, 1500)
    ]
    ExecutionLog.objects.bulk_create(rows)
    page = page_of(f"{EXECUTIONS}{failed.pk}/compare/?with={done.pk}", *LOG_VIEWER)
    assert "Only the beginning of the logs is compared." in page
    assert len(page) < 400_000


def test_its_statements_are_few(client, pair, django_assert_max_num_queries):
    client.force_login(make_user(*LOG_VIEWER))
    done, failed = pair
    client.get(f"{EXECUTIONS}{failed.pk}/compare/?with={done.pk}")
    with django_assert_max_num_queries(14):
        client.get(f"{EXECUTIONS}{failed.pk}/compare/?with={done.pk}")
