"""What each scheduler keeps is read as it is meant, and nothing of it is lost without a word."""

from __future__ import annotations

import base64
import json
import pickle
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_q.models import Schedule

from django_scheduled_tasks.moving import registered_sources
from django_scheduled_tasks.moving.sources import apscheduler, celery_beat, django_tasks_scheduler, tables
from django_scheduled_tasks.moving.sources.crontab import read_lines
from django_scheduled_tasks.moving.sources.pickles import NotReadable, read
from tests.moving.foreign import make_table

DATA = Path(__file__).parent / "data"
JOBS = {key: base64.b64decode(value) for key, value in json.loads((DATA / "jobs.json").read_text()).items()}


def rows_of(name, **options):
    """Return the rows that a source reads, by name."""
    values = {"database": None, "table": None, "setting": "CELERY_BEAT_SCHEDULE", "timezone": None}
    return {row.name: row for row in registered_sources()[name].rows(values | options)}


def instant(*parts):
    return datetime(*parts, tzinfo=UTC)


class TestCeleryBeat:
    @pytest.fixture
    def beat(self, db):
        def make(*tasks, crontabs=(), intervals=(), clocked=()):
            make_table("django_celery_beat_crontabschedule", celery_beat._CRONTAB, crontabs)
            make_table("django_celery_beat_intervalschedule", celery_beat._INTERVAL, intervals)
            make_table("django_celery_beat_clockedschedule", celery_beat._CLOCKED, clocked)
            rows = [
                {"enabled": True, "args": "[]", "kwargs": "{}", "task": "shop.run", "one_off": False} | task
                for task in tasks
            ]
            make_table("django_celery_beat_periodictask", celery_beat._TASK, rows)
            return rows_of("celery-beat")

        return make

    CRONTAB = {
        "id": 1,
        "minute": "0",
        "hour": "3",
        "day_of_week": "1",
        "day_of_month": "*",
        "month_of_year": "*",
        "timezone": "Europe/Berlin",
    }

    def test_start_end_one_off_expiry_and_queue(self, beat):
        row = beat(
            {
                "id": 7,
                "name": "a",
                "crontab_id": 1,
                "one_off": True,
                "expires": instant(2027, 3, 1),
                "start_time": instant(2027, 2, 1),
                "expire_seconds": 90,
                "queue": "fast",
                "description": "Old.",
                "args": "[1]",
                "kwargs": '{"b": 2}',
            },
            crontabs=[self.CRONTAB],
        )["a"]
        assert (row.key, row.args, row.kwargs) == ("celery-beat:7", [1], {"b": 2})
        assert row.columns() == {
            "schedule_kind": "cron",
            "expression": "0 3 * * 1",
            "timezone": "Europe/Berlin",
            "starts_at": instant(2027, 2, 1),
            "ends_at": instant(2027, 3, 1),
            "max_runs": 1,
            "expires_after": timedelta(seconds=90),
            "queue": "fast",
            "description": "Old.",
            "enabled": True,
        }
        assert not row.losses

    def test_an_interval_counts_on_from_the_last_run(self, beat):
        rows = beat(
            {"id": 1, "name": "ran", "interval_id": 1, "last_run_at": instant(2026, 1, 1, 5)},
            {"id": 2, "name": "new", "interval_id": 1},
            intervals=[{"id": 1, "every": 2, "period": "days"}],
        )
        assert rows["ran"].columns()["starts_at"] == instant(2026, 1, 3, 5)
        assert (rows["ran"].reading.expression, rows["ran"].reading.timezone) == ("2d", "UTC")
        assert "starts_at" not in rows["new"].columns()

    def test_what_is_lost_and_what_cannot_be(self, beat):
        rows = beat(
            {"id": 1, "name": "routed", "crontab_id": 1, "priority": 5, "headers": '{"x": 1}', "exchange": "e"},
            {"id": 2, "name": "clocked", "clocked_id": 1},
            {"id": 3, "name": "solar", "solar_id": 1},
            {"id": 4, "name": "tiny", "interval_id": 1},
            {"id": 5, "name": "strange", "interval_id": 2},
            {"id": 12, "name": "endless", "interval_id": 3, "last_run_at": instant(2026, 1, 1)},
            {"id": 6, "name": "cleanup", "task": "celery.backend_cleanup", "crontab_id": 1},
            {"id": 7, "name": "broken", "crontab_id": 1, "args": "{"},
            {"id": 8, "name": "shape", "crontab_id": 1, "args": "{}"},
            {"id": 9, "name": "none"},
            {"id": 10, "name": "zone", "crontab_id": 2},
            {"id": 11, "name": "done", "crontab_id": 1, "one_off": True, "last_run_at": instant(2026, 1, 1)},
            crontabs=[self.CRONTAB, self.CRONTAB | {"id": 2, "timezone": "Mars/Base"}],
            intervals=[
                {"id": 1, "every": 5, "period": "microseconds"},
                {"id": 2, "every": 5, "period": "moons"},
                {"id": 3, "every": 900_000_000, "period": "days"},
            ],
            clocked=[{"id": 1, "clocked_time": instant(2027, 1, 1)}],
        )
        assert len(rows["routed"].losses) == 3
        assert rows["clocked"].reading.expression == "2027-01-01T00:00:00Z"
        why = {name: row.cannot.split()[0] for name, row in rows.items() if row.cannot}
        assert why == {
            "solar": "Sunrise",
            "tiny": "An",
            "strange": "An",
            "endless": "An",
            "cleanup": "Celery",
            "broken": "Its",
            "shape": "Its",
            "none": "Its",
            "zone": "There",
        }
        assert "has run already" in rows["done"].notes[0]

    def test_without_its_tables(self, db):
        with pytest.raises(CommandError, match="no table django_celery_beat_crontabschedule"):
            rows_of("celery-beat")
        with pytest.raises(CommandError, match="no elsewhere in DATABASES"):
            rows_of("celery-beat", database="elsewhere")

    def test_a_column_that_an_older_version_lacks(self, db):
        columns = {name: field for name, field in celery_beat._TASK.items() if name not in {"headers", "clocked_id"}}
        for name in ("crontab", "interval", "clocked"):
            make_table(f"django_celery_beat_{name}schedule", getattr(celery_beat, f"_{name.upper()}"), [])
        make_table("django_celery_beat_periodictask", columns, [{"id": 1, "name": "a", "task": "b"}])
        assert "names no schedule" in rows_of("celery-beat")["a"].cannot


