"""``import_tasks`` and ``resume_tasks``: what is written, by whom, and what is left alone."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import Schedule

from django_scheduled_tasks import management_command
from django_scheduled_tasks.models import Change, ScheduledTask, read_now
from django_scheduled_tasks.moving import functions
from django_scheduled_tasks.moving.names import task_name
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.tasks.edit import pause, resume, update_task
from tests.factories import make_task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _zone(settings):
    settings.Q_CLUSTER = {"time_zone": "UTC", "catch_up": False, "orm": "default"}


def make(name="nightly", **values) -> Schedule:
    """Make a schedule of django-q2; its function is one of ours."""
    values = {
        "func": "tests.testapp.tasks.noop",
        "schedule_type": "D",
        "next_run": read_now() + timedelta(hours=3),
    } | values
    return Schedule.objects.bulk_create([Schedule(name=name, **values)])[0]


def run(*args: str, command: str = "import_tasks") -> str:
    """Call the command, and return what it prints."""
    out = StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue()


def move(*args: str) -> str:
    return run("django-q2", *args)


def test_nothing_is_written_without_apply():
    make()
    assert "same     create    nightly" in (said := move())
    assert "1 tasks of django-q2: 1 same (1 create)" in said
    assert "Nothing has been written" in said
    assert not ScheduledTask.objects.exists()


def test_tasks_are_created_paused_with_the_reason_and_the_door():
    row = make()
    move("--apply")
    task = ScheduledTask.objects.get()
    assert (task.name, task.function, task.moved_from) == ("nightly", "testapp.noop", f"django-q2:{row.pk}")
    assert task.is_paused(read_now())
    assert task.pause_reason == "moved in from django-q2"
    assert task.next_run_at is None
    assert task.starts_at == row.next_run.replace(microsecond=0)
    change = Change.objects.get(task=task.pk)
    assert (change.way, change.door, change.reason) == ("command", "import_tasks", f"moved in from django-q2:{row.pk}")


def test_resuming_lets_those_go_on_that_nobody_paused_for_another_reason():
    make("one"), make("two"), make("three")
    other = pause(make_task(name="other"), reason="moved in from elsewhere")
    move("--apply")
    two, three = (ScheduledTask.objects.get(name=name) for name in ("two", "three"))
    resume(two)
    pause(two, reason="Holidays")
    resume(three)
    said = run("--imported", "django-q2", command="resume_tasks")
    assert "1 tasks go on" in said
    assert ScheduledTask.objects.get(name="one").next_run_at is not None
    assert ScheduledTask.objects.get(name="two").paused_at is not None
    assert ScheduledTask.objects.get(pk=other.pk).paused_at is not None
    assert "0 tasks go on" in run("--imported", command="resume_tasks")


def test_a_second_run_updates_what_nobody_changed_and_resumes_nothing():
    changed, untouched = make("changed"), make("untouched")
    move("--apply")
    assert "2 unchanged" in move("--apply")
    resume(ScheduledTask.objects.get(name="untouched"))
    update_task(ScheduledTask.objects.get(name="changed"), description="Ours now.")
    Schedule.objects.update(repeats=5)
    said = move("--apply")
    assert "1 update, 1 kept" in said
    tasks = {task.moved_from: task for task in ScheduledTask.objects.all()}
    assert tasks[f"django-q2:{changed.pk}"].max_runs is None
    assert tasks[f"django-q2:{untouched.pk}"].max_runs == 5
    assert tasks[f"django-q2:{untouched.pk}"].paused_at is None
    assert tasks[f"django-q2:{changed.pk}"].paused_at is not None
    assert ScheduledTask.objects.count() == 2


def test_a_pause_by_somebody_is_no_change_of_the_task():
    make()
    move("--apply")
    resume(ScheduledTask.objects.get())
    pause(ScheduledTask.objects.get(), reason="Holidays")
    Schedule.objects.update(repeats=5)
    assert "1 update" in move("--apply")
    assert ScheduledTask.objects.get().pause_reason == "Holidays"


def test_undo_deletes_what_nobody_touched():
    make("untouched"), make("resumed"), make("changed")
    own = make_task(name="own")
    move("--apply")
    resume(ScheduledTask.objects.get(name="resumed"))
    update_task(ScheduledTask.objects.get(name="changed"), description="Ours now.")
    assert "1 tasks would be deleted (with --apply), 2 kept." in move("--undo")
    assert ScheduledTask.objects.count() == 4
    said = move("--undo", "--apply")
    assert "1 tasks deleted, 2 kept." in said
    assert "changed: it has been changed here" in said
    assert {task.name for task in ScheduledTask.objects.all()} == {"resumed", "changed", own.name}


def test_differences_and_losses_have_to_be_accepted():
    make("fine"), make("hooked", hook="a.b"), make("month end", schedule_type="M", next_run="2027-01-31T05:00Z")
    with pytest.raises(CommandError, match='--accept "hooked" --accept "month end"'):
        move("--apply")
    assert not ScheduledTask.objects.exists()
    with pytest.raises(CommandError, match="1 of 3"):
        move("--apply", "--accept", "hooked")
    move("--apply", "--accept", "hooked", "--accept", "month end")
    assert ScheduledTask.objects.count() == 3


def test_all_that_differ_at_clock_changes_only_can_be_accepted_at_once(settings):
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"time_zone": "Europe/Berlin"}
    make("twice", schedule_type="C", cron="30 2 * * *")
    with pytest.raises(CommandError, match="--accept-clock-changes"):
        move("--apply")
    assert "Only django-q2:" in move()
    move("--apply", "--accept-clock-changes")
    assert ScheduledTask.objects.get().timezone == "Europe/Berlin"


def test_what_cannot_be_moved_is_left_out_and_said():
    make("broken", args="__import__('os')"), make("fine"), make("wrong", func="tests.testapp.tasks.add", kwargs="a='x'")
    said = move("--apply")
    assert "cannot   left out  broken" in said
    assert "params.a:" in said
    assert [task.name for task in ScheduledTask.objects.all()] == ["fine"]


def test_it_is_one_transaction(monkeypatch):
    make("one"), make("two")
    from django_scheduled_tasks.moving import write

    create, calls = write.create_task, []

    def fail_at_the_second(**values):
        calls.append(values["name"])
        if len(calls) > 1:
            raise CommandError("no")
        return create(**values)

    monkeypatch.setattr(write, "create_task", fail_at_the_second)
    with pytest.raises(CommandError, match="no"):
        move("--apply")
    assert not ScheduledTask.objects.exists()


def test_what_somebody_else_moved_in_meanwhile_is_said(monkeypatch):
    make("one")
    from django_scheduled_tasks.moving import foreign

    apply = foreign.apply

    def after_another(items, **options):
        make_task(name="theirs", moved_from=items[0].row.key)
        apply(items, **options)

    monkeypatch.setattr(foreign, "apply", after_another)
    with pytest.raises(CommandError, match="somebody else has moved"):
        move("--apply")


def test_arguments_by_position_get_names():
    make("named", func="tests.testapp.tasks.add", args="1, 5")
    make("many", func="tests.testapp.tasks.add", args="1, 2, 3")
    make("double", func="tests.testapp.tasks.add", args="1", kwargs="a=2")
    said = move("--apply")
    assert ScheduledTask.objects.get().params == {"a": 1, "b": 5}
    assert "testapp.add takes fewer" in said
    assert "gives a twice" in said


def test_a_function_that_is_not_registered_gets_a_stub():
    make("one", func="shop.tasks.bill", args="1, 'x'", kwargs="dry=True")
    make("two", func="django.core.management.call_command", args="'clearsessions'")
    make("known", func="json.dumps", args="1")
    said = move("--apply")
    assert "def bill(arg1: int, arg2: str, dry: bool) -> None:" in said
    assert 'management_command("clearsessions")' in said
    assert "scheduled_task(dumps)  # dumps(obj, *, skipkeys" in said
    assert not ScheduledTask.objects.exists()


LINE = "0 3 * * * manage.py tidy_up here 1 2 --since=2027-01-01 --level 3 --dry-run --keep-logs --only a --only b -v2"


def test_the_words_behind_a_command_are_read_by_its_parser(monkeypatch, tmp_path):
    for name in ("_functions", "_declarations", "_by_name", "_former"):
        monkeypatch.setattr(registry, name, type(getattr(registry, name))(getattr(registry, name)))
    management_command("tidy_up")
    path = tmp_path / "lines"
    path.write_text(f"{LINE}\n0 4 * * * manage.py tidy_up --level 9\n0 5 * * * manage.py no_such_command x\n")
    said = run("crontab", str(path), "--apply", "--timezone", "UTC")
    assert ScheduledTask.objects.get().params == {
        "place": "here",
        "more": [1, 2],
        "since": "2027-01-01",
        "level": 3,
        "dry_run": True,
        "logs": False,
        "only": ["a", "b"],
    }
    assert "The command does not take its arguments" in said
    assert 'management_command("no_such_command")' in said


def test_a_stub_that_has_been_pasted_is_found(monkeypatch, tmp_path):
    for name in ("_functions", "_declarations", "_by_name", "_former"):
        monkeypatch.setattr(registry, name, type(getattr(registry, name))(getattr(registry, name)))
    path = tmp_path / "lines"
    path.write_text("0 3 * * * /usr/bin/rsync -a /srv host.example:/srv\n0 4 * * * 1st.sh\n")
    said = run("crontab", str(path))
    stubs = said.partition("--map:")[2].partition("2 tasks of crontab")[0]
    source = "\n".join(line.removeprefix("    ") for line in stubs.splitlines())
    exec(compile(source, "stubs", "exec"), {"__name__": "tests.testapp.tasks"})
    assert "2 create" in run("crontab", str(path), "--apply")


def test_a_row_imports_nothing():
    make("one", func="antigravity.fly")
    move()
    import sys

    assert "antigravity" not in sys.modules


def test_a_map_names_functions(tmp_path):
    path = tmp_path / "map.toml"
    path.write_text(
        '"shop.tasks.bill" = "testapp.noop"\n"out" = false\n'
        '"shop.tasks.add" = {function = "testapp.add", params = {a = 4}}\n'
    )
    make("one", func="shop.tasks.bill"), make("out"), make("two", func="shop.tasks.add", args="'x'")
    said = move("--apply", "--map", str(path))
    assert {task.name: (task.function, task.params) for task in ScheduledTask.objects.all()} == {
        "one": ("testapp.noop", {}),
        "two": ("testapp.add", {"a": 4}),
    }
    assert functions.LEFT_OUT in said


@pytest.mark.parametrize("text", ['"a" = "no.such"', "a = 1", "a =", '"a" = {params = {}}'])
def test_a_map_that_is_wrong(tmp_path, text):
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(CommandError, match="--map"):
        move("--map", str(path))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop.tasks.sync: nightly (EU)", "shop-tasks-sync nightly EU"),
        ("this", "task this"),
        ("x", "task x"),
        ("…", "task"),
        ("taken", "taken 2"),
        ("a" * 100, "a" * 64),
        ("--flag", "flag"),
    ],
)
def test_names_are_made_of_what_a_name_may_have(name, expected):
    found = task_name(name, {"taken"})
    assert found == expected
    make_task(name=found)


def test_two_rows_of_one_name_and_a_name_that_is_taken():
    make_task(name="Nightly")
    make("nightly"), make("nightly")
    move("--apply")
    assert {task.name for task in ScheduledTask.objects.all()} == {"Nightly", "nightly 2", "nightly 3"}


def test_a_name_that_had_to_change_is_kept_in_the_description_at_a_second_run_too():
    make("a.b")
    move("--apply")
    assert ScheduledTask.objects.get().description == "Was called a.b."
    assert "1 unchanged" in move("--apply")


def test_parameters_that_are_secret_are_not_shown():
    make("one", func="shop.tasks.bill", kwargs="password='s3cret'")
    assert "s3cret" not in move()


def test_the_plan_takes_as_many_statements_for_many_as_for_one():
    def statements():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            move()
        return len(captured)

    make(func="a.b")
    one = statements()
    for number in range(20):
        make(f"task {number}", func="a.b")
    assert statements() == one


def test_the_same_through_lists(tmp_path):
    path = tmp_path / "list"
    path.write_text(
        json.dumps({"name": "a", "kind": "crontab", "fields": {"line": "@daily"}, "function": "testapp.noop"})
    )
    run("list", str(path), "--apply")
    assert ScheduledTask.objects.get().expression == "0 0 * * *"


class TestCheck:
    @pytest.fixture(autouse=True)
    def _engine(self, settings):
        settings.SCHEDULED_TASKS = {}

    def messages(self):
        from django_scheduled_tasks.checks.rows import check_schedules_of_django_q

        return check_schedules_of_django_q()

    def test_schedules_that_never_run_are_named(self, settings):
        assert self.messages() == []
        make(), make("done", repeats=0)
        assert self.messages() == []
        settings.Q_CLUSTER = settings.Q_CLUSTER | {"scheduler": False}
        (message,) = self.messages()
        assert (message.id, "never run: nightly." in message.msg) == ("scheduled_tasks.W017", True)
        move("--apply")
        assert self.messages() == []

    def test_schedules_that_run_twice_are_named(self, settings):
        for number in range(7):
            make(f"task {number}")
        move("--apply")
        assert self.messages() == []
        run("--imported", command="resume_tasks")
        (message,) = self.messages()
        assert "run twice" in message.msg
        assert "and 2 more" in message.msg
        settings.Q_CLUSTER = settings.Q_CLUSTER | {"scheduler": False}
        assert self.messages() == []

    def test_another_engine_has_no_such_schedules(self, settings):
        make()
        settings.Q_CLUSTER = {"scheduler": False}
        settings.SCHEDULED_TASKS = {"ENGINE": "django_scheduled_tasks.engines.immediate.ImmediateEngine"}
        assert self.messages() == []
