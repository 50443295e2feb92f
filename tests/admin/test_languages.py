"""The pages of the admin in other languages: nothing evades gettext, German is German, right to left is mirrored."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from django.utils import translation
from django.utils.safestring import SafeData, mark_safe
from django.utils.translation import _trans

from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import (
    Alert,
    Attempt,
    Channel,
    Execution,
    Notice,
    PresenceKind,
    ScheduledTask,
)
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.tasks.edit import pause
from tests.admin.pages import ALERTS, CHANGES, CHANNELS, EXECUTIONS, RULES, TASKS, WORKERS
from tests.factories import make_execution, make_first_rule, make_release, make_task, make_user
from tests.translations import PLACEHOLDER, catalog, forms

pytestmark = pytest.mark.django_db
SAID = ("aria-label", "placeholder", "title", "data-done", "data-lost", "data-now", "data-out", "data-login")
SAID += ("data-denied", "data-text", "data-dst-filter")
NOT_SAID = {"code", "kbd", "pre", "script", "style", "textarea", "option", "datalist"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "rect", "path", "circle", "use"}


class Texts(HTMLParser):
    """Collects what a page says: texts, and attributes that are read out or shown."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.inside: list[tuple[str, bool]] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.said += [self.outside_brackets(values[name] or "") for name in SAID if name in values]
        if tag == "input" and values.get("type") in {"submit", "button"}:
            self.said.append(self.outside_brackets(values.get("value") or ""))
        if tag not in VOID:
            hidden = tag in NOT_SAID or "dst-mono" in (values.get("class") or "").split()
            self.inside.append((tag, hidden))

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(hidden for _tag, hidden in self.inside):
            self.said.append(self.outside_brackets(data))

    def outside_brackets(self, text: str) -> str:
        """Leave out what is in brackets, also where they close in another element."""
        found = []
        for letter in text:
            self.depth += (letter == "⟦") - (letter == "⟧")
            if not self.depth and letter != "⟧":
                found.append(letter)
        return "".join(found)


def said_by(page: str) -> list[str]:
    parser = Texts()
    parser.feed(page)
    return [" ".join(text.split()) for text in parser.said if text.strip()]


