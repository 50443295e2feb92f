"""Bodies whose length is not told, as programs send them that stream: refused, for they would be read as empty."""

from __future__ import annotations

import io
import json
import socket
from urllib.parse import urlsplit

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import ParseError

from django_scheduled_tasks.api.http.parsers import check_length_is_told
from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.api.conftest import ROOT, codes
from tests.factories import OWNER, make_execution, make_task, make_user

CHANGES = {
    "post tasks/": {"name": "other", "function": "testapp.noop"},
    "put tasks/nightly/": {"name": "nightly", "function": "testapp.noop"},
    "patch tasks/nightly/": {"description": "new"},
    "post tasks/nightly/run-once/": {"params": {"value": "mine"}},
    "post tasks/nightly/backfill/": {"from": "2026-03-20T00:00:00Z", "to": "2026-03-20T00:00:00Z"},
    "post tasks/nightly/pause/": {"until": "2100-01-01T00:00:00Z"},
    "post executions/{execution}/cancel/": {"forceAfter": 5},
    "post executions/{execution}/rerun/": {"params": {"value": "mine"}},
    "post schedules/preview/": {"scheduleKind": "manual"},
}


@pytest.fixture
def execution(engine):
    return make_execution(make_task(name="nightly", function="testapp.give", overlap="allow"))


@pytest.mark.django_db
@pytest.mark.parametrize("length", ["", "0"])
@pytest.mark.parametrize("call", CHANGES)
def test_a_body_in_chunks_is_refused_by_each_call_and_nothing_is_done(owner, execution, call, length):
    method, address = call.format(execution=execution.tracking_id).split()
    before = [list(model.objects.values()) for model in (ScheduledTask, Execution)]
    response = getattr(owner, method)(
        f"{ROOT}/{address}",
        json.dumps(CHANGES[call]),
        content_type="application/json",
        CONTENT_LENGTH=length,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert (response.status_code, codes(response)) == (400, [("bad_request", "")])
    assert [list(model.objects.values()) for model in (ScheduledTask, Execution)] == before


@pytest.mark.django_db(transaction=True)
def test_a_program_that_streams_its_body_to_a_real_server_is_told(live_server, execution):
    token, server = Token.objects.create(user=make_user(*OWNER)).key, urlsplit(live_server.url)
    head = f"POST {ROOT}/tasks/nightly/run-once/ HTTP/1.1\r\nHost: {server.netloc}\r\nAuthorization: Token {token}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    body = json.dumps({"params": {"value": "mine"}})
    with socket.create_connection((server.hostname, server.port), timeout=30) as connection:
        connection.sendall(f"{head}{len(body):x}\r\n{body}\r\n0\r\n\r\n".encode())
        status = connection.makefile("rb").readline()
    assert b" 400 " in status
    assert Execution.objects.count() == 1


@pytest.mark.parametrize("body", [b"", b'{"reason": "x"}'])
def test_under_asgi_the_body_itself_tells(body):
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    request = ASGIRequest(scope, io.BytesIO(body))
    if body:
        with pytest.raises(ParseError):
            check_length_is_told(request)
        assert request.body == body
        request = ASGIRequest(scope, io.BytesIO(body))
        request.read(1)  # as a middleware may
        with pytest.raises(ParseError):
            check_length_is_told(request)
    else:
        check_length_is_told(request)


def test_a_request_without_a_body_is_none_of_these():
    check_length_is_told(RequestFactory().post("/"))
