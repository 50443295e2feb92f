"""Who may make which call: every call, as every kind of user, on an object that is theirs and on one that is not."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.contrib.auth.backends import BaseBackend
from django.db.models import Model

from django_scheduled_tasks.api.urls import router
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import (
    Alert,
    AlertRule,
    Calendar,
    Change,
    Channel,
    Execution,
    ExecutionLog,
    Hold,
    ScheduledTask,
    read_now,
)
from django_scheduled_tasks.services.tasks.holds import hold
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import EDITOR, OPERATOR, OWNER, VIEWER, make_execution, make_task, make_user
from tests.selection import some_in_gate

pytestmark = pytest.mark.django_db
LEVELS = {
    "stranger": (),
    "nobody": ("add_group",),
    "viewer": VIEWER,
    "operator": OPERATOR,
    "editor": EDITOR,
    "owner": OWNER,
}
RANK = {name: rank for rank, name in enumerate(LEVELS)}
HOLD = 987_654
"""The number of the hold: that of no execution."""
ALERT = 876_543
"""That of the alert."""
RULE, CHANNEL, CHANGE = 765_432, 654_321, 543_210
NEW_RULE = {"name": "new", "kinds": ["late"], "channels": [CHANNEL]}
NEW = {"name": "new", "function": "testapp.noop"}
KEYED = {"function": "testapp.noop", "description": "x"}
RANGE = {"from": "2026-03-20T00:00:00Z", "to": "2026-03-20T00:00:00Z"}
SILENT = {"until": "2100-01-01T00:00:00Z"}
CALENDAR = 432_109
ICS = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20271224\nEND:VEVENT\nEND:VCALENDAR"
NUMBERS = dict.fromkeys(("hold", "alert", "rule", "channel", "change", "key", "calendar"), 1)
"""What the addresses below need beside a task and an execution, where it is refused before anything is looked up."""
# call: (method, address, body, least level, status then, permission asked on the object)
CALLS: dict[str, tuple[str, str, Any, str, int, str]] = {
    "tasks_list": ("get", "tasks/", None, "viewer", 200, ""),
    "tasks_create": ("post", "tasks/", NEW, "editor", 201, ""),
    "tasks_retrieve": ("get", "tasks/{task}/", None, "viewer", 200, "view_scheduledtask"),
    "tasks_update": ("put", "tasks/{task}/", NEW, "editor", 200, "change_scheduledtask"),
    "tasks_partial_update": ("patch", "tasks/{task}/", {"description": "x"}, "editor", 200, "change_scheduledtask"),
    "tasks_destroy": ("delete", "tasks/{task}/", None, "owner", 204, "delete_scheduledtask"),
    "tasks_run_once": ("post", "tasks/{task}/run-once/", {}, "operator", 202, "run_scheduledtask"),
    "tasks_run_many": ("post", "tasks/{task}/run-many/", {"params": [{}]}, "operator", 202, "run_scheduledtask"),
    "tasks_status": ("get", "tasks/{task}/status/{execution}/", None, "viewer", 200, "view_execution"),
    "tasks_pause": ("post", "tasks/{task}/pause/", {}, "editor", 200, "pause_scheduledtask"),
    "tasks_resume": ("post", "tasks/{task}/resume/", {}, "editor", 200, "pause_scheduledtask"),
    "tasks_skip": ("post", "tasks/{task}/skip/", {}, "editor", 200, "pause_scheduledtask"),
    "tasks_undo_skip": ("delete", "tasks/{task}/skip/", None, "editor", 200, "pause_scheduledtask"),
    "tasks_backfill": ("post", "tasks/{task}/backfill/", RANGE, "operator", 202, "run_scheduledtask"),
    "tasks_preview_change": ("post", "tasks/{task}/preview-change/", {}, "editor", 200, "change_scheduledtask"),
    "tasks_upcoming": ("get", "tasks/{task}/upcoming/", None, "viewer", 200, "view_scheduledtask"),
    "tasks_explain": ("get", "tasks/{task}/explain/?at=02:00", None, "viewer", 200, "view_scheduledtask"),
    "tasks_by_key": ("get", "tasks/by-key/{key}/", None, "viewer", 200, "view_scheduledtask"),
    "tasks_put_by_key": ("put", "tasks/by-key/{key}/", KEYED, "editor", 200, "change_scheduledtask"),
    "tasks_delete_by_key": ("delete", "tasks/by-key/{key}/", None, "owner", 204, "delete_scheduledtask"),
    "tasks_export": ("get", "tasks/export/", None, "viewer", 200, ""),
    "tasks_import_": (
        "post",
        "tasks/import/",
        {"document": {"format": "scheduled tasks", "version": 1, "tasks": []}},
        "editor",
        200,
        "",
    ),
    "tasks_bulk": ("post", "tasks/bulk/", {"tasks": [{"key": "mine", **KEYED}]}, "editor", 200, ""),
    "holds_list": ("get", "holds/", None, "viewer", 200, ""),
    "holds_create": ("post", "holds/", {"reason": "deploy"}, "editor", 201, ""),
    "holds_partial_update": ("patch", "holds/{hold}/", {"reason": "longer"}, "editor", 200, "change_hold"),
    "holds_release": ("post", "holds/{hold}/release/", {}, "editor", 200, "change_hold"),
    "alerts_list": ("get", "alerts/", None, "viewer", 200, ""),
    "alerts_retrieve": ("get", "alerts/{alert}/", None, "viewer", 200, "view_alert"),
    "alerts_acknowledge": ("post", "alerts/{alert}/acknowledge/", {}, "operator", 200, "change_alert"),
    "alerts_unacknowledge": ("post", "alerts/{alert}/unacknowledge/", {}, "operator", 200, "change_alert"),
    "alerts_close": ("post", "alerts/{alert}/close/", {}, "operator", 200, "change_alert"),
    "alerts_silence": ("post", "alerts/{alert}/silence/", SILENT, "operator", 200, "change_alert"),
    "alert_rules_list": ("get", "alert-rules/", None, "owner", 200, ""),
    "alert_rules_create": ("post", "alert-rules/", NEW_RULE, "owner", 201, ""),
    "alert_rules_retrieve": ("get", "alert-rules/{rule}/", None, "owner", 200, "view_alertrule"),
    "alert_rules_partial_update": ("patch", "alert-rules/{rule}/", {"name": "x"}, "owner", 200, "change_alertrule"),
    "alert_rules_destroy": ("delete", "alert-rules/{rule}/", None, "owner", 204, "delete_alertrule"),
    "calendars_list": ("get", "calendars/", None, "owner", 200, ""),
    "calendars_create": ("post", "calendars/", {"name": "new"}, "owner", 201, ""),
    "calendars_retrieve": ("get", "calendars/{calendar}/", None, "owner", 200, "view_calendar"),
    "calendars_partial_update": ("patch", "calendars/{calendar}/", {"zone": "UTC"}, "owner", 200, "change_calendar"),
    "calendars_destroy": ("delete", "calendars/{calendar}/", None, "owner", 204, "delete_calendar"),
    "calendars_year": ("get", "calendars/{calendar}/year/2027/", None, "owner", 200, "view_calendar"),
    "calendars_import_ics": ("post", "calendars/{calendar}/import-ics/", {"ics": ICS}, "owner", 200, "change_calendar"),
    "channels_list": ("get", "channels/", None, "owner", 200, ""),
    "channels_create": ("post", "channels/", {"name": "new", "kind": "mail"}, "owner", 201, ""),
    "channels_retrieve": ("get", "channels/{channel}/", None, "owner", 200, "view_channel"),
    "channels_partial_update": ("patch", "channels/{channel}/", {"name": "x"}, "owner", 200, "change_channel"),
    "channels_destroy": ("delete", "channels/{channel}/", None, "owner", 204, "delete_channel"),
    "channels_test": ("post", "channels/{channel}/test/", {}, "owner", 200, "change_channel"),
    "changes_list": ("get", "audit/", None, "owner", 200, ""),
    "changes_retrieve": ("get", "audit/{change}/", None, "owner", 200, "view_change"),
    "executions_list": ("get", "executions/", None, "viewer", 200, ""),
    "executions_retrieve": ("get", "executions/{execution}/", None, "viewer", 200, "view_execution"),
    "executions_logs": ("get", "executions/{execution}/logs/", None, "operator", 200, "view_execution_logs"),
    # The tests' server is one under WSGI; that is said only to those who may.
    "executions_events": ("get", "executions/{execution}/events/", None, "viewer", 501, "view_execution"),
    "executions_comments": ("get", "executions/{execution}/comments/", None, "viewer", 200, "view_execution"),
    "executions_comment": (
        *("post", "executions/{execution}/comments/", {"text": "known"}, "operator", 201, "comment_execution"),
    ),
    "executions_cancel": ("post", "executions/{execution}/cancel/", {}, "operator", 200, "cancel_execution"),
    "executions_rerun": ("post", "executions/{execution}/rerun/", {}, "operator", 202, "run_scheduledtask"),
    "events_list": ("get", "events/", None, "viewer", 501, ""),
    "functions_list": ("get", "functions/", None, "viewer", 200, ""),
    "schedules_preview": ("post", "schedules/preview/", {"scheduleKind": "manual"}, "viewer", 200, ""),
    "load_clock_changes": ("get", "load/clock-changes/", None, "viewer", 200, ""),
    "load_list": ("get", "load/", None, "viewer", 200, ""),
    "health_list": ("get", "health/", None, "viewer", 503, ""),
}


class OneObjectBackend(BaseBackend):
    """Gives the permissions of a level on single objects: a user called ``level@pk@pk…`` has them on these objects."""

    def has_perm(self, user_obj: Any, perm: str, obj: Model | None = None) -> bool:
        level, *keys = user_obj.get_username().split("@")
        codename = perm.removeprefix("django_scheduled_tasks.")
        return obj is not None and str(obj.pk) in keys and codename in LEVELS.get(level, ())


@pytest.fixture
def execution(engine) -> Execution:
    task = make_task(name="mine", overlap="allow", schedule_kind="cron", expression="0 * * * *")
    ScheduledTask.objects.filter(pk=task.pk).update(key="mine")
    hold("tag", tag="other", reason="x")
    Hold.objects.update(id=HOLD)
    now = read_now()
    Alert.objects.create(id=ALERT, kind="no_worker", opened_at=now, open_key="no_worker:")
    Channel.objects.create(id=CHANNEL, name="mine", kind="mail", address="mine@example.com")
    AlertRule.objects.create(id=RULE, name="mine", kinds=["late"])
    Calendar.objects.create(id=CALENDAR, name="mine", updated_at=now)
    Change.objects.create(id=CHANGE, at=now, deed="held", task_name="tag:other")
    return make_execution(task)


def ask(client: Any, call: str, execution: Execution) -> Any:
    method, address, body, *_ = CALLS[call]
    numbers = {"hold": HOLD, "alert": ALERT, "rule": RULE, "channel": CHANNEL, "change": CHANGE, "calendar": "mine"}
    address = address.format(task=execution.task_name, execution=execution.tracking_id, key="mine", **numbers)
    return getattr(client, method)(f"{ROOT}/{address}", body, format="json" if body is not None else None)


def state() -> list[Any]:
    """Return all that there is, to see that nothing changes."""
    models = (ScheduledTask, Execution, ExecutionLog, Hold, Alert, AlertRule, Channel, Calendar)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_no_call_is_missing_here():
    found = set()
    for pattern in router.urls:
        view = pattern.callback
        found |= {f"{view.cls.noun}_{name}" for name in view.actions.values()}
    assert found == set(CALLS)


def is_at_the_border(pair: tuple[str, str]) -> bool:
    """Whether a level is the first one that may make a call, or the last one that may not."""
    call, level = pair
    return RANK[CALLS[call][3]] - RANK[level] in {0, 1}


@pytest.mark.parametrize(("call", "level"), some_in_gate(product(CALLS, LEVELS), gate=is_at_the_border))
def test_each_call_as_each_kind_of_user(call, level, execution):
    _method, _address, _body, least, allowed, _permission = CALLS[call]
    before = state()
    response = ask(client_of(*LEVELS[level]), call, execution)
    if RANK[level] >= RANK[least]:
        assert response.status_code == allowed, response.content
        return
    expected = (401, "not_authenticated") if level == "stranger" else (403, "permission_denied")
    assert (response.status_code, codes(response)[0][0]) == expected
    assert state() == before


@pytest.mark.parametrize(("call", "level"), some_in_gate(product(CALLS, list(LEVELS)[1:]), gate=is_at_the_border))
@pytest.mark.parametrize("right", [True, False], ids=["the right object", "the wrong object"])
def test_each_call_with_permissions_on_single_objects(call, level, right, execution, settings):
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, f"{__name__}.OneObjectBackend"]
    other = make_execution(make_task(name="theirs"))
    mine = [execution.task.pk, execution.pk, HOLD, ALERT, RULE, CHANNEL, CHANGE, CALENDAR]
    theirs = mine if right else [other.task.pk, other.pk]
    client = client_of(user=make_user(name="@".join(map(str, [level, *theirs]))))
    _method, address, _body, least, allowed, _permission = CALLS[call]
    before = state()
    response = ask(client, call, execution)
    if "{" in address and right and RANK[level] >= RANK[least]:
        assert response.status_code == allowed, response.content
        return
    # What is about no single object needs the permission on all of them.
    assert (response.status_code, codes(response)[0][0]) == (403, "permission_denied")
    assert state() == before


@pytest.mark.parametrize("call", [name for name, call in CALLS.items() if call[5]])
def test_each_call_asks_for_its_own_permission_and_no_other(call, execution, settings, monkeypatch):
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, f"{__name__}.OneObjectBackend"]
    _method, _address, _body, _least, allowed, permission = CALLS[call]
    subject: Any = execution.task if permission.endswith("scheduledtask") else execution
    subject = Hold.objects.get() if permission.endswith("hold") else subject
    subject = Alert.objects.get() if permission.endswith("alert") else subject
    subject = AlertRule.objects.get(pk=RULE) if permission.endswith("alertrule") else subject
    subject = Channel.objects.get(pk=CHANNEL) if permission.endswith("channel") else subject
    subject = Calendar.objects.get(pk=CALENDAR) if permission.endswith("calendar") else subject
    subject = Change.objects.get(pk=CHANGE) if permission.endswith("view_change") else subject
    others = tuple(name for name in OWNER if name != permission)
    monkeypatch.setitem(LEVELS, "one", (permission,))
    monkeypatch.setitem(LEVELS, "others", others)
    keys = f"@{execution.task.pk}@{execution.pk}@{HOLD}@{ALERT}@{RULE}@{CHANNEL}@{CHANGE}@{CALENDAR}"
    assert ask(client_of(user=make_user(name=f"others{keys}")), call, execution).status_code == 403
    assert ask(client_of(user=make_user(name=f"one@{subject.pk}")), call, execution).status_code == allowed


@pytest.mark.parametrize(
    "call", [name for name, call in CALLS.items() if "{" in call[1] and name != "tasks_put_by_key"]
)
def test_what_is_not_there_is_404_for_who_is_logged_in_and_401_for_strangers(call, execution):
    Execution.objects.all().delete()
    Hold.objects.all().delete()
    Alert.objects.all().delete()
    AlertRule.objects.all().delete()
    Channel.objects.all().delete()
    Change.objects.all().delete()
    Calendar.objects.all().delete()
    execution.task.delete()
    response = ask(client_of(*OWNER), call, execution)
    assert (response.status_code, codes(response)[0][0].partition("_")[2]) == (404, "not_found")
    assert ask(client_of(), call, execution).status_code == 401


def test_an_inactive_user_may_nothing(execution):
    user = make_user(superuser=True)
    user.is_active = False
    user.save()
    assert ask(client_of(user=user), "tasks_run_once", execution).status_code == 403


def test_a_running_execution_of_another_task_is_not_told(execution):
    other = make_execution(make_task(name="theirs"), status=Status.PROCESSING)
    response = client_of(*OWNER).get(f"{ROOT}/tasks/mine/status/{other.tracking_id}/")
    assert (response.status_code, codes(response)) == (404, [("execution_not_found", "")])