class Crontab:
    """What the settings of a project hold: Celery's own class keeps what was written under these names."""

    _orig_minute, _orig_hour, _orig_day_of_week, _orig_day_of_month, _orig_month_of_year = "0", 4, "mon", "*", "*"


class Every:
    def __init__(self, every, *, relative=False):
        self.run_every, self.relative = every, relative


class Solar:
    lat = 1


def test_a_beat_schedule_in_the_settings(settings, db):
    settings.CELERY_TIMEZONE = "Europe/Berlin"
    settings.CELERY_BEAT_SCHEDULE = {
        "a": {
            "task": "shop.a",
            "schedule": Crontab(),
            "args": (1,),
            "kwargs": {"b": 2},
            "options": {"queue": "q", "expires": 60},
        },
        "b": {"task": "shop.b", "schedule": 30.0},
        "c": {
            "task": "shop.c",
            "schedule": timedelta(hours=1),
            "options": {"expires": instant(2027, 1, 1), "priority": 1},
        },
        "d": {"task": "shop.d", "schedule": Every(timedelta(days=1))},
        "relative": {"task": "shop.d", "schedule": Every(timedelta(days=1), relative=True)},
        "solar": {"task": "shop.d", "schedule": Solar()},
        "other": {"task": "shop.d", "schedule": object()},
        "own": {"task": "celery.backend_cleanup", "schedule": 30},
    }
    rows = rows_of("celery-settings")
    assert (rows["a"].reading.expression, rows["a"].reading.timezone) == ("0 4 * * 1", "Europe/Berlin")
    assert rows["a"].values == {"queue": "q", "expires_after": timedelta(seconds=60)}
    assert (rows["a"].args, rows["a"].kwargs) == ([1], {"b": 2})
    assert [rows[name].reading.expression for name in "bcd"] == ["30s", "1h", "1d"]
    assert (rows["c"].values, len(rows["c"].losses)) == ({"ends_at": instant(2027, 1, 1)}, 1)
    assert {name for name, row in rows.items() if row.cannot} == {"relative", "solar", "other", "own"}
    with pytest.raises(CommandError, match="no dictionary"):
        rows_of("celery-settings", setting="NOT_THERE")


