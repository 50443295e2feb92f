"""Every address of the admin and of the REST API × every method × everybody: what is answered, and that a no is a no.

An address that is not in the tables fails the first test; so does one in the tables that is gone. Those of the REST API
are left to the night: the gate has tests/api/test_permissions for them. So is the superuser, to whom no page says no.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.test import Client

from django_scheduled_tasks.api import altogic_urls, urls
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import (
    Alert,
    AlertRule,
    Calendar,
    Change,
    Channel,
    Comment,
    Execution,
    ExecutionLog,
    Hold,
    Presence,
    ScheduledTask,
    read_now,
)
from django_scheduled_tasks.services.alerts.edit import acknowledge
from django_scheduled_tasks.services.tasks.edit import pause
from django_scheduled_tasks.services.tasks.holds import hold
from django_scheduled_tasks.services.tasks.skips import skip
from tests.admin.pages import FORM
from tests.api.conftest import ROOT
from tests.database import ALIAS
from tests.factories import VIEWER, make_execution, make_task, make_user
from tests.selection import some_in_gate

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]

METHODS = [
    pytest.param(("GET", "POST", "PUT", "PATCH", "DELETE"), id="main methods"),
    pytest.param(("HEAD", "OPTIONS", "TRACE"), id="other methods", marks=pytest.mark.slow),
]
PEOPLE = ("stranger", "viewer", "operator", "superuser")
OPERATOR = (*VIEWER, "run_scheduledtask", "cancel_execution", "change_scheduledtask", "change_alert")
"""May run, cancel and change; may not add, pause or delete, nor see logs."""
CHANGE = FORM | {"name": "changed", "schedule_kind": "manual", "timezone": "UTC"}
ADMIN: dict[str, dict[str, str]] = {
    "scheduledtask_changelist": {"POST": "302 200 302 302", "else": "302 200 200 200"},
    "scheduledtask_add": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "scheduledtask_change": {"POST": "302 403 302 302", "else": "302 200 200 200"},
    "scheduledtask_history": {"else": "302 200 200 302"},
    "scheduledtask_delete": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "scheduledtask_old": {"TRACE": "302 405 405 405", "else": "302 302 302 302"},
    "scheduledtask_run_once": {
        "GET": "302 403 200 200",
        "HEAD": "302 403 200 200",
        "POST": "302 403 302 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_backfill": {
        "GET": "302 403 200 200",
        "HEAD": "302 403 200 200",
        "POST": "302 403 302 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_skip": {
        "GET": "302 403 403 200",
        "HEAD": "302 403 403 200",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_undo_skip": {"POST": "302 403 403 302", "else": "302 405 405 405"},
    "scheduledtask_pause": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "scheduledtask_resume": {
        "GET": "302 403 403 200",
        "HEAD": "302 403 403 200",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_put_back": {"POST": "302 403 302 302", "else": "302 405 405 405"},
    "scheduledtask_switch_off": {"POST": "302 403 302 302", "else": "302 405 405 405"},
    "scheduledtask_hold": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "scheduledtask_hold_all": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "scheduledtask_change_hold": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "scheduledtask_release_hold": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "scheduledtask_why": {"else": "302 200 200 200"},
    "scheduledtask_adopt": {
        "GET": "302 403 403 302",  # it is at home here
        "HEAD": "302 403 403 302",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_leave_held": {"POST": "302 302 302 302", "else": "302 405 405 405"},
    "scheduledtask_moved": {
        "GET": "302 403 403 302",  # it has not moved
        "HEAD": "302 403 403 302",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_say_same": {"POST": "302 403 403 302", "else": "302 405 405 405"},
    "scheduledtask_export": {"GET": "302 200 200 200", "HEAD": "302 200 200 200", "else": "302 405 405 405"},
    "scheduledtask_import": {
        "GET": "302 403 403 200",
        "HEAD": "302 403 403 200",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_load": {"GET": "302 200 200 200", "HEAD": "302 200 200 200", "else": "302 405 405 405"},
    "scheduledtask_clock_changes": {"GET": "302 200 200 200", "HEAD": "302 200 200 200", "else": "302 405 405 405"},
    "scheduledtask_spread": {
        "GET": "302 403 302 302",  # nothing meets there
        "HEAD": "302 403 302 302",
        "POST": "302 403 302 302",
        "else": "302 405 405 405",
    },
    "scheduledtask_upcoming": {"else": "302 200 200 200"},
    "scheduledtask_live": {"else": "401 200 200 200"},
    "scheduledtask_preview": {"else": "401 403 200 200"},
    "scheduledtask_preview_of": {"else": "401 403 200 200"},
    "scheduledtask_parameters": {"else": "401 403 200 200"},
    "scheduledtask_parameters_of": {"else": "401 403 200 200"},
    "execution_changelist": {"POST": "302 200 302 302", "else": "302 200 200 200"},
    "execution_add": {"else": "302 403 403 403"},
    "execution_change": {"GET": "302 200 200 200", "HEAD": "302 200 200 200", "else": "302 403 403 403"},
    "execution_history": {"else": "302 200 200 200"},
    "execution_delete": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "execution_old": {"TRACE": "302 405 405 405", "else": "302 302 302 302"},
    "execution_cancel": {
        "GET": "302 403 200 200",
        "HEAD": "302 403 200 200",
        "POST": "302 403 302 302",
        "else": "302 405 405 405",
    },
    "execution_comment": {"POST": "302 403 403 302", "else": "302 405 405 405"},
    "execution_compare": {"else": "302 200 200 200"},
    "execution_export": {"else": "302 403 403 200"},
    "execution_log": {"else": "302 403 403 200"},
    "execution_live": {"else": "401 200 200 200"},
    "execution_news": {"else": "401 200 200 200"},
    "execution_names": {"else": "401 200 200 200"},
    "alert_changelist": {"else": "302 200 200 200"},
    "alert_acknowledge": {"POST": "302 403 302 302", "else": "302 405 405 405"},
    "alert_acknowledge_all": {"POST": "302 403 302 302", "else": "302 405 405 405"},
    "alert_undo": {"POST": "302 403 302 302", "else": "302 405 405 405"},
    **{
        f"alert_{page}": {
            "GET": "302 403 200 200",
            "HEAD": "302 403 200 200",
            "POST": "302 403 302 302",
            "else": "302 405 405 405",
        }
        for page in ("silence", "comment", "close")
    },
    "alert_end_silence": {"POST": "302 403 302 302", "else": "302 405 405 405"},
    "alert_live": {"else": "401 200 200 200"},
    "alert_add": {"else": "302 403 403 403"},
    "alert_change": {"POST": "302 403 403 403", "else": "302 200 200 200"},
    "alert_history": {"else": "302 200 200 200"},
    "alert_delete": {"else": "302 403 403 403"},
    "alert_old": {"TRACE": "302 405 405 405", "else": "302 302 302 302"},
    **{
        f"{model}_{page}": row
        for model in ("alertrule", "channel")
        for page, row in {
            "changelist": {"POST": "302 403 403 302", "else": "302 403 403 200"},
            "add": {"POST": "302 403 403 302", "else": "302 403 403 200"},
            "change": {"POST": "302 403 403 302", "else": "302 403 403 200"},
            "history": {"else": "302 403 403 200"},
            "delete": {"POST": "302 403 403 302", "else": "302 403 403 200"},
            "old": {"TRACE": "302 405 405 405", "else": "302 302 302 302"},
        }.items()
    },
    "alertrule_card": {"else": "401 403 403 200"},
    "calendar_changelist": {"else": "302 403 403 200"},
    "calendar_add": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "calendar_change": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "calendar_history": {"else": "302 403 403 200"},
    "calendar_delete": {"POST": "302 403 403 302", "else": "302 403 403 200"},
    "calendar_old": {"TRACE": "302 405 405 405", "else": "302 302 302 302"},
    "calendar_import": {
        "GET": "302 403 403 200",
        "HEAD": "302 403 403 200",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "channel_test": {
        "GET": "302 403 403 200",
        "HEAD": "302 403 403 200",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "change_changelist": {"else": "302 403 403 200"},
    "change_csv": {"else": "302 403 403 200"},
    "change_json": {"else": "302 403 403 200"},
    "change_put_back": {
        "GET": "302 403 403 302",  # what is asked for was not recorded
        "HEAD": "302 403 403 302",
        "POST": "302 403 403 302",
        "else": "302 405 405 405",
    },
    "change_add": {"else": "302 403 403 403"},
    "change_change": {"GET": "302 403 403 302", "HEAD": "302 403 403 302", "else": "302 403 403 403"},
    "change_history": {"GET": "302 403 403 302", "HEAD": "302 403 403 302", "else": "302 403 403 403"},
    "change_delete": {"else": "302 403 403 403"},
    "change_old": {"TRACE": "302 405 405 405", "else": "302 302 302 302"},
    "presence_line": {"GET": "401 200 200 200", "HEAD": "401 200 200 200", "else": "401 405 405 405"},
    "presence_changelist": {"GET": "302 200 200 200", "HEAD": "302 200 200 200", "else": "302 405 405 405"},
}
"""What the admin answers a stranger, a viewer, an operator and a superuser; it takes most methods for GET.

