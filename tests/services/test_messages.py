"""What is stored is English; what is shown is in the reader's language."""

from __future__ import annotations

import pytest
from django.utils import translation

from django_scheduled_tasks.exceptions import FunctionNotRegistered
from django_scheduled_tasks.services import messages


@pytest.fixture
def marked(monkeypatch):
    """A language in which each sentence is in brackets."""
    monkeypatch.setattr(messages, "_", lambda text: f"[{text}]")


def test_a_stored_sentence_is_translated_with_its_values(marked):
    text = messages.WORKER_LOST % {"worker": "web-1"}
    assert messages.in_words(text) == "[The worker (web-1) stopped answering.]"


def test_a_sentence_within_a_sentence_is_translated_too(marked):
    text = messages.NOT_YIELDED % {"reason": messages.TIMED_OUT % {"number": "300"}}
    assert messages.in_words(text) == (
        "[[It did not end within its time limit of 300 s.] It did not yield, so its worker was ended.]"
    )


def test_what_is_not_ours_stays_as_it_is(marked):
    assert messages.in_words("The worker is a bee.") == "The worker is a bee."


def test_that_of_a_function_that_is_gone_is_the_errors_own():
    with translation.override(None):
        stored = FunctionNotRegistered("shop.old").message
    assert stored == messages.FUNCTION_GONE % {"function": "shop.old"}


@pytest.mark.parametrize("template", messages._ALL)
def test_each_template_is_found_again_in_its_sentence(template, marked):
    values = {
        name: f"<{name}>"
        for name in ("worker", "host", "number", "reason", "count", "function", "late", "grace", "nominal", "days")
    } | {name: f"<{name}>" for name in ("since", "until", "user", "sentence")}
    assert messages.in_words(template % {**values, "limit": "10s"}).startswith("[")
