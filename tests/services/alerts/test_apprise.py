"""The library apprise, with one of its own kinds, against servers that answer, hang, fail, redirect and close."""

from __future__ import annotations

import json
import logging
import sys

import apprise
import pytest

from django_scheduled_tasks.channels import Message, NotDelivered, Target
from django_scheduled_tasks.services.alerts.channels import deliver
from django_scheduled_tasks.services.alerts.edit_rules import channel_errors
from tests.services.alerts.receivers import CLOSE, ERROR, HANG, REDIRECT

SECRET = "hunter2"
FINE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


def message(kind="alert.opened"):
    return Message("id-1", "Failing: digest", "Execution #7 failed.\n<b> *x*", {"type": kind})


def send(name="CHAT_URL", kind="alert.opened"):
    return deliver(Target(1, "chat", "apprise", "", name), message(kind))


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """Load all of apprise, which takes as long as a channel has here."""
    apprise.Apprise().add("json://localhost")


@pytest.fixture
def chat(serve, monkeypatch):
    """Start a server, and let an environment variable hold a URL of apprise's that leads to it."""

    def start(answer=FINE, scheme="json", rest=""):
        server = serve(answer)
        monkeypatch.setenv("CHAT_URL", f"{scheme}://user:{SECRET}@127.0.0.1:{server.port}/{SECRET}{rest}")
        return server

    return start


@pytest.mark.parametrize(
    ("event", "kind"),
    [("opened", "failure"), ("closed", "success"), ("reminder", "warning"), ("digest", "warning"), ("test", "info")],
)
def test_it_takes_subject_and_text_and_knows_good_from_bad(chat, event, kind):
    server = chat()
    assert send(kind=f"alert.{event}") == "Taken."
    ((line, _headers, body),) = server.requests
    found = json.loads(body)
    assert line.startswith(f"POST /{SECRET}")
    assert (found["title"], found["type"]) == ("Failing: digest", kind)
    assert found["message"].startswith("Execution #7 failed.")


def test_ntfy(chat):
    server = chat(scheme="ntfy")
    assert send() == "Taken."
    assert b"Execution #7 failed." in server.requests[0][2]


def test_of_an_alert_pagerduty_makes_one_incident_that_ends_with_it(limited, monkeypatch):
    sent = []

    class Accepted:
        status_code = 202

    monkeypatch.setattr("requests.post", lambda _url, data, **_options: sent.append(json.loads(data)) or Accepted())
    monkeypatch.setenv("CHAT_URL", f"pagerduty://{'a' * 32}@{'b' * 20}")
    for kind, number in [("opened", 42), ("reminder", 42), ("closed", 42), ("digest", None)]:
        payload = {"type": f"alert.{kind}", **({"id": number} if number else {})}
        told = Message("id-1", "subject", "text", payload)
        assert deliver(Target(1, "pager", "apprise", "", "CHAT_URL"), told) == "Taken."
    assert [(one["event_action"], one.get("dedup_key")) for one in sent] == [
        ("trigger", "alert 42"),
        ("trigger", "alert 42"),
        ("resolve", "alert 42"),
        ("trigger", None),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [(ERROR, "HTTP 500"), (REDIRECT, "HTTP 302"), (CLOSE, "Not taken."), (HANG, "No answer in time.")],
    ids=["an error", "a redirect", "it closes", "it hangs"],
)
def test_what_is_no_success_is_said_and_the_url_never_is(chat, caplog, answer, said):
    caplog.set_level(logging.DEBUG)
    elsewhere = chat()
    server = chat(answer % elsewhere.port if answer == REDIRECT else answer)
    with pytest.raises(NotDelivered, match=f"^{said}$") as caught:
        send()
    assert len(server.requests) == 1
    assert elsewhere.requests == [], "a redirect is not followed"
    told = f"{caplog.text}{caught.value!r}{caught.value.__context__!r}{caught.value.__cause__!r}"
    assert SECRET not in told
    assert str(server.port) not in told


def test_one_of_several_that_does_not_take_it_is_no_success(chat, monkeypatch, settings):
    bad, fine = chat(ERROR), chat()
    settings.CHAT_URLS = f"json://127.0.0.1:{fine.port}, json://127.0.0.1:{bad.port}"
    with pytest.raises(NotDelivered, match="^HTTP 500$"):
        send("CHAT_URLS")
    assert len(fine.requests) == 1


def test_what_others_send_through_apprise_is_logged_as_ever(chat, caplog):
    server = chat(ERROR)
    with pytest.raises(NotDelivered):
        send()
    assert "apprise" not in {record.name for record in caplog.records}
    sender = apprise.Apprise()
    sender.add(f"json://127.0.0.1:{server.port}")
    assert not sender.notify("x")
    assert "apprise" in {record.name for record in caplog.records}


@pytest.mark.parametrize("url", [f"nonsense://{SECRET}", SECRET, "://", "slack://", f"postgres://a:{SECRET}@b/c"])
def test_what_is_no_url_of_apprises_is_not_quoted(monkeypatch, caplog, url):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CHAT_URL", url)
    with pytest.raises(NotDelivered, match="^apprise knows no such URL as the one in CHAT_URL.$"):
        send()
    assert SECRET not in caplog.text


def test_without_the_library_it_says_what_to_install(monkeypatch, chat):
    chat()
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotDelivered, match=r"pip install django-scheduled-tasks-q2\[apprise\]"):
        send()


def test_a_url_is_named_and_never_typed():
    def errors(**values):
        return [(error.field, error.message) for error in channel_errors({"kind": "apprise", **values})]

    assert errors(secret_name="SLACK_URL") == []
    assert errors(secret_name="SLACK_URL", address="slack://a/b/c")[0][0] == "address"
    assert errors() == [("secret_name", "Which setting or environment variable holds the URL?")]
    assert "never the secret itself" in errors(secret_name="slack://a/b/c")[0][1]
