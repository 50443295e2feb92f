"""What holds for channels of each kind: a deadline for all of it, kinds of a project, and a certificate authority."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from datetime import timedelta

import pytest
import trustme

from django_scheduled_tasks import channels
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.channels import (
    ChannelKind,
    InvalidChannel,
    Message,
    NotDelivered,
    Target,
    channel_kinds,
    register_channel_kind,
)
from django_scheduled_tasks.models import AlertRule, Channel, Notice
from django_scheduled_tasks.services.alerts.channels import deadline, deliver
from django_scheduled_tasks.services.alerts.edit_rules import channel_choices, channel_errors
from django_scheduled_tasks.services.alerts.telling.sender import Sender
from tests.cluster import wait_until
from tests.factories import make_task
from tests.services.alerts.help import BAD, end, looking, make_channel, make_rule
from tests.services.alerts.receivers import CLOSE, ERROR, HANG, OK, REDIRECT

pytestmark = pytest.mark.every_database
MESSAGE = Message("id-1", "subject", "text", {"type": "alert.test"})


def target(kind="webhook", address="", secret_name="", number=1):
    return Target(number, "x", kind, address, secret_name)


@pytest.fixture
def own_kinds(monkeypatch):
    """Let kinds that a test registers be gone after it."""
    monkeypatch.setattr(channels, "_KINDS", dict(channels._KINDS))


@pytest.fixture
def slow():
    """Return what hangs until the test is over."""
    over = threading.Event()
    yield lambda *_arguments, **_named: over.wait(30)
    over.set()


# --- a deadline for all of it


def test_a_search_for_an_address_that_hangs_is_given_up_in_time(serve, monkeypatch, slow):
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(NotDelivered, match="^No answer in time.$"):
        deliver(target(address="http://example.com/"), MESSAGE)


def test_tries_that_hang_do_not_pile_up_and_those_of_another_channel_go_on(limited, monkeypatch, slow):
    monkeypatch.setattr(deadline, "_running", {})
    for _ in range(deadline.MOST_HUNG):
        with pytest.raises(TimeoutError):
            deadline.within(0.01, slow, key=1)
    with pytest.raises(NotDelivered, match="^3 tries have not ended yet.$"):
        deadline.within(0.01, slow, key=1)
    assert deadline.within(5, lambda: "fine", key=2) == "fine"
    slow.__closure__[0].cell_contents.set()
    wait_until(lambda: not any(thread.is_alive() for thread in deadline._running[1]), what="they end")
    assert deadline.within(5, lambda: "fine", key=1) == "fine"


def drip(handler):
    """Begin an answer that never ends; no byte is late."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
    while not handler.server.over.wait(0.1):
        handler.wfile.write(b"x")


def test_a_server_that_answers_a_byte_at_a_time_is_given_up_in_time(serve):
    server = serve(speaks=drip)
    with pytest.raises(NotDelivered, match="^No answer in time.$"):
        deliver(target(address=f"http://127.0.0.1:{server.port}/"), MESSAGE)


# --- HTTPS


@pytest.fixture
def authority(monkeypatch, tmp_path):
    """Return a certificate authority that this process trusts."""
    found = trustme.CA()
    path = tmp_path / "ca.pem"
    found.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return found


@pytest.mark.parametrize(
    ("name", "said"), [("127.0.0.1", "HTTP 204"), ("other.example", "TLS failed: CERTIFICATE_VERIFY_FAILED")]
)
def test_a_certificate_has_to_be_of_an_authority_that_is_trusted_and_of_this_host(serve, authority, name, said):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    server = serve(OK, tls=context)
    try:
        found = deliver(target(address=f"https://127.0.0.1:{server.port}/"), MESSAGE)
    except NotDelivered as exc:
        found = str(exc)
    assert found == said
    assert len(server.requests) == (said == "HTTP 204")


def test_a_certificate_of_nobody_is_refused(serve):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = serve(OK, tls=context)
    with pytest.raises(NotDelivered, match="^TLS failed: CERTIFICATE_VERIFY_FAILED$"):
        deliver(target(address=f"https://127.0.0.1:{server.port}/"), MESSAGE)


# --- kinds of a project


def test_a_project_has_a_kind_of_its_own_by_one_small_class(own_kinds, limited):
    sounded = []

    @register_channel_kind
    class Siren(ChannelKind):
        kind = "siren"
        label = "Siren on the roof"

        def send(self, target, message):
            sounded.append((target.address, message.subject))
            return "It sounds."

        def check(self, target):
            if not target.address:
                raise InvalidChannel("address", "Which roof?")

    assert deliver(target("siren", "north"), MESSAGE) == "It sounds."
    assert sounded == [("north", "subject")]
    assert ("siren", "Siren on the roof") in channel_choices()
    assert [error.message for error in channel_errors({"kind": "siren"})] == ["Which roof?"]
    assert channel_errors({"kind": "siren", "address": "north"}) == []


