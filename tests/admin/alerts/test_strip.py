"""Alerts on every page: the one note, the index, and who may see which of them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin import AdminSite
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_scheduled_tasks.admin.alerts.alerts import AlertAdmin
from django_scheduled_tasks.admin.installation.health import Health
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Alert, PresenceKind, read_now
from django_scheduled_tasks.services.scheduling import presence
from tests.admin.pages import EXECUTIONS, TASKS
from tests.admin.test_object_permissions import MODEL_BACKEND, OnlyTheFirst
from tests.database import connection
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
ALERTS = reverse("admin:django_scheduled_tasks_alert_changelist")
LIVE = reverse("admin:django_scheduled_tasks_alert_live")


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture(autouse=True)
def well():
    for kind in PresenceKind:
        presence.seen(kind)


def make_alert(kind="failing", task=None, **values):
    number = Alert.objects.count()
    name = task.name if task else ""
    given = {"opened_at": read_now(), "open_key": f"{kind}:{number}", "task": task, "task_name": name}
    return Alert.objects.create(kind=kind, **given | values)


@pytest.fixture
def shown(client):
    client.force_login(make_user(*VIEWER))
    return lambda path=TASKS: text_of(client.get(path).content.decode())


def test_the_note_says_how_many_alerts_for_tasks_are_open_and_the_newest(shown):
    assert "open." not in shown()
    make_alert(task=make_task(name="sync-stock"))
    assert "1 alert for a task is open. sync-stock has failed. Show alerts" in shown()
    make_alert(task=make_task(name="send-digest"), count=2)
    for path in (TASKS, EXECUTIONS, f"{TASKS}upcoming/", "/admin/django_scheduled_tasks/presence/"):
        assert "2 alerts for tasks are open. send-digest has failed twice in a row. Show alerts" in shown(path), path
    assert "are open." not in shown(ALERTS)


def test_acknowledged_and_silent_ones_do_not_count(shown):
    now = read_now()
    make_alert(task=make_task(name="task-a"), acknowledged_at=now)
    make_alert(task=make_task(name="task-b"), silenced_until=now + timedelta(hours=1))
    make_alert(task=make_task(name="task-c"), closed_at=now, open_key=None)
    assert "Show alerts" not in shown()
    make_alert("late", task=make_task(name="task-d"), silenced_until=now - timedelta(hours=1))
    assert "1 alert for a task is open. task-d: It is due and has not started." in shown()


def test_what_is_about_the_installation_comes_first(shown):
    make_alert("no_worker", queue="reports")
    make_alert(task=make_task(name="send-digest"))
    assert "No worker takes what waits in the queue reports. · 1 more alert Show alerts" in shown()
    make_alert("stuck", queue="mail")
    assert "Queue mail: What waits is not taken, although a worker answers. · 2 more alerts" in shown()


def test_a_note_about_the_installation_ends_with_how_many_alerts_it_does_not_speak_of(shown, client):
    from django_scheduled_tasks.models import Presence
    from django_scheduled_tasks.services.releases import live

    Presence.objects.filter(kind="scheduler").update(last_seen_at=read_now() - timedelta(hours=1))
    live.forget()
    make_alert("no_scheduler")
    assert "more alert" not in shown()
    make_alert(task=make_task())
    make_alert(task=make_task())
    said = shown()
    assert "Nothing starts by schedule; Run once works." in said
    assert "· 2 more alerts" in said
    assert "Nothing starts by schedule; Run once" not in shown(ALERTS)  # a row says so
    Alert.objects.filter(kind="no_scheduler").delete()
    assert "Nothing starts by schedule; Run once works." in shown(ALERTS)  # who would open an alert?
    assert "more alerts" not in shown(ALERTS)


def test_the_index_lists_what_needs_attention_and_else_what_ran_last(shown):
    assert "All is well." in shown("/admin/")
    make_execution(make_task(name="sync-stock"), status=Status.COMPLETED)
    assert re.search(r"All is well. Last run: sync-stock, \d s ago ?\.", shown("/admin/"))
    for number in range(7):
        make_alert(task=make_task(name=f"task-{number}"))
    said = shown("/admin/")
    assert "All is well" not in said
    assert re.findall(r"task-\d", said) == [f"task-{number}" for number in (6, 5, 4, 3, 2)]
    assert "Needs attention Failing · task-6 · " in said
    assert "All 7 Scheduler seen" in said


def test_the_index_leads_to_the_execution_that_shows_why(client):
    client.force_login(make_user(superuser=True))
    task = make_task(name="invoice-run")
    failed = make_execution(task, status=Status.ERRORS)
    make_alert(task=task, latest_execution=failed.pk)
    page = client.get("/admin/").content.decode()
    assert f'<a href="/admin/django_scheduled_tasks/execution/{failed.pk}/change/">' in page


def test_pages_cost_one_statement_more_for_alerts_however_many_there_are(client, django_assert_max_num_queries):
    client.force_login(make_user(superuser=True))
    for number in range(30):
        make_alert(task=make_task(), acknowledged_at=read_now() if number % 2 else None)
    client.get(ALERTS)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            client.get(ALERTS)
        counts.append(len(queries))
        for _number in range(30):
            row = make_execution(make_task(), status=Status.ERRORS)
            make_alert(task=row.task, latest_execution=row.pk)
    assert counts[1] <= counts[0] + 1  # the executions
    assert counts[1] <= 15
    request = RequestFactory().get("/")
    request.user, request.session = make_user(superuser=True), {}
    health = Health(request, AdminSite())
    _ = health.found
    with CaptureQueriesContext(connection) as queries:
        health.note()
    assert len(queries) == 1


# --- who sees what


def test_who_may_not_see_a_task_sees_nothing_of_its_alerts_anywhere(client):
    secret = make_alert(task=make_task(name="secret-task"), count=2)
    make_alert("stuck", queue="mail")
    client.force_login(make_user("view_alert", "change_alert", "view_execution"))
    for path in (ALERTS, f"{ALERTS}?state=new", EXECUTIONS, "/admin/", f"{LIVE}?rows={secret.pk}&v=x&after=0"):
        page = client.get(path).content.decode()
        assert "secret-task" not in page, path
        assert "twice" not in page, path
        assert "more alert" not in page, path
    assert "Open 1 New 1" in text_of(client.get(ALERTS).content.decode())
    for page in ("change", "silence", "comment", "close", "history"):
        assert client.get(reverse(f"admin:django_scheduled_tasks_alert_{page}", args=[secret.pk])).status_code != 200
    assert client.post(reverse("admin:django_scheduled_tasks_alert_acknowledge", args=[secret.pk])).status_code == 403
    client.post(reverse("admin:django_scheduled_tasks_alert_acknowledge_all"), {"task": secret.task_id})
    client.post(reverse("admin:django_scheduled_tasks_alert_undo"), {"alert": secret.pk})
    secret.refresh_from_db()
    assert secret.acknowledged_at is None


def test_who_may_not_see_alerts_has_no_strip(client):
    make_alert(task=make_task(name="send-digest"))
    client.force_login(make_user("view_scheduledtask"))
    assert "Show alerts" not in (page := client.get(TASKS).content.decode())
    assert "has failed" not in page
    assert "Needs attention Failing" not in text_of(client.get("/admin/").content.decode())
    assert client.get(ALERTS).status_code == 403


def test_permissions_on_single_tasks_are_asked_one_by_one(client, settings, monkeypatch, engine):
    settings.AUTHENTICATION_BACKENDS = [MODEL_BACKEND, "tests.admin.test_object_permissions.OnlyTheFirst"]
    monkeypatch.setattr(OnlyTheFirst, "granted", frozenset({"view_scheduledtask", "change_alert"}))
    client.force_login(make_user("view_alert"), backend=MODEL_BACKEND)
    first, second = (make_alert(task=make_task(name=name)) for name in ("first", "second"))
    gone = make_alert(task_name="gone")
    page = client.get(ALERTS).content.decode()
    assert "first" in page
    assert "second" not in page
    codes = [
        client.post(reverse("admin:django_scheduled_tasks_alert_acknowledge", args=[row.pk])).status_code
        for row in (first, second, gone)
    ]
    assert codes == [302, 403, 403]


def test_a_site_that_registers_alerts_only_draws_their_page(rf):
    site = AdminSite(name="other")
    site.register(Alert, AlertAdmin)
    row = make_execution(make_task(), status=Status.ERRORS)
    make_alert(task=row.task, latest_execution=row.pk)
    make_alert("no_worker", queue="mail")
    request = rf.get("/")
    request.user, request.session = make_user(superuser=True), {}
    response = site._registry[Alert].changelist_view(request)
    assert "No worker" in response.render().content.decode()


# --- live


def poll(client, page):
    """Return what the page that was drawn as *page* is told next."""
    url = re.search(r'id="dst-live" hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    version = re.search(r'data-version="([^"]+)"', page)[1]
    return client.get(url, {"v": version} | dict(re.findall(r"[?&](\w+)=([^&]*)", url)))


def test_a_new_alert_is_a_bar_and_one_that_closes_stays_where_it_is(client):
    client.force_login(make_user(*OPERATOR))
    alert = make_alert(task=make_task(name="digest"), count=1)
    page = client.get(ALERTS).content.decode()
    assert poll(client, page).status_code == 204
    make_alert(task=make_task(name="stock"))
    said = poll(client, page)
    assert "1 new – show" in said.content.decode()
    assert "stock" not in said.content.decode()
    assert poll(client, said.content.decode()).status_code == 204
    now = read_now()
    Alert.objects.filter(pk=alert.pk).update(open_key=None, closed_at=now)
    said = poll(client, page).content.decode()
    assert f"#dst-alert-{alert.pk}-kind" in said
    assert "dst-wait" in said
    assert "It is over." in said
    assert "Acknowledge" not in said
    assert client.get(f"{LIVE}?rows=x.-1.9&after=&v=").status_code == 200
