"""What a process says of its release."""

from __future__ import annotations

import pytest

import django_scheduled_tasks.registry as registry_module
from django_scheduled_tasks import cron, scheduled_task
from django_scheduled_tasks.models import Release
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.registry import Registry, registry
from django_scheduled_tasks.services.releases import name, own

pytestmark = pytest.mark.django_db


@pytest.fixture
def code(monkeypatch) -> Registry:
    """An empty registry, to declare tasks in."""
    fresh = Registry()
    for module in (registry_module, own):
        monkeypatch.setattr(module, "registry", fresh)
    return fresh


def function(source: str) -> object:
    """Make a function of the module ``testapp.tasks`` that is called ``f``."""
    found: dict[str, object] = {}
    exec(f"def f({source}): ...", {"__name__": "tests.testapp.tasks", "Thing": Thing}, found)
    return found["f"]


class Thing:
    """Its repr has an address."""


def key_with(code: Registry, source: str) -> str:
    code.clear()
    scheduled_task(function(source))
    return own.own_key()


def test_it_is_made_once_and_written_once(django_assert_num_queries):
    release = own.own()
    assert own.own() is release
    assert set(release.functions) == set(registry.functions())
    first = own.ensure_written()
    with django_assert_num_queries(1):
        again = own.ensure_written()
    assert again.first_seen_at == first.first_seen_at
    assert Release.objects.get(pk=release.key).functions == release.functions
    assert own.RENAMED not in str(release.declared)


def test_two_processes_with_the_same_code_have_one_key_and_each_change_makes_another(code):
    keys = [
        key_with(code, source)
        for source in ("", "a", "b", "a: int", "a: int = 1", "a: int = 2", "*, a: int = 1", "a: int = 1, **more")
    ]
    assert len(set(keys)) == len(keys)
    assert key_with(code, "a: int = 1") == keys[4]


def test_a_default_or_an_annotation_whose_repr_has_an_address_does_not_make_another_release_in_each_process(code):
    first = key_with(code, "a: Thing() = Thing()")
    assert key_with(code, "a: Thing() = Thing()") == first


def test_which_parameters_a_function_needs_and_takes_is_known(code):
    scheduled_task(function("a, b=1, *, c, d=2, **more"))
    (signature,) = own.own().functions.values()
    assert (signature["required"], signature["optional"], signature["more"]) == (["a", "c"], ["b", "d"], True)


def test_defaults_are_known_as_they_may_be_shown(code):
    text = "a, b=2, c='x' * 300, d=None, e=(1, [True]), f=Thing(), password='s3cret', g={'token': 's3cret', 'n': 1}"
    scheduled_task(function(text))
    (signature,) = own.own().functions.values()
    defaults = signature["defaults"]
    assert len(defaults.pop("c")) == 200
    assert defaults == {
        "b": "2",
        "d": "null",
        "e": "[1, [true]]",
        "f": "(Thing)",
        "password": MASK,
        "g": f'{{"token": "{MASK}", "n": 1}}',
    }


def test_former_names_and_paths_are_known(code):
    scheduled_task(name="new", schedule=cron("0 3 * * *"), formerly=("Old", "shop.f"))(function("a"))
    release = own.own()
    assert release.functions["shop.f"] == release.functions["testapp.f"]
    assert release.declared["old"] == f"{own.RENAMED}new"
    assert "new" in release.declared


def test_the_name_is_the_setting_else_a_variable_else_the_commit(settings, monkeypatch, tmp_path):
    for variable in name.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    settings.BASE_DIR = tmp_path / "project" / "site"
    settings.BASE_DIR.mkdir(parents=True)
    assert name.release_name() == ""
    git = tmp_path / "project" / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{'c' * 40} refs/heads/main\n")
    assert name.release_name() == "c" * 12
    (git / "refs" / "heads" / "main").write_text(f"{'d' * 40}\n")
    assert name.release_name() == "d" * 12
    (git / "HEAD").write_text(f"{'e' * 40}\n")
    assert name.release_name() == "e" * 12
    monkeypatch.setenv("GIT_SHA", "v7")
    assert name.release_name() == "v7"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"RELEASE": "1.5.0"}
    assert name.release_name() == "1.5.0"
    assert own.own().name == "1.5.0"


def test_the_commit_of_a_work_tree_is_found_in_the_repository(settings, monkeypatch, tmp_path):
    for variable in name.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    repository = tmp_path / "repository" / ".git"
    own_part = repository / "worktrees" / "tree"
    own_part.mkdir(parents=True)
    (repository / "refs" / "heads").mkdir(parents=True)
    (repository / "refs" / "heads" / "topic").write_text("f" * 40)
    (own_part / "HEAD").write_text("ref: refs/heads/topic")
    (own_part / "commondir").write_text("../..\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {own_part}\n")
    settings.BASE_DIR = tree
    assert name.release_name() == "f" * 12
    (own_part / "HEAD").unlink()
    assert name.release_name() == "", "a damaged repository stops nobody"


def test_the_version_of_a_distribution_that_is_called_as_the_settings(settings, monkeypatch):
    for variable in name.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(name.metadata, "version", lambda package: f"of {package}")
    assert name.release_name() == "of tests"


def test_the_version_of_the_time_zone_data_is_that_of_the_files_that_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr(name.zoneinfo, "TZPATH", (str(tmp_path / "none"), str(tmp_path)))
    (tmp_path / "tzdata.zi").write_text("# version 2031b\nR A\n")
    assert name.versions()["tzdata"] == "2031b"
    (tmp_path / "+VERSION").write_text("2031c\n")
    assert name.versions()["tzdata"] == "2031c"


def test_two_functions_of_one_name_do_not_keep_a_worker_from_claiming(monkeypatch):
    class Twice(Registry):
        def functions(self):
            from django.core.exceptions import ImproperlyConfigured

            raise ImproperlyConfigured("two")

    monkeypatch.setattr(own, "registry", Twice())
    assert own.own().functions == {}