class TestDjangoQ2:
    @pytest.fixture(autouse=True)
    def cluster(self, settings, db):
        settings.Q_CLUSTER = {"time_zone": "Europe/Berlin", "catch_up": False}

    def make(self, **values):
        Schedule.objects.all().delete()
        next_run = values.pop("next_run", instant(2027, 1, 4, 5))
        row = Schedule(**{"name": "a", "func": "shop.tasks.run", "schedule_type": Schedule.DAILY} | values)
        row.next_run = next_run
        Schedule.objects.bulk_create([row])  # its save() needs croniter for some
        row = Schedule.objects.get()
        return rows_of("django-q2")[row.name or f"{row.func} {row.pk}"]

    def test_it_goes_on_at_the_hour_of_its_next_run(self):
        row = self.make()
        assert row.columns()["starts_at"] == instant(2027, 1, 4, 5)
        assert (row.reading.expression, row.reading.timezone) == ("1d", "Europe/Berlin")
        assert row.values["catch_up"] == "latest"

    @pytest.mark.parametrize(
        ("kind", "expression"),
        [
            ("I", "5m"),
            ("H", "1h"),
            ("W", "7d"),
            ("BW", "14d"),
            ("M", "0 6 4 * *"),
            ("BM", "0 6 4 1,3,5,7,9,11 *"),
            ("Q", "0 6 4 1,4,7,10 *"),
            ("Y", "0 6 4 1 *"),
            ("O", "2027-01-04T05:00:00Z"),
            ("C", "30 0 3 * * *"),
        ],
    )
    def test_each_kind(self, kind, expression):
        assert self.make(schedule_type=kind, minutes=5, cron="0 3 * * * 30").reading.expression == expression

    def test_repeats(self):
        assert "max_runs" not in self.make(repeats=-1).values
        assert self.make(repeats=3).values["max_runs"] == 3
        assert self.make(repeats=0).values["enabled"] is False

    @pytest.mark.parametrize(
        ("args", "kwargs", "found"),
        [
            ("1, 'x'", "a=1, b='y'", ([1, "x"], {"a": 1, "b": "y"})),
            ("'x'", "{'a': [1, 2]}", (["x"], {"a": [1, 2]})),
            (None, None, ([], {})),
        ],
    )
    def test_arguments_are_literals(self, args, kwargs, found):
        row = self.make(args=args, kwargs=kwargs)
        assert (row.args, row.kwargs) == found

    @pytest.mark.parametrize(
        "wrong",
        [
            {"args": "__import__('os')"},
            {"kwargs": "a=open('x')"},
            {"kwargs": "1"},
            {"kwargs": "[1]"},
            {"args": "1," * 60_000},
        ],
    )
    def test_other_arguments_are_not_run(self, wrong):
        assert "Its arguments are" in self.make(**wrong).cannot

    def test_its_options(self):
        options = "q_options={'timeout': 30, 'cluster': 'slow', 'group': 'g', 'hook': 'a.b', 'save': False}"
        row = self.make(kwargs=options, intended_date_kwarg="day", name=None)
        assert (row.values["timeout"], row.values["queue"]) == (timedelta(seconds=30), "slow")
        assert [text.split()[0] for text in row.losses] == ["Its", "day,", "Its"]
        assert row.kwargs == {}

    def test_call_command_is_a_management_command(self):
        row = self.make(func="django.core.management.call_command", args="'clearsessions'")
        assert (row.command, row.words, row.args) == ("clearsessions", [], [])


