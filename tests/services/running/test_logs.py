"""Writing and reading log lines; texts without secrets."""

from __future__ import annotations

import json
import string
from urllib.parse import quote, quote_plus

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.running.logs import LogLine
from django_scheduled_tasks.services.running.redaction import CUT, Masker, storable
from tests.factories import make_execution

pytestmark = pytest.mark.every_database


def line(message: str, *, level: str = "INFO", logger: str = "x") -> LogLine:
    return LogLine(read_now(), level, logger, message)


@pytest.mark.django_db
def test_lines_are_numbered_and_read_page_by_page():
    execution = make_execution()
    assert logs.write(execution, [line("a"), line("b")], first=1) == 3
    assert logs.write(execution, [line("c")], first=3) == 4
    logs.append(execution, level="ERROR", message="d", logged_at=read_now())
    assert [one.message for one in logs.lines_after(execution)] == ["a", "b", "c", "d"]
    assert [one.number for one in logs.lines_after(execution, 2)[:1]] == [3]
    assert logs.used(execution) == logs.Used(4, 4)
    assert logs.used(make_execution()) == logs.Used(0, 0)


@pytest.mark.django_db
def test_numbers_that_another_attempt_has_taken_are_passed_over():
    execution = make_execution()
    logs.write(execution, [line("new"), line("new")], first=1)
    execution.attempt = 2
    assert logs.write(execution, [line("old"), line("old")], first=2) == 5
    assert list(execution.logs.values_list("number", "attempt", "message")) == [
        (1, 1, "new"),
        (2, 1, "new"),
        (3, 2, "old"),
        (4, 2, "old"),
    ]


@pytest.mark.django_db(transaction=True)
def test_lines_of_an_execution_that_is_gone_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(logs, "used", lambda _execution: pytest.fail("no other number helps"))
    execution = make_execution()
    pk = execution.pk
    execution.delete()
    execution.pk = pk
    with pytest.raises(IntegrityError):
        logs.write(execution, [line("a")], first=1)


@pytest.mark.django_db
def test_whatever_was_logged_can_be_stored():
    execution = make_execution()
    logs.write(execution, [line("a\x00b\ud800c", level="L" * 99, logger="l" * 999)], first=1)
    assert execution.logs.get().message == "a\ufffdb?c"


@given(text=st.text(), limit=st.integers(40, 200))
def test_a_stored_text_is_never_longer_than_allowed(text, limit):
    stored = storable(text * 10, limit)
    assert len(stored.encode()) <= limit
    assert "\x00" not in stored
    assert CUT in stored or len((text * 10).encode("utf-8", "replace")) <= limit


@given(secret=st.text(alphabet=string.printable, min_size=1, max_size=30))
def test_a_secret_is_taken_out_in_every_form(secret):
    mask = Masker([secret])
    for written in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret), quote_plus(secret)):
        masked = mask(f"«{written}»")
        assert written not in masked
        assert MASK in masked


def test_of_two_secrets_the_longer_goes_first_and_lines_go_one_by_one():
    mask = Masker(["abc", "abcdef", "-----BEGIN KEY-----\nMIIBOgIBAAJB\n}"])
    assert mask("abcdef abc") == f"{MASK} {MASK}"
    assert mask("line: MIIBOgIBAAJB }") == f"line: {MASK} }}"
    assert mask.json({"abc": ["x abc", 3, None]}) == {MASK: [f"x {MASK}", 3, None]}
    assert Masker().json({"a": "b"}) == {"a": "b"}
    assert Masker()("a") == "a"
