"""Paths and functions that README and CONTRIBUTING name exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "django_scheduled_tasks"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#|<)([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_in_code_can_be_imported_from(page):
    wrong = []
    for module, names in re.findall(r"^from (django_scheduled_tasks[\w.]*) import ([\w, ]+)$", page.read_text(), re.M):
        path = ROOT / module.replace(".", "/")
        file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        text = file.read_text() if file.exists() else ""
        for name in names.split(", "):
            is_module = (path / f"{name}.py").exists() or (path / name).is_dir()
            if not is_module and not re.search(rf"\b{name}\b", text):
                wrong.append(f"{module}.{name}")
    assert not wrong


def rows() -> list[tuple[str, list[str], list[str]]]:
    """Return (question, paths, functions) of each row of the first table of CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text[text.index("| Where is") : text.index("The rooms, from the top")]
    found = []
    for line in table.splitlines()[2:]:
        if line.startswith("|"):
            question, *cells = line.strip("| ").split(" | ")
            marked = re.findall(r"`([^`]+)`", " ".join(cells))
            paths = [item for item in marked if "/" in item or item.endswith(".py")]
            found.append((question, paths, [item for item in marked if item not in paths]))
    return found


@pytest.mark.parametrize(("question", "paths", "names"), rows(), ids=[row[0] for row in rows()])
def test_what_a_newcomer_asks_for_is_where_contributing_says(question, paths, names):
    assert paths, question
    assert not [path for path in paths if not (PACKAGE / path).exists()]
    texts = [(PACKAGE / path).read_text() for path in paths if path.endswith(".py")]
    defined = {
        node.name if hasattr(node, "name") else ast.unparse(target)
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Call))
        for target in getattr(node, "targets", [getattr(node, "target", getattr(node, "func", None))])
    }
    for name in names:
        assert {part.split(".")[-1] for part in name.split(".")} <= defined, name