class TestApscheduler:
    def rows(self, jobs):
        make_table(
            "apscheduler_jobs", apscheduler._COLUMNS, [{"id": key, "job_state": data} for key, data in jobs.items()]
        )
        return rows_of("apscheduler")

    @pytest.mark.parametrize("protocol", ["2", str(pickle.HIGHEST_PROTOCOL)])
    def test_jobs_are_read_without_being_loaded(self, db, monkeypatch, protocol):
        monkeypatch.setattr(pickle, "loads", None)
        monkeypatch.setattr(pickle, "Unpickler", None)
        found = self.rows({key.partition(" ")[0]: data for key, data in JOBS.items() if key.endswith(f" {protocol}")})
        readings = {name: (row.reading.expression, row.reading.timezone) for name, row in found.items() if row.reading}
        assert readings == {
            "office": ("*/15 9-17 * * 1-5", "Europe/Berlin"),
            "last": ("0 10 * * 5L", "Europe/Berlin"),
            "months": ("5-45/10 2 1 L 1-3,12 *", "Europe/Berlin"),
            "bounded": ("0 3 * * *", "Europe/Berlin"),
            "utc": ("0 3 * * *", "UTC"),
            "interval": ("90m", "UTC"),
            "date": ("2027-03-01T06:30:00Z", "UTC"),
        }
        assert found["office"].target == "builtins.dict"
        assert found["office"].args == [{"a": [1, None, True]}]
        assert found["bounded"].values["starts_at"] == instant(2026, 12, 31, 23)
        assert found["bounded"].values["ends_at"] == instant(2027, 6, 1, 10, 0, 1)
        assert found["utc"].values["enabled"] is False
        assert found["utc"].values["spread"] == timedelta(seconds=30)
        assert "PosixPath" in found["object"].cannot
        assert "bound to years" in found["year"].cannot

    def test_what_a_pickle_would_run_does_not_run(self, db, tmp_path):
        class Trap:
            def __reduce__(self):
                return Path.touch, (tmp_path / "sprung",)

        found = self.rows({"trap": pickle.dumps({"id": "x", "func": "a:b", "trigger": Trap()}), "raw": b"no pickle"})
        assert not (tmp_path / "sprung").exists()
        assert all("tasks.py" in row.cannot for row in found.values())

    @pytest.mark.parametrize(
        "value", [1, None, [1, {"a": (1, 2, 3, 4)}], {1, 2}, frozenset({3}), b"x", 2**70, 1.5, "ü" * 300]
    )
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_plain_values_are_what_they_were(self, value, protocol):
        if protocol < 4 and isinstance(value, (set, frozenset, bytes)):
            return  # these are calls there
        assert read(pickle.dumps(value, protocol)) == value

    @pytest.mark.parametrize(
        "data", [b"", b"\x80\x05N", b"\x80\x05.", b"x" * 1_000_001, b"(lp0\n" * 3, b"NR.", b"\x80\x04NN\x93."]
    )
    def test_what_is_no_pickle_is_refused(self, data):
        with pytest.raises(NotReadable):
            read(data)

    def test_jobs_elsewhere(self, db):
        with pytest.raises(CommandError, match="Redis"):
            rows_of("apscheduler")
        with pytest.raises(CommandError, match="no elsewhere in DATABASES"):
            rows_of("apscheduler", database="elsewhere")


def test_django_tasks_scheduler(db):
    base = {"enabled": True, "queue": "default", "callable": "shop.run", "at_front": False}
    at = instant(2027, 1, 4, 5)
    make_table(
        "scheduler_task",
        django_tasks_scheduler._TASK,
        [
            base | {"id": 1, "name": "cron", "task_type": "CronTaskType", "cron_string": "0 3 * * *", "queue": "low"},
            base
            | {"id": 2, "name": "repeat", "task_type": "RepeatableTaskType", "interval": 2, "interval_unit": "hours"}
            | {"scheduled_time": at, "repeat": 4, "timeout": 60},
            base | {"id": 3, "name": "once", "task_type": "OnceTaskType", "scheduled_time": at, "at_front": True},
            base | {"id": 4, "name": "called", "task_type": "OnceTaskType", "scheduled_time": at},
            base | {"id": 5, "name": "wrong", "task_type": "OnceTaskType", "scheduled_time": at},
        ],
    )
    columns = django_tasks_scheduler._ARGUMENT
    arguments = [("str", "x"), ("int", "5"), ("bool", "true"), ("json", "[1]"), ("datetime", "2027-01-01T00:00:00")]
    rows = [{"id": n, "arg_type": kind, "val": text, "object_id": 1} for n, (kind, text) in enumerate(arguments, 1)]
    rows.append({"id": 9, "arg_type": "int", "val": "five", "object_id": 5})
    make_table("scheduler_taskarg", {name: field for name, field in columns.items() if name != "key"}, rows)
    named = [{"id": 1, "arg_type": "float", "val": "1.5", "key": "f", "object_id": 1}]
    named.append({"id": 2, "arg_type": "callable", "val": "shop.now", "key": "g", "object_id": 4})
    make_table("scheduler_taskkwarg", columns, named)
    found = rows_of("django-tasks-scheduler")
    assert (found["cron"].reading.expression, found["cron"].reading.timezone) == ("0 3 * * *", "UTC")
    assert found["cron"].args == ["x", 5, True, [1], "2027-01-01T00:00:00"]
    assert (found["cron"].kwargs, found["cron"].values["queue"]) == ({"f": 1.5}, "low")
    assert found["repeat"].reading.expression == "2h"
    assert found["repeat"].columns()["starts_at"] == at
    assert found["repeat"].values == {"enabled": True, "queue": "", "timeout": timedelta(minutes=1), "max_runs": 5}
    assert found["once"].reading.expression == "2027-01-04T05:00:00Z"
    assert found["once"].losses
    assert "shop.now()" in found["called"].cannot
    assert "no int" in found["wrong"].cannot


