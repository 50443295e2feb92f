"""Every code block of the README and the documentation: it runs, or says why not."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from django.conf import UserSettingsHolder, global_settings
from django.core.management import get_commands, load_command_class
from django.urls import resolve
from django.utils.module_loading import import_string

from django_scheduled_tasks import channels
from django_scheduled_tasks.conf import ScheduledTasksSettings
from django_scheduled_tasks.registry import Registry, registry
from django_scheduled_tasks.schedules import base as schedules
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks
from tests.docs.blocks import KINDS, PAGES, ROOT, Block, blocks_of, commands_of

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
DISTRIBUTION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def of_language(*languages: str) -> list:
    return [pytest.param(block, id=str(block)) for block in BLOCKS if block.language in languages]


def test_there_are_blocks_and_each_is_of_a_known_kind():
    assert len(BLOCKS) > 50
    assert {block.language for block in BLOCKS} <= {"python", "console", "json", "text", "javascript", "yaml"}
    assert {block.kind for block in BLOCKS} <= KINDS
    for block in BLOCKS:
        assert block.kind != "not run" or block.value, f"{block} does not say why it is not run"


@pytest.fixture
def own_registry(monkeypatch):
    """Let blocks declare tasks and kinds of schedules and channels without a trace."""
    fresh = Registry(list(registry._functions), [])
    for name in ("_functions", "_declarations", "_by_name", "_former"):
        monkeypatch.setattr(registry, name, getattr(fresh, name))
    monkeypatch.setattr(schedules, "_KINDS", dict(schedules._KINDS))
    monkeypatch.setattr(channels, "_KINDS", dict(channels._KINDS))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_python_blocks_of_a_page_run_one_after_another(page, own_registry, settings, capsys):
    """Each block sees the names of those before it, and the tasks that they declare."""
    settings.STATIC_URL = "static/"
    # Functions belong to the app of their module.
    namespace: dict = {"__name__": "tests.testapp.documentation"}
    for block in blocks_of(page):
        if block.language == "python" and block.kind == "":
            code = compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True)
            exec(code, namespace)
            assert not sync_declared_tasks().failed


@pytest.mark.parametrize(
    "block",
    [param for param in of_language("python") if param.values[0].kind in {"file", "append", "shell", "not run"}],
)
def test_blocks_that_are_run_elsewhere_or_not_at_all_can_be_parsed(block):
    ast.parse(block.text)


@pytest.mark.parametrize("block", [param for param in of_language("python") if param.values[0].kind == "settings"])
def test_settings_are_accepted(block):
    values: dict = {"DATABASES": {"default": {}}, "INSTALLED_APPS": []}
    exec(compile(block.text, str(block), "exec"), values)
    holder = UserSettingsHolder(global_settings)
    for name, value in values.items():
        if name.isupper():
            setattr(holder, name, value)
    found = {name for name in values if name.isupper()}
    if "SCHEDULED_TASKS" in found:
        ScheduledTasksSettings(**values["SCHEDULED_TASKS"])
        if "needs" not in block.value:
            import_string(values["SCHEDULED_TASKS"].get("ENGINE", ScheduledTasksSettings().ENGINE))
    if "Q_CLUSTER" in found:
        clusters = [values["Q_CLUSTER"], *values["Q_CLUSTER"].get("ALT_CLUSTERS", {}).values()]
        assert all(cluster["retry"] > cluster["timeout"] for cluster in clusters)
    for path in values.get("REST_FRAMEWORK", {}).get("DEFAULT_AUTHENTICATION_CLASSES", ()):
        import_string(path)


@pytest.mark.parametrize("block", [param for param in of_language("python") if param.values[0].kind == "pytest"])
def test_blocks_that_are_tests_pass(block, tmp_path):
    (tmp_path / "tests_of_the_docs.py").write_text(block.text)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--rootdir",
        str(tmp_path),
        "--ds",
        "tests.settings",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path / "tests_of_the_docs.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ
        | {
            "SCHEDULED_TASKS_TEST_PROFILE": "sqlite",
            "SCHEDULED_TASKS_TEST_WORKSPACE": f"_{tmp_path.parent.name}_{tmp_path.name}",
        }
        | {"SCHEDULED_TASKS_TEST_SCOPE": "all"},
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("block", of_language("json"))
def test_json_can_be_read(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", of_language("yaml"))
def test_yaml_can_be_read(block):
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", of_language("console"))
def test_commands_exist_and_take_these_arguments(block):
    for line in commands_of(block):
        words = [word for word in shlex.split(line) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
        check_command(words, block)


def check_command(words: list[str], block: Block) -> None:
    match words:
        case ["make", target, *_]:
            assert target in TARGETS
        case ["pip", "install", *arguments]:
            named = [word for word in arguments if word.startswith(DISTRIBUTION)]
            assert named, "nothing of ours is installed"
            assert set(re.findall(r"[\w-]+", named[0].removeprefix(DISTRIBUTION))) <= set(EXTRAS)
        case ["python", "manage.py", name, *arguments]:
            assert name in get_commands() or name == "runserver"
            app = get_commands()[name]
            load_command_class(app, name).create_parser("manage.py", name).parse_args(arguments)
        case ["curl", *arguments]:
            address = next(word for word in arguments if word.startswith("http"))
            path = "/" + address.split("/", 3)[3]
            assert resolve(path.replace("%20", " "))
        case ["python", "-m", *_] | ["django-admin", *_] | [".", *_] | ["tox", *_] | [".ci/run"]:
            pass
        case _:
            assert block.kind == "not run", f"{block}: nobody knows whether {' '.join(words)} works"


LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize(
    "page", [pytest.param(path, id=path.name) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))]
)
def test_links_lead_somewhere(page: Path):
    assert [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()] == []
