"""Webhooks, against servers that answer, hang, redirect and close."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from django_scheduled_tasks.channels import Message, NotDelivered, Target
from django_scheduled_tasks.services.alerts.channels import deliver
from django_scheduled_tasks.services.alerts.channels.http import is_allowed
from django_scheduled_tasks.services.alerts.channels.webhook import signature_headers

MESSAGE = Message("id-1", "subject", "text", {"type": "alert.test", "sentence": "ü"})


def post(server, path="/hook?a=1", secret_name=""):
    address = f"http://127.0.0.1:{server.server_address[1]}{path}"
    return deliver(Target(1, "hook", "webhook", address, secret_name), MESSAGE)


def test_it_is_signed_as_standard_webhooks_says(serve, settings):
    key = b"0123456789abcdef0123456789abcdef"
    settings.HOOK_SECRET = f"whsec_{base64.b64encode(key).decode()}"
    server = serve()
    assert post(server, secret_name="HOOK_SECRET") == "HTTP 204"
    ((line, headers, body),) = server.requests
    assert line == "POST /hook?a=1 HTTP/1.1"
    assert json.loads(body) == MESSAGE.payload
    assert headers["Idempotency-Key"] == headers["webhook-id"] == "id-1"
    signed = f"id-1.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


def test_the_example_of_the_specification():
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = signature_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", body, key, 1614265330)
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_named_and_comes_from_the_settings_or_the_environment(serve, settings, monkeypatch):
    monkeypatch.setenv("HOOK_KEY", "plain text")
    server = serve()
    post(server, secret_name="HOOK_KEY")
    assert "webhook-signature" in server.requests[0][1]
    post(server)
    assert "webhook-signature" not in server.requests[1][1]
    with pytest.raises(NotDelivered, match="no secret called ABSENT"):
        post(server, secret_name="ABSENT")
    settings.HOOK_SECRET = "whsec_c2hvcnQ="
    with pytest.raises(NotDelivered, match="16 bytes"):
        post(server, secret_name="HOOK_SECRET")
    settings.HOOK_SECRET = "whsec_~"
    with pytest.raises(NotDelivered, match="Base64"):
        post(server, secret_name="HOOK_SECRET")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 500 No\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "HTTP 302"),
        (b"", "No connection: RemoteDisconnected"),
        (b"nonsense\r\n\r\n", "No connection: BadStatusLine"),
        (None, "No answer in time."),
    ],
    ids=["an error", "a redirect", "it closes", "nonsense", "it hangs"],
)
def test_what_is_no_success_is_said(serve, answer, said):
    server = serve(answer)
    with pytest.raises(NotDelivered, match=f"^{said}$"):
        post(server)
    assert len(server.requests) == 1, "a redirect is not followed"


def test_private_addresses_are_refused_unless_they_are_allowed(serve, settings):
    server = serve()
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ALERT_NETWORKS": ()}
    with pytest.raises(NotDelivered, match="not public"):
        post(server)
    assert server.requests == []
    private = ("10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "100.64.0.1", "224.0.0.1", "0.0.0.0")
    for address in (*private, "::ffff:10.0.0.1", "2002:a00:1::"):
        assert not is_allowed(address), address
    assert is_allowed("8.8.8.8")
    assert is_allowed("2606:4700:4700::1111")


@pytest.mark.parametrize("address", ["", "ftp://example.com", "http://", "http://a:b@example.com/", "http://[", "x"])
def test_what_is_no_address_of_a_webhook(address):
    with pytest.raises(NotDelivered, match="no URL"):
        deliver(Target(1, "hook", "webhook", address, ""), MESSAGE)


def test_tls_is_checked(serve):
    server = serve(b"not TLS at all\r\n\r\n")
    address = f"https://127.0.0.1:{server.server_address[1]}/"
    with pytest.raises(NotDelivered, match="TLS failed|No connection"):
        deliver(Target(1, "hook", "webhook", address, ""), MESSAGE)