@pytest.mark.django_db
def test_a_channel_of_such_a_kind_is_stored_without_a_migration_and_one_that_is_gone_is_said(limited):
    channel = Channel.objects.create(name="x", kind="gone")
    with pytest.raises(NotDelivered, match="^No kind of channel is called gone.$"):
        deliver(target(channel.kind), MESSAGE)


@pytest.mark.parametrize("kind", ["", "Siren", "a" * 17, "1st", "si-ren"])
def test_a_kind_needs_a_name_that_can_be_stored(own_kinds, kind):
    with pytest.raises(TypeError, match="small letters"):
        register_channel_kind(type("Siren", (ChannelKind,), {"kind": kind, "send": lambda *_: ""}))


def test_a_kind_is_one_class_and_a_module_that_is_loaded_again_replaces_its_own(own_kinds):
    first, second = (type("Siren", (ChannelKind,), {"kind": "siren", "send": lambda *_: ""}) for _ in range(2))
    register_channel_kind(first)
    register_channel_kind(second)
    assert type(channel_kinds()["siren"]) is second
    other = type("Other", (ChannelKind,), {"kind": "siren", "send": lambda *_: ""})
    with pytest.raises(ValueError, match="already"):
        register_channel_kind(other)


@pytest.mark.parametrize("answer", ["x" * 999, 7])
def test_what_a_kind_answers_is_cut_and_what_it_raises_is_only_named(own_kinds, limited, answer):
    @register_channel_kind
    class Siren(ChannelKind):
        kind = "siren"

        def send(self, target, message):
            if target.address:
                raise RuntimeError(target.address)
            return answer

    assert deliver(target("siren"), MESSAGE) == str(answer)[:200]
    with pytest.raises(NotDelivered, match="^RuntimeError$") as caught:
        deliver(target("siren", "secret"), MESSAGE)
    assert caught.value.__cause__ is None


# --- all together, by a scheduler


@pytest.mark.django_db(transaction=True)
def test_dead_channels_hold_up_no_other_one_and_each_has_its_answer(serve, settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ALERT_TIMEOUT": timedelta(seconds=30)}
    AlertRule.objects.all().delete()
    kinds = {"fine": OK, "error": ERROR, "redirect": REDIRECT % 1, "closes": CLOSE, "hangs": HANG}
    servers = {name: serve(answer) for name, answer in kinds.items()}
    rows = [make_channel(name, "webhook", f"http://127.0.0.1:{one.port}/") for name, one in servers.items()]
    make_rule(Kind.FAILING, channels=rows)
    watch = looking()
    end(make_task(), BAD)
    watch.look()
    sender = Sender()
    assert sender.send_due() == 5

    def answers():
        sender.settle()
        return dict(Notice.objects.exclude(answer="").values_list("channel__name", "answer"))

    wait_until(lambda: len(answers()) == 4, what="all have answered but the one that hangs")
    servers["hangs"].over.set()
    sender.close(within=30)
    assert answers() == {
        "fine": "HTTP 204",
        "error": "HTTP 500",
        "redirect": "HTTP 302",
        "closes": "No connection: RemoteDisconnected",
        "hangs": "No connection: RemoteDisconnected",
    }
    assert [row.channel.name for row in Notice.objects.filter(sent_at__isnull=False)] == ["fine"]
    dead = Channel.objects.filter(failing_since__isnull=False).values_list("name", flat=True)
    assert set(dead) == {"error", "redirect", "closes", "hangs"}


@pytest.mark.django_db(transaction=True)
def test_a_hundred_alerts_at_once_are_one_request_with_a_count(serve):
    AlertRule.objects.all().delete()
    server = serve()
    make_rule(Kind.FAILING, channels=[make_channel("hook", "webhook", f"http://127.0.0.1:{server.port}/")])
    watch = looking()
    for number in range(100):
        end(make_task(name=f"task-{number}"), BAD)
    watch.look()
    sender = Sender()
    assert sender.send_due() == 1
    sender.close(within=10)
    ((_line, _headers, body),) = server.requests
    found = json.loads(body)
    assert (found["type"], found["count"], len(found["alerts"])) == ("alert.digest", 100, 10)
    assert Notice.objects.filter(sent_at=None).count() == 0