class TestCrontab:
    def rows(self, text, *, has_user=False):
        return list(read_lines(text, zone="Europe/Berlin", has_user=has_user))

    def test_a_management_command_with_its_options(self):
        (row,) = self.rows(
            "30 3 * * 1-5 cd /srv && .venv/bin/python manage.py send eu --days 7 --dry-run -v2 >> /var/x 2>&1"
        )
        assert (row.command, row.words) == ("send", ["eu", "--days", "7", "--dry-run", "-v2"])
        assert row.reading.expression == "30 3 * * 1-5"

    def test_variables_zone_and_mail_hold_for_the_lines_after_them(self):
        text = 'MAILTO="ops@example.com"\n0 1 * * * a\nCRON_TZ=America/New_York\nMAILTO=\nX=1\nPATH=/bin\n0 1 * * * b\n'
        first, second = self.rows(text)
        assert (first.reading.timezone, first.values) == ("Europe/Berlin", {"contact": "ops@example.com"})
        assert (second.reading.timezone, second.values) == ("America/New_York", {})
        assert (first.losses, len(second.losses)) == ([], 1)
        assert "X" in second.losses[0]

    def test_what_follows_a_percent_sign_is_input(self):
        first, second = self.rows(r"0 1 * * * mail a%Hello%World" + "\n" + r"0 1 * * * date +\%F")
        assert (first.target, len(first.losses)) == ("mail a", 1)
        assert (second.target, second.losses) == ("date +%F", [])

    def test_the_column_of_the_user(self):
        (row,) = self.rows("@daily root /srv/manage.py clearsessions", has_user=True)
        assert (row.command, row.reading.expression) == ("clearsessions", "0 0 * * *")
        assert "root" in row.notes[0]

    def test_lines_that_are_no_time_or_run_nothing(self):
        reboot, nothing, pipe, quote = self.rows(
            "# a comment\n\n@reboot x\n0 1 * * *\n0 1 * * * manage.py a | tail\n0 1 * * * manage.py 'a"
        )
        assert "systemd" in reboot.cannot
        assert "runs nothing" in nothing.cannot
        assert (pipe.command, quote.command) == ("", "")

    def test_a_line_keeps_its_key_at_another_time(self):
        (before,), (after,) = self.rows("0 1 * * * a --password=x"), self.rows("0 2 * * * a --password=x")
        assert before.key == after.key
        assert "password" not in before.key
        assert len({row.key for row in self.rows("0 1 * * * a\n0 2 * * * a")}) == 2

    def test_secrets_of_a_line_are_not_shown(self, tmp_path, db):
        path = tmp_path / "lines"
        path.write_text("0 1 * * * A_TOKEN=s3cret x --api-key s3cret https://u:s3cret@h --password='s3 s3cret'\n")
        out = StringIO()
        call_command("import_tasks", "crontab", str(path), stdout=out)
        assert "s3cret" not in out.getvalue()
        assert "x --api-key" in out.getvalue()

    def test_a_file_that_cannot_be_read(self, tmp_path):
        with pytest.raises(CommandError, match="No such file"):
            rows_of("crontab", file=str(tmp_path / "none"), user_column=False)
        (tmp_path / "big").write_text("#" * 1_000_001)
        with pytest.raises(CommandError, match="more than"):
            rows_of("crontab", file=str(tmp_path / "big"), user_column=False)


def test_a_list_of_any_kind(tmp_path, db):
    path = tmp_path / "list"
    lines = [
        {"name": "a", "kind": "k8s", "fields": {"schedule": "0 3 * * *"}, "zone": "UTC", "params": {"x": 1}},
        {"name": "b", "kind": "k8s", "fields": {}},
        {"name": "c", "kind": "k8s", "fields": {"schedule": "0 3"}},
    ]
    path.write_text("\n\n".join(map(json.dumps, lines)))
    rows = rows_of("list", file=str(path))
    assert (rows["a"].reading.expression, rows["a"].kwargs) == ("0 3 * * *", {"x": 1})
    assert "fields" in rows["b"].cannot
    assert "2 fields" in rows["c"].cannot
    path.write_text("{}")
    with pytest.raises(CommandError, match="line 1"):
        rows_of("list", file=str(path))


def test_times_of_a_project_without_zones_are_those_of_its_clock(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    assert tables._aware(datetime(2027, 1, 1, 5)) == instant(2027, 1, 1, 4)  # noqa: DTZ001
    assert tables._aware(instant(2027, 1, 1)) == instant(2027, 1, 1)


def test_sources_read_by_plain_queries_and_leave_no_model_behind(db, django_assert_num_queries):
    make_table("apscheduler_jobs", apscheduler._COLUMNS, [])
    from django.apps import apps

    before = len(apps.get_models())
    rows_of("apscheduler")
    assert len(apps.get_models()) == before
    assert connection.vendor
