"""No file imports, by whatever way, a file that imports it: neither at the top, nor in a function, nor for types."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules_of(package: str, root: Path) -> dict[str, Path]:
    """Return the modules of *package* below *root* by their dotted names."""
    found = {}
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """Return which of the *known* modules the module *name* imports, wherever the statement stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, name, is_package=path.name == "__init__.py")
            # ``from package import module`` imports the module; what is no module is a name in the package itself.
            found.update(f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names)
    return {one for one in found if one in known and one != name}


def _base(node: ast.ImportFrom, name: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *filter(None, [node.module])])


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules of which each reaches each other by imports."""
    reached = {name: _reachable(name, graph) for name in graph}
    found = {
        frozenset(other for other in reached[name] if name in reached[other]) for name in graph if name in reached[name]
    }
    return sorted(sorted(circle) for circle in found)


def _reachable(name: str, graph: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[name])
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += graph[one]
    return seen


def graph_of(package: str, root: Path = ROOT) -> dict[str, set[str]]:
    """Return for each module of *package* which others of it it imports."""
    known = modules_of(package, root)
    return {name: imports_of(name, path, known) for name, path in known.items()}


@pytest.mark.parametrize("package", ["django_scheduled_tasks", "example_project", "benchmarks"])
def test_no_files_import_each_other_in_a_circle(package):
    graph = graph_of(package)
    assert len(graph) > 10
    assert circles(graph) == []


@pytest.fixture
def package(tmp_path) -> Iterator[Path]:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "a.py").write_text("from shop import b\n")
    return tmp_path


@pytest.mark.parametrize(
    "source",
    [
        "from shop.a import name",
        "import shop.a",
        "from .a import name",
        "from . import a",
        "def later():\n    from shop.a import name",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.a import name",
    ],
)
def test_a_circle_is_seen_however_it_is_written(package, source):
    (package / "shop" / "b.py").write_text(source)
    assert circles(graph_of("shop", package)) == [["shop.a", "shop.b"]]


def test_who_only_imports_is_in_no_circle(package):
    (package / "shop" / "b.py").write_text("import json")
    assert circles(graph_of("shop", package)) == []
