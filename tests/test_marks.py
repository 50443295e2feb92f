"""Tests say what they need: those of hand-written SQL and of Django's private API run on every database."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOMS = ("django_scheduled_tasks.store", "django_scheduled_tasks.db")
"""Packages whose tests have to be marked."""
MARK = "every_database"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def imports_a_room(tree: ast.AST) -> bool:
    """Whether anything below *tree* imports from one of :data:`ROOMS`."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return any(name == room or name.startswith(f"{room}.") for name in names for room in ROOMS)


def is_marked(node: Function | ast.ClassDef | ast.Module) -> bool:
    """Whether a decorator or a ``pytestmark`` of *node* itself has the mark."""
    marks: list[ast.expr] = list(getattr(node, "decorator_list", ()))
    if not isinstance(node, Function):
        assigned = [item for item in node.body if isinstance(item, ast.Assign)]
        marks += [item.value for item in assigned if ast.unparse(item.targets[0]) == "pytestmark"]
    return any(isinstance(part, ast.Attribute) and part.attr == MARK for mark in marks for part in ast.walk(mark))


def unmarked(source: str) -> Iterator[str]:
    """Yield the names of the tests in *source* that use one of :data:`ROOMS` without the mark."""
    module = ast.parse(source)
    if is_marked(module):
        return
    tests = [(node, False) for node in module.body if isinstance(node, Function)]
    for group in (node for node in module.body if isinstance(node, ast.ClassDef)):
        tests += [(node, is_marked(group)) for node in group.body if isinstance(node, Function)]
    tests = [(node, marked) for node, marked in tests if node.name.startswith("test_")]
    # An import of the module, or of a helper in it, may serve each of its tests.
    inside = {id(part) for node, _marked in tests for part in ast.walk(node)}
    shared = any(imports_a_room(node) for node in ast.walk(module) if id(node) not in inside and is_import(node))
    for node, marked in tests:
        if (shared or imports_a_room(node)) and not marked and not is_marked(node):
            yield node.name


def is_import(node: ast.AST) -> bool:
    """Whether *node* is an import statement."""
    return isinstance(node, ast.Import | ast.ImportFrom)


def test_what_imports_store_or_db_runs_on_every_database():
    found = {str(path.relative_to(TESTS)): list(unmarked(path.read_text())) for path in TESTS.rglob("test_*.py")}
    assert len(found) > 50
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from django_scheduled_tasks.store import claim\ndef test_a(): ...", ["test_a"]),
        ("from django_scheduled_tasks import store\nclass TestIt:\n    def test_a(self): ...", ["test_a"]),
        ("import django_scheduled_tasks.db.clock\nasync def test_a(): ...\ndef helper(): ...", ["test_a"]),
        ("def helper():\n    from django_scheduled_tasks.db import clock\ndef test_a(): ...", ["test_a"]),
        (
            "def test_a():\n    from django_scheduled_tasks.db.clock import database_now\ndef test_b(): ...",
            ["test_a"],
        ),
        (
            "from django_scheduled_tasks.db import clock\n@pytest.mark.every_database\ndef test_a(): ...\n"
            "@pytest.mark.slow\ndef test_b(): ...",
            ["test_b"],
        ),
        ("from django_scheduled_tasks import store\npytestmark = [pytest.mark.every_database]\ndef test_a(): ...", []),
        (
            "from django_scheduled_tasks import store\nclass TestIt:\n    pytestmark = pytest.mark.every_database\n"
            "    def test_a(self): ...",
            [],
        ),
        ("from django_scheduled_tasks.dbx import y\nfrom django_scheduled_tasks import conf\ndef test_a(): ...", []),
    ],
)
def test_a_missing_mark_is_found(source, names):
    assert list(unmarked(source)) == names