@pytest.fixture
def pages(client) -> dict[str, str]:
    """The addresses of pages with a bit of everything on them."""
    user = make_user(name="NN", superuser=True)
    client.force_login(user)
    now = datetime.now(UTC)
    task = make_task(
        name="T-1",
        function="testapp.typed",
        schedule_kind="cron",
        expression="*/7 * 1 * 1",
        timezone="Europe/Berlin",
        params={"day": "2026-01-01"},
        max_attempts=3,
        timeout=timedelta(minutes=5),
    )
    paused = make_task(name="T-2", schedule_kind="interval", expression="90s")
    pause(paused, reason="X-1", user=user)
    pause(make_task(name="T-3", schedule_kind="cron", expression="0 3 * * *"), until=now + timedelta(days=3))
    late = make_task(name="T-4", schedule_kind="cron", expression="0 3 * * *")
    ScheduledTask.objects.filter(pk=late.pk).update(next_run_at=now - timedelta(hours=2))
    ScheduledTask.objects.filter(pk=make_task(name="T-5").pk).update(function="x.y")
    make_task(name="T-6", schedule_kind="dates", expression="2036-12-24T18:00Z", timezone="UTC")
    rows = [
        make_execution(task, status=Status.PENDING, not_before=now + timedelta(hours=1)),
        make_execution(
            task,
            status=Status.PROCESSING,
            worker_host="W-1",
            worker_pid=4,
            progress_current=1_620,
            progress_total=2_000,
            triggered_by=user,
            trigger=Trigger.ADMIN,
        ),
        make_execution(task, status=Status.PROCESSING, worker_host="W-1", cancel_requested_at=now),
        make_execution(task, status=Status.COMPLETED, result={"a": 1}, reason="X-2"),
        make_execution(late, status=Status.ERRORS, error_type="X", error_message="X-3", traceback="X"),
        make_execution(late, status=Status.ERRORS, outcome=Outcome.TIMED_OUT),
        make_execution(
            late,
            status=Status.ERRORS,
            outcome=Outcome.WORKER_LOST,
            error_message="The worker (W-1, process 4) stopped answering.",
        ),
        make_execution(late, status=Status.ERRORS, outcome=Outcome.CANCELLED, cancel_requested_by=user),
        make_execution(late, status=Status.ERRORS, outcome=Outcome.EXPIRED),
        make_execution(late, status=Status.ERRORS, outcome=Outcome.SKIPPED),
        make_execution(late, status=Status.ERRORS, outcome=Outcome.MISSED, occurrences=4, scheduled_for=now),
        make_execution(late, status=Status.COMPLETED, attempt=2),
    ]
    Execution.objects.filter(pk=rows[9].pk).update(blocked_by=rows[8].pk, rerun_of=rows[7].pk)
    Attempt.objects.create(execution=rows[11], number=1, started_at=now, ended_at=now, outcome=Outcome.FAILED)
    logs.append(rows[3], level="INFO", message="X-4", logged_at=now)
    make_release("X-6", kind=PresenceKind.WORKER, host="W-1")
    make_release("X-7", kind=PresenceKind.SCHEDULER, host="W-2", functions=["testapp.other"])
    alerts = [
        Alert.objects.create(kind=kind, task=late, task_name="T-4", opened_at=now, open_key=kind, **values)
        for kind, values in {
            "failing": {"first_execution": rows[4].pk, "latest_execution": rows[5].pk, "count": 3},
            "missed": {"latest_execution": rows[10].pk, "acknowledged_at": now, "acknowledged_by": user},
            "late": {"silenced_until": now + timedelta(days=1), "silence_reason": "X-8"},
            "too_long": {"latest_execution": rows[1].pk, "limit": timedelta(minutes=2)},
        }.items()
    ]
    Alert.objects.create(kind="no_worker", queue="X-9", opened_at=now, open_key="no_worker")
    Alert.objects.create(kind="stuck", queue="X-9", opened_at=now, closed_at=now, closed_by_hand=True, closed_by=user)
    rule = make_first_rule()
    dead = {"failing_since": now, "failed_tries": 2, "last_answer": "X"}
    channel = Channel.objects.create(name="X-8", kind="mail", **dead)
    Notice.objects.create(alert=alerts[0], channel=channel, event="opened", created_at=now, answer="X")
    found = {
        "index": "/admin/",
        "alerts": ALERTS,
        "alerts closed": f"{ALERTS}?state=closed",
        "alerts none": f"{ALERTS}?state=new&kind=broken",
        "alert": f"{ALERTS}{alerts[0].pk}/change/",
        "silence": f"{ALERTS}{alerts[0].pk}/silence/",
        "close": f"{ALERTS}{alerts[0].pk}/close/",
        "comment": f"{ALERTS}{alerts[0].pk}/comment/",
        "rules": RULES,
        "rule": f"{RULES}{rule.pk}/change/",
        "rule card": f"{RULES}card/?scope=all&kinds=late&after=1&closes_after=1",
        "channels": CHANNELS,
        "channel": f"{CHANNELS}add/",
        "channel test": f"{CHANNELS}test/",
        "workers": WORKERS,
        "workers gone": f"{WORKERS}?gone=1",
        "list": TASKS,
        "chip": f"{TASKS}?state=broken",
        "search": f"{TASKS}?q=nowhere",
        "add": f"{TASKS}add/",
        "change": f"{TASKS}{task.pk}/change/",
        "paused": f"{TASKS}{late.pk}/change/",
        "run once": f"{TASKS}{task.pk}/run-once/",
        "pause": f"{TASKS}{task.pk}/pause/",
        "resume": f"{TASKS}{paused.pk}/resume/",
        "skip": f"{TASKS}{task.pk}/skip/",
        "upcoming": f"{TASKS}upcoming/",
        "load": f"{TASKS}load/",
        "clock changes": f"{TASKS}load/clock-changes/",
        "delete": f"{TASKS}{task.pk}/delete/",
        "clone": f"{TASKS}add/?clone={task.pk}",
        "durations by day": f"{TASKS}{late.pk}/change/?durations=days",
        "backfill": f"{TASKS}{task.pk}/backfill/",
        "changes": CHANGES,
        "changes of a task": f"{CHANGES}?task={task.pk}",
        "changes of none": f"{CHANGES}?q=nowhere",
        "history": EXECUTIONS,
        "history of none": f"{EXECUTIONS}?outcome=expired&q=nowhere",
        "cancel": f"{EXECUTIONS}{rows[1].pk}/cancel/",
        "compare": f"{EXECUTIONS}{rows[4].pk}/compare/?with={rows[5].pk}",
        "compare with none": f"{EXECUTIONS}{rows[4].pk}/compare/",
    }
    found |= {f"execution {row.status} {row.outcome} {row.pk}": f"{EXECUTIONS}{row.pk}/change/" for row in rows}
    return found


def read(client, address: str, language: str = "en") -> str:
    response = client.get(address, headers={"accept-language": language}, follow=True)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


# --- nothing evades gettext ---------------------------------------------------------------------------------------

DATA = re.compile(
    r"""^(?:\W|\d|[TWX]-|NN|X|API|Python|JSON|CSV|UTC|Europe/\w+|Django(\ Q)?|testapp\.\w+|x\.y|auth|user\d*
    |runscheduler|manage\.py|ADMINS\ by\ mail|Default|ADMINS
    |Does\ nothing\.|Takes\ values\ of\ many\ types\ and\ tells\ them\.
    |Enter|Shift|[jkra]
    |DEBUG|INFO|WARNING|ERROR|CRITICAL)*$""",
    re.VERBOSE,
)


