"""Export from one environment, plan and import in another, by the commands: nothing is lost, nothing written twice."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core.management import CommandError, call_command

from django_scheduled_tasks.carrying import Act, export_document, make_plan
from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import Change, ScheduledTask
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services.tasks.edit import delete_task, pause, update_task
from tests.factories import make_task

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]
FULL = {
    "schedule_kind": "cron",
    "expression": "0 3 * * *",
    "timezone": "America/New_York",
    "starts_at": datetime(2027, 1, 1, 5, 30, 0, 250_000, tzinfo=UTC),
    "grace": timedelta(hours=2, minutes=30),
    "must_finish_by": time(6, 0),
    "overlap": "queue_all",
    "max_attempts": 3,
    "retry_on": ["ConnectionError"],
    "tags": ["mail", "night"],
    "description": "Zählt „alles“.",
    "queue": "slow",
    "log_level": "NONE",
    "delete_when_done": True,
    "enabled": False,
}


def document() -> dict:
    return json.loads(json.dumps(export_document(ScheduledTask.objects.all())))


def columns(row: ScheduledTask) -> dict:
    kept = {"id", "created_at", "updated_at", "next_run_at", "anchor", "expected_since", "stands_since"}
    return {
        column.attname: getattr(row, column.attname)
        for column in row._meta.concrete_fields
        if column.attname not in kept
    }


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("import_tasks", *arguments, stdout=out)
    except SystemExit as exc:
        return int(exc.code), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(found: object) -> str:
        path = tmp_path / "tasks.json"
        path.write_text(json.dumps(found))
        return str(path)

    return write


def test_a_round_trip_brings_every_column_and_the_second_plan_is_empty(file):
    make_task(name="full", function="testapp.add", params={"a": 1, "b": 2}, key="customer:1", **FULL)
    make_task(name="plain")
    found = document()
    before = {row.name: columns(row) for row in ScheduledTask.objects.all()}
    for row in ScheduledTask.objects.all():
        delete_task(row)
    code, said = run("json", file(found))
    assert code == 2
    assert "+ full" in said
    assert '    grace: "2h30m"' in said
    assert "2 to create, 0 to update, 0 to delete, 0 unchanged." in said
    assert not ScheduledTask.objects.exists()
    assert run("json", file(found), "--apply", "--reason", "new staging")[0] == 0
    assert {row.name: columns(row) for row in ScheduledTask.objects.all()} == before
    assert document() == found
    assert run("json", file(found)) == (0, "0 to create, 0 to update, 0 to delete, 2 unchanged.\n")
    assert set(Change.objects.filter(deed="created", reason="new staging").values_list("door", flat=True)) == {
        "import_tasks"
    }


def test_what_differs_is_shown_field_by_field_and_only_that_is_written(file):
    row = make_task(name="digest", function="testapp.add", params={"a": 1, "b": 2}, tags=["mail"])
    found = document()
    (task,) = found["tasks"]
    task["name"] = "Digest"
    task["params"] = {"a": 1, "b": 3}
    task["timeout"] = "90s"
    code, said = run("json", file(found))
    assert code == 2
    assert "~ digest" in said
    assert '    params: {"a": 1, "b": 2} -> {"a": 1, "b": 3}' in said
    assert '    timeout: null -> "1m30s"' in said or '    timeout: null -> "90s"' in said
    assert run("json", file(found), "--apply")[0] == 0
    again = ScheduledTask.objects.get()
    assert (again.pk, again.name, again.params["b"], again.timeout) == (row.pk, "Digest", 3, timedelta(seconds=90))
    (change,) = Change.objects.filter(deed="changed")
    assert {item["field"] for item in change.fields} == {"name", "params", "timeout"}


def test_a_key_tells_a_task_whatever_it_is_called():
    make_task(name="old", key="customer:1")
    found = document()
    found["tasks"][0]["name"] = "new"
    (item,) = make_plan(found).items
    assert (item.act, dict(item.changes)) == (Act.UPDATE, {"name": ("old", "new")})


def test_state_people_and_ids_are_not_carried():
    row = make_task(name="paused", schedule_kind="interval", expression="1h")
    pause(row, reason="for a while")
    text = json.dumps(document())
    assert str(row.pk) not in text
    assert "for a while" not in text
    assert not any("At" in name for name in document()["tasks"][0])


def test_secrets_are_masked_and_stay_what_they_are_where_the_task_is(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"SECRETS": ("PIN",)}
    row = make_task(name="secret", function="testapp.echo_secret", params={"password": "Pa55word!", "note": "x"})
    found = document()
    assert found["tasks"][0]["params"] == {"password": MASK, "note": "x"}
    assert make_plan(found).is_empty
    delete_task(row)
    (item,) = make_plan(found).items
    assert [(error.field, error.code) for error in item.errors] == [("params.password", "masked")]
    found["tasks"][0]["params"]["password"] = {"$secret": "PIN"}
    (item,) = make_plan(found).items
    assert (item.act, item.errors) == (Act.CREATE, [])


def test_one_that_is_as_the_code_declares_it_or_an_owners_is_left_out(capsys):
    make_task(name="declared", origin=Origin.CODE)
    changed = make_task(name="changed", origin=Origin.CODE, changed_fields=["queue"], queue="x")
    make_task(name="of an owner", owner_type="auth.user", owner_id="3")
    call_command("export_tasks")
    said = capsys.readouterr()
    assert [task["name"] for task in json.loads(said.out)["tasks"]] == [changed.name]
    assert "1 task exported; 2 left out" in said.err


def test_tags_choose_what_is_exported_and_what_is_pruned(tmp_path, file):
    make_task(name="mail", tags=["mail"])
    make_task(name="other", tags=["night"])
    call_command("export_tasks", "--tag", "mail", "--output", str(tmp_path / "out.json"), stderr=io.StringIO())
    found = json.loads((tmp_path / "out.json").read_text())
    assert [task["name"] for task in found["tasks"]] == ["mail"]
    make_task(name="mail too", tags=["mail"])
    make_task(name="of the code", tags=["mail"], origin=Origin.CODE, changed_fields=["queue"])
    make_task(name="an owners", tags=["mail"], owner_type="auth.user", owner_id="3")
    assert make_plan(found).is_empty
    code, said = run("json", file(found), "--prune", "--tag", "mail")
    assert (code, "- mail too" in said, "1 to delete" in said) == (2, True, True)
    assert run("json", file(found), "--prune", "--tag", "mail", "--apply")[0] == 0
    assert set(ScheduledTask.objects.values_list("name", flat=True)) == {"mail", "other", "of the code", "an owners"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda found: found.update(format="else"), "document"),
        (lambda found: found.update(version=2), "version"),
        (lambda found: found.update(tasks={}), "tasks"),
        (lambda found: found["tasks"].append(3), "tasks.1"),
        (lambda found: found["tasks"].append({"name": "ONE", "function": "testapp.noop"}), "tasks.1.name"),
        (lambda found: found["tasks"][0].update(colour="red"), "tasks.0.colour"),
        (lambda found: found["tasks"][0].update(grace="soon"), "tasks.0.grace"),
        (lambda found: found["tasks"][0].update(grace=3), "tasks.0.grace"),
        (lambda found: found["tasks"][0].update(enabled="yes"), "tasks.0.enabled"),
        (lambda found: found["tasks"][0].update(startsAt="2027-01-01T00:00"), "tasks.0.startsAt"),
        (lambda found: found["tasks"][0].update(mustFinishBy="late"), "tasks.0.mustFinishBy"),
        (lambda found: found["tasks"][0].update(name=3), "tasks.0.name"),
        (lambda found: found["tasks"][0].pop("function"), "tasks.0.function"),
    ],
)
def test_what_is_no_such_document_is_refused_with_its_place(change, field):
    make_task(name="one")
    found = document()
    change(found)
    with pytest.raises(InvalidInput) as caught:
        make_plan(found)
    assert field in [error.field for error in caught.value.errors]


def test_a_task_that_cannot_be_is_named_and_nothing_is_written(file):
    make_task(name="one")
    found = document()
    found["tasks"] += [
        {"name": "good", "function": "testapp.noop"},
        {"name": "bad", "function": "gone.away", "scheduleKind": "cron", "expression": "never"},
    ]
    with pytest.raises(CommandError) as caught:
        run("json", file(found), "--apply")
    assert str(caught.value).splitlines()[0].startswith("bad.expression: ")
    assert "bad.function: " in str(caught.value)
    assert ScheduledTask.objects.count() == 1


def test_a_file_that_is_no_json_or_not_there_is_said(tmp_path):
    (tmp_path / "x.json").write_text("{")
    for name in ("x.json", "y.json"):
        with pytest.raises(CommandError, match="cannot be read"):
            run("json", str(tmp_path / name))


def test_a_change_between_plan_and_import_is_not_lost():
    from django_scheduled_tasks.carrying import apply_plan

    row = make_task(name="one", queue="a")
    found = document()
    found["tasks"][0]["queue"] = "b"
    plan = make_plan(found)
    update_task(row, description="by somebody")
    apply_plan(plan)
    row.refresh_from_db()
    assert (row.queue, row.description) == ("b", "by somebody")