A stranger is sent to log in (302), parts of pages answer 401. ``…_old`` are addresses of former versions of Django.
"""
_READ = {"GET": "401 200 200 200", "HEAD": "401 200 200 200"}
_OTHERS = {"OPTIONS": "401 200 200 200", "else": "401 405 405 405"}
REST: dict[str, dict[str, str]] = {
    "task-list": {**_READ, "POST": "401 403 403 201", **_OTHERS},
    "task-by-key": {**_READ, "PUT": "401 403 200 200", "DELETE": "401 403 403 204", **_OTHERS},
    "task-bulk": {"POST": "401 403 200 200", **_OTHERS},
    "task-export": {**_READ, **_OTHERS},
    "task-import": {"POST": "401 403 403 200", **_OTHERS},
    "task-detail": {
        **_READ,
        "PUT": "401 403 200 200",
        "PATCH": "401 403 200 200",
        "DELETE": "401 403 403 204",
        **_OTHERS,
    },
    "task-skip": {"POST": "401 403 403 200", "DELETE": "401 403 403 200", **_OTHERS},
    "task-backfill": {"POST": "401 403 202 202", **_OTHERS},
    "task-pause": {"POST": "401 403 403 200", **_OTHERS},
    "task-resume": {"POST": "401 403 403 200", **_OTHERS},
    "task-run-once": {"POST": "401 403 202 202", **_OTHERS},
    "task-run-many": {"POST": "401 403 202 202", **_OTHERS},
    "task-status": {**_READ, **_OTHERS},
    "task-upcoming": {**_READ, **_OTHERS},
    "task-preview-change": {"POST": "401 403 200 200", **_OTHERS},
    "execution-list": {**_READ, **_OTHERS},
    "execution-detail": {**_READ, **_OTHERS},
    "execution-cancel": {"POST": "401 403 200 200", **_OTHERS},
    "execution-comments": {**_READ, "POST": "401 403 403 201", **_OTHERS},
    "event-list": {"GET": "401 501 501 501", "HEAD": "401 501 501 501", **_OTHERS},
    "execution-events": {"GET": "401 501 501 501", "HEAD": "401 501 501 501", **_OTHERS},
    "execution-logs": {"GET": "401 403 403 200", "HEAD": "401 403 403 200", **_OTHERS},
    "execution-rerun": {"POST": "401 403 202 202", **_OTHERS},
    "function-list": {**_READ, **_OTHERS},
    "schedule-preview": {"POST": "401 200 200 200", **_OTHERS},
    "hold-list": {**_READ, "POST": "401 403 403 201", **_OTHERS},
    "hold-detail": {"PATCH": "401 403 403 200", **_OTHERS},
    "hold-release": {"POST": "401 403 403 200", **_OTHERS},
    "task-explain": {"GET": "401 422 422 422", "HEAD": "401 422 422 422", **_OTHERS},  # at which instant?
    "alert-list": {**_READ, **_OTHERS},
    "alert-detail": {**_READ, **_OTHERS},
    "alert-acknowledge": {"POST": "401 403 200 200", **_OTHERS},
    "alert-unacknowledge": {"POST": "401 403 200 200", **_OTHERS},
    "alert-silence": {"POST": "401 403 200 200", **_OTHERS},
    "alert-close": {"POST": "401 403 200 200", **_OTHERS},
    **{
        f"{name}-{page}": row
        for name in ("alert-rule", "channel", "calendar")
        for page, row in {
            "list": {"GET": "401 403 403 200", "HEAD": "401 403 403 200", "POST": "401 403 403 201", **_OTHERS},
            "detail": {
                "GET": "401 403 403 200",
                "HEAD": "401 403 403 200",
                "PATCH": "401 403 403 200",
                "DELETE": "401 403 403 204",
                **_OTHERS,
            },
        }.items()
    },
    "audit-list": {"GET": "401 403 403 200", "HEAD": "401 403 403 200", **_OTHERS},
    "audit-detail": {"GET": "401 403 403 200", "HEAD": "401 403 403 200", **_OTHERS},
    "channel-test": {"POST": "401 403 403 200", **_OTHERS},
    "load-clock-changes": {**_READ, **_OTHERS},
    "load-list": {**_READ, **_OTHERS},
    "calendar-year": {"GET": "401 403 403 200", "HEAD": "401 403 403 200", **_OTHERS},
    "calendar-import-ics": {"POST": "401 403 403 200", **_OTHERS},
    "health-list": {"GET": "401 503 503 503", "HEAD": "401 503 503 503", **_OTHERS},
    "health-ok": {"GET": "404 404 404 404", "HEAD": "404 404 404 404", "else": "405 405 405 405"},  # OPEN_HEALTH is off
    "altogic-run-once": {"POST": "401 403 202 202", **_OTHERS},
    "altogic-status": {**_READ, **_OTHERS},
}
"""What the API answers; no scheduler runs, so health says so (503)."""
MINE = 654_321
"""The number of the channel."""
READS = {
    "schedule-preview",
    "task-preview-change",
    "change_put_back",
    "scheduledtask_put_back",
    "scheduledtask_adopt",
    "scheduledtask_leave_held",
    "channel-test",
    "scheduledtask_moved",
    "scheduledtask_say_same",
    "scheduledtask_spread",
    "alert_acknowledge_all",
    "alert_undo",
}
"""What changes nothing though it is allowed: a question by POST; nothing is to be put back, and nothing has moved."""
ICS = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20271224\nEND:VEVENT\nEND:VCALENDAR"
PERMISSIONS = {"viewer": VIEWER, "operator": OPERATOR}
PLACES = {"task": "{task}", "trackingId": "{execution}", "hold": "{hold}", "alert": "{alert}"}
PLACES |= {"key": "mine", "rule": "{rule}", "channel": "{channel}", "change": "{change}"}
PLACES |= {"calendar": "mine", "year": "2027"}
RULE = {"name": "new", "scope": "all", "kinds": "late", "after": "1", "closes_after": "1", "channels": "{channel}"}
IDS = {ScheduledTask: "{task}", Alert: "{alert}", AlertRule: "{rule}", Channel: "{channel}", Change: "{change}"}
IDS |= {Calendar: "{calendar}"}
SENT: dict[str, Any] = {
    "POST scheduledtask_changelist": {"action": "run_selected", "_selected_action": "{task}"},
    "POST scheduledtask_add": CHANGE,
    "POST scheduledtask_change": CHANGE,
    "POST scheduledtask_delete": {"post": "yes"},
    "POST scheduledtask_put_back": {"field": "queue"},
    "POST scheduledtask_backfill": {
        "start_0": "2026-03-20",
        "start_1": "00:00",
        "end_0": "2026-03-20",
        "end_1": "00:00",
        "dst_asked": "1",
    },
    "POST scheduledtask_undo_skip": {"at": "{first}"},
    "POST scheduledtask_skip": {"start_0": "2099-01-01", "start_1": "00:00", "end_0": "2099-01-02", "end_1": "00:00"},
    "POST execution_changelist": {"action": "cancel_selected", "_selected_action": "{number}"},
    "POST execution_delete": {"post": "yes"},
    "POST execution_comment": {"text": "known"},
    "POST execution-comments": {"text": "known"},
    "POST alert_silence": {"until": "hour"},
    "POST alert_comment": {"comment": "known"},
    "POST alert_close": {"comment": "known"},
    "POST channel_test": {"channel": "{channel}"},
    "POST alertrule_changelist": {"action": "delete_selected", "_selected_action": "{rule}", "post": "yes"},
    "POST alertrule_add": RULE,
    "POST alertrule_change": RULE,
    "POST alertrule_delete": {"post": "yes"},
    "POST channel_changelist": {"action": "delete_selected", "_selected_action": "{channel}", "post": "yes"},
    "POST channel_add": {"name": "new", "kind": "mail"},
    "POST channel_change": {"name": "new", "kind": "mail"},
    "POST channel_delete": {"post": "yes"},
    "POST calendar_add": {"name": "new", "zone": "UTC", "weekdays": "mon"},
    "POST calendar_change": {"zone": "UTC", "weekdays": "mon"},
    "POST calendar_delete": {"post": "yes"},
    "POST alert-acknowledge": {},
    "POST alert-silence": {"until": "2100-01-01T00:00:00Z"},
    "POST scheduledtask_hold": {"reason": "deploy"},
    "POST scheduledtask_hold_all": {"scope": "all", "reason": "deploy"},
    "POST scheduledtask_change_hold": {"reason": "longer"},
    "POST alert-rule-list": {"name": "new", "kinds": ["late"], "channels": [MINE]},
    "PATCH alert-rule-detail": {"name": "new"},
    "POST calendar-list": {"name": "new"},
    "PATCH calendar-detail": {"weekdays": ["mon"]},
    "POST calendar-import-ics": {"ics": ICS},
    "POST channel-list": {"name": "new", "kind": "mail"},
    "PATCH channel-detail": {"name": "new"},
    "POST hold-list": {"scope": "all", "reason": "deploy"},
    "PATCH hold-detail": {"reason": "longer"},
    "POST task-list": {"name": "new", "function": "testapp.noop"},
    "PUT task-detail": {"name": "mine", "function": "testapp.noop"},
    "PATCH task-detail": {"description": "new"},
    "PUT task-by-key": {"function": "testapp.noop", "description": "new"},
    "POST task-bulk": {"tasks": [{"key": "mine", "function": "testapp.noop", "description": "new"}]},
    "POST scheduledtask_import": {
        "text": '{"format": "scheduled tasks", "version": 1, "tasks": [{"name": "new", "function": "testapp.noop"}]}',
        "dst_asked": "1",
    },
    "POST task-import": {
        "document": {
            "format": "scheduled tasks",
            "version": 1,
            "tasks": [{"name": "carried", "function": "testapp.noop"}],
        },
        "apply": True,
    },
    "POST task-run-many": {"params": [{}]},
    "POST task-backfill": {"from": "2026-03-20T00:00:00Z", "to": "2026-03-20T00:00:00Z"},
    "POST schedule-preview": {"scheduleKind": "manual"},
    "POST altogic-run-once": {"taskNameOrId": "mine"},
}
"""What is sent; nothing, where nothing is said here."""


def addresses() -> dict[str, str]:
    """Return each address that there is by its name, with places for the ids of a task and an execution."""
    found = {}
    for model in (ScheduledTask, Execution, Presence, Alert, AlertRule, Channel, Change, Calendar):
        kind = str(model._meta.model_name)
        for pattern in admin.site.get_model_admin(model).get_urls():
            name = pattern.name.removeprefix("django_scheduled_tasks_") if pattern.name else f"{kind}_old"
            place = IDS.get(model, "{number}")
            route = str(pattern.pattern).replace("<int:number>", "{hold}" if model is ScheduledTask else place)
            route = re.sub("<[^>]+>", place, route)
            found[name] = f"/admin/django_scheduled_tasks/{kind}/{route}"
    for pattern in urls.urlpatterns:
        route = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda match: PLACES[match[1]], str(pattern.pattern))
        found[pattern.name] = f"{ROOT}/{route.strip('^$')}"
    for pattern in altogic_urls.urlpatterns:
        found[f"altogic-{pattern.name}"] = "/" + re.sub("<[^>]+>", "{execution}", str(pattern.pattern))
    return found


def fill(text: str, ids: dict[str, Any]) -> str:
    """Return *text* with ids in their places."""
    return re.sub(r"\{(\w+)\}", lambda match: str(ids[match[1]]), text)


def state() -> list[Any]:
    """Return all that a request may change."""
    models = (ScheduledTask, Execution, ExecutionLog, Comment, Hold, Alert, AlertRule, Channel, Calendar)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    return [*rows, LogEntry.objects.count()]


@contextmanager
def writing() -> Iterator[list[str]]:
    """Note the statements that may write: where there are none, nothing need be compared."""
    written: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if re.search(r"\b(INSERT|UPDATE|DELETE)\b", sql, re.IGNORECASE):
            written.append(sql)
        return execute(sql, params, many, context)

    with connections[ALIAS].execute_wrapper(note):
        yield written


def expected(name: str, method: str) -> list[int]:
    """Return the statuses for everybody."""
    row = (ADMIN | REST)[name]
    return [int(status) for status in row.get(method, row.get("else", "")).split()]


def test_each_address_is_in_the_tables():
    assert set(addresses()) == {*ADMIN, *REST}


@pytest.mark.parametrize("who", some_in_gate(PEOPLE, gate=lambda who: who != "superuser"))
@pytest.mark.parametrize("name", [*ADMIN, *(pytest.param(name, marks=pytest.mark.slow) for name in REST)])
@pytest.mark.parametrize("methods", METHODS)
def test_the_matrix(engine, name, who, methods):
    task = make_task(name="mine", overlap="allow", schedule_kind="cron", expression="0 * * * *")
    if name in REST:  # the list of the admin folds tasks with keys
        ScheduledTask.objects.filter(pk=task.pk).update(key="mine")
    if name.endswith("resume"):
        task = pause(task)
    first = iso_milliseconds(task.next_run_at or read_now())
    if name in {"task-skip", "scheduledtask_undo_skip"}:
        skip(task)
    is_delete = name == "execution_delete"
    execution = make_execution(task, status=Status.COMPLETED if is_delete else Status.PENDING)
    client = Client()
    if who != "stranger":
        client.force_login(make_user(*PERMISSIONS.get(who, ()), superuser=who == "superuser"))
    lasting = hold("tag", tag="other", reason="x")
    alert = Alert.objects.create(kind="stuck", opened_at=lasting.starts_at, open_key="stuck:")
    if name.endswith("unacknowledge"):
        alert = acknowledge(alert)
    calendar = Calendar.objects.create(name="mine", updated_at=read_now())
    channel = Channel.objects.create(id=MINE, name="mine", kind="mail")
    rule = AlertRule.objects.create(name="mine", kinds=["late"])
    values = {"hold": lasting.pk, "task": task.pk, "number": execution.pk, "execution": execution.tracking_id}
    values |= {"alert": alert.pk, "channel": channel.pk, "rule": rule.pk, "first": first}
    values["calendar"] = calendar.pk
    values["change"] = Change.objects.filter(task=task.pk).latest("pk").pk
    address = addresses()[name].format(**values)
    before, found, wanted = state(), {}, {}
    for method in methods:
        body = SENT.get(f"{method} {name}")
        if name in ADMIN:
            sent: dict[str, Any] = {key: fill(value, values) for key, value in (body or {}).items()}
            if name == "calendar_import":
                sent = {"ics": SimpleUploadedFile("a.ics", ICS.encode())}
            options = {"data": sent} if method == "POST" else {}
        else:
            options = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        with transaction.atomic(using=ALIAS):
            with writing() as written:
                response = getattr(client, method.lower())(address, **options)
            found[method], is_changed = response.status_code, bool(written) and state() != before
            transaction.set_rollback(True, using=ALIAS)
        wanted[method] = expected(name, method)[PEOPLE.index(who)]
        is_own_method = method in {"POST", "PUT", "PATCH", "DELETE"} and method in (ADMIN | REST)[name]
        is_to_change = is_own_method and name not in READS and who not in {"stranger", "viewer"}
        assert is_changed == (is_to_change and response.status_code < 400), f"{method}: changed: {is_changed}"
    assert found == wanted