@pytest.fixture
def marked(monkeypatch):
    """Put what goes through gettext in brackets."""
    translation.gettext("")  # so that the translating functions are there to be replaced

    def bracketed(text: str) -> str:
        return mark_safe(f"⟦{text}⟧") if isinstance(text, SafeData) else f"⟦{text}⟧"

    monkeypatch.setattr(_trans, "gettext", bracketed)
    monkeypatch.setattr(_trans, "ngettext", lambda one, many, number: bracketed(one if number == 1 else many))
    monkeypatch.setattr(_trans, "pgettext", lambda context, text: text if context == "date format" else bracketed(text))
    monkeypatch.setattr(
        _trans, "npgettext", lambda _context, one, many, number: bracketed(one if number == 1 else many)
    )


def test_nothing_evades_gettext(client, pages, marked):
    evading = {
        (name, text)
        for name, address in pages.items()
        for text in said_by(read(client, address))
        if text != HOST and not DATA.match(text)
    }
    assert sorted(evading) == []


# --- German -------------------------------------------------------------------------------------------------------


def english_in_german() -> list[re.Pattern[str]]:
    """Return what none of the texts of a German page may look like: our English, with anything for placeholders."""
    found = []
    german = {form for message in catalog("de") for form in forms(message)}
    for message in catalog("de"):
        singles = () if not message.id else (message.id,) if isinstance(message.id, str) else message.id
        for single in singles:
            if message.context == "date format" or single in german:  # a "Tag" is a day
                continue
            words = re.sub(PLACEHOLDER, " ", single)
            if re.search(r"[A-Za-z]{3}", words):
                parts = PLACEHOLDER.split(single)
                found.append(re.compile(".+".join(map(re.escape, parts))))
    return found


def test_german_pages_are_german(client, pages):
    english = english_in_german()
    assert len(english) > 450
    left = {
        (name, text)
        for name, address in pages.items()
        for text in said_by(read(client, address, "de"))
        if not DATA.match(text)
        for pattern in english
        if pattern.fullmatch(text)
    }
    assert sorted(left) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("list", ("Einmal ausführen", "Nächste", "Alle 90 Sekunden", "Jeden Tag um 03:00", "Pausiert", "Defekt")),
        ("list", ("Ausgewählte pausieren …", "von NN: “X-1”", "seit 2 h überfällig")),
        ("add", ("Cron-Ausdruck", "Zeitlimit:", "Sichern und einmal ausführen", "Nur wenn jemand sie ausführt")),
        ("change", ("Läuft am Tag 1 oder am Montag", "Die nächsten fünf:", "Nicht gleichmäßig", "geplante Aufgabe")),
        ("run once", ("Läuft jetzt, außerhalb des Zeitplans.", "läuft noch", "Starten, wenn sie beendet ist")),
        ("history", ("Fehlgeschlagen", "Worker verloren", "Der Worker (W-1, Prozess 4) antwortet nicht mehr.")),
        ("history", ("Letzte 7 Tage", "Nicht abgeschlossen", "Gestartet von", "Läuft 81 %", "Wartend")),
    ],
)
def test_german_words(client, pages, name, words):
    page = read(client, pages[name], "de")
    missing = [word for word in words if word.lower() not in page.lower()]
    assert missing == []


# --- right to left ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ar", "he"])
def test_right_to_left_mirrors_the_strip(client, pages, language):
    page = read(client, pages["list"], language)
    assert re.search(r'<html[^>]* dir="rtl"', page)
    assert re.search(r'<svg class="dst-strip"[^>]*><g transform="translate\(\d+ 0\) scale\(-1 1\)">', page)
    assert "scale(-1 1)" not in read(client, pages["list"], "en")


def test_right_to_left_the_newest_bar_is_on_the_left(client, pages):
    def newest(language: str) -> float:
        page = read(client, pages["list"], language)
        svg = re.search(r'<svg class="dst-bars" width="(\d+)".*?<rect[^>]* x="([\d.]+)"', page, re.DOTALL)
        assert svg is not None
        return float(svg[2]) / float(svg[1])

    assert newest("he") < 0.1
    assert newest("en") > 0.9


def test_the_styles_name_no_side():
    from tests.translations import PACKAGE

    files = sorted((PACKAGE / "static/django_scheduled_tasks/css").glob("*.css"))
    assert files
    styles = "\n".join(file.read_text() for file in files)
    sided = [
        line.strip()
        for line in styles.splitlines()
        if re.search(r"(?:margin|padding|border)-(?:left|right)|text-align: (?:left|right)|[{;] *(?:left|right):", line)
    ]
    assert sided == []
