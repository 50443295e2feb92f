"""Mail, to real servers that take it, refuse it, hang and close."""

from __future__ import annotations

import django
import pytest
from aiosmtpd.controller import Controller
from django.core.mail import EmailMessage

from django_scheduled_tasks.channels import Message, NotDelivered, Target
from django_scheduled_tasks.services.alerts.channels import deliver
from django_scheduled_tasks.services.alerts.channels.mail import Mail
from tests.services.alerts.receivers import CLOSE, HANG, Server, say

MESSAGE = Message("id-1", "Failing: digest", "Execution #7 failed.\n", {"type": "alert.opened"})
TARGET = Target(1, "ops", "mail", "ops@example.com, boss@example.com", "")


class Box:
    """Takes mails, or refuses them."""

    def __init__(self, answer="250 OK"):
        self.answer, self.mails = answer, []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return self.answer


class Smtp(Controller):
    """A mail server on a port that is free."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def smtp(settings, limited):
    """Start mail servers, and let Django send to the last one."""
    started = []

    def use(port, **options):
        backend = "django.core.mail.backends.smtp.EmailBackend"
        if django.VERSION >= (6, 1):
            settings.MAILERS = {
                "default": {"BACKEND": backend, "OPTIONS": {"host": "127.0.0.1", "port": port, **options}}
            }
        else:
            settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = backend, "127.0.0.1", port
            settings.EMAIL_TIMEOUT = options.get("timeout")

    def start(box):
        controller = Smtp(box, hostname="127.0.0.1", port=0)
        controller.start()
        started.append(controller.stop)
        use(controller.port)
        return box

    def start_odd(answer):
        server = Server(answer, speaks=say)
        started.append(server.close)
        use(server.port)
        return server

    start.odd, start.use = start_odd, use
    yield start
    for stop in started:
        stop()


def test_a_server_gets_one_mail_to_all_with_an_id_of_its_own(smtp):
    box = smtp(Box())
    assert deliver(TARGET, MESSAGE) == "Sent to 2."
    ((to, text),) = box.mails
    assert to == ["ops@example.com", "boss@example.com"]
    assert "Message-ID: <id-1@django-scheduled-tasks>" in text
    assert "Execution #7 failed." in text


@pytest.mark.parametrize(
    ("answer", "said"),
    [(HANG, "No answer in time."), (CLOSE, "SMTPServerDisconnected"), (b"554 No\r\n", "SMTPConnectError")],
    ids=["it hangs", "it closes", "it refuses"],
)
def test_a_server_that_is_no_good_is_given_up_in_time(smtp, answer, said):
    smtp.odd(answer)
    with pytest.raises(NotDelivered, match=f"^{said}$"):
        deliver(TARGET, MESSAGE)


def test_a_mail_that_is_refused_is_not_sent(smtp):
    smtp(Box("451 4.7.1 hunter2 greylisted"))
    with pytest.raises(NotDelivered, match="^SMTPDataError$"):
        deliver(TARGET, MESSAGE)


def test_the_connection_has_a_limit_of_ours_and_the_projects_own_is_left_as_it_is(smtp, monkeypatch):
    from django.core.mail.backends import smtp as backend

    seen = []
    monkeypatch.setattr(backend.EmailBackend, "send_messages", lambda self, _mails: seen.append(self.timeout))
    for limit in (None, 7):
        smtp.use(25, timeout=limit)
        Mail().send(TARGET, MESSAGE)
        EmailMessage("a", "b", to=["c@example.com"]).send()
    assert seen == [2.0, None, 7, 7]
