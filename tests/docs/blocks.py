"""The code blocks of the README and the documentation, with what the comment before each says about it.

``<!-- not run: why -->``; ``<!-- settings -->`` (values for the settings module); ``<!-- pytest -->`` (a test module);
``<!-- file: path -->`` and ``<!-- append: path -->`` (part of the project that a walk-through makes);
``<!-- shell -->`` (typed into ``manage.py shell``); ``<!-- exit code: 1 -->``. Nothing: it is run as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(
    r"^(?:<!-- (?P<kind>[a-z ]+)(?:: (?P<value>[^\n]*))? -->\n)?"
    r"^(?P<fence>`{3,})(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
KINDS = frozenset({"", "not run", "settings", "pytest", "file", "append", "shell", "exit code"})


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    kind: str = ""
    """What the comment before it says; empty: nothing."""
    value: str = ""
    """What follows the colon in the comment."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the code blocks of *page*, without MyST's directives."""
    text = page.read_text()
    return [
        Block(
            page,
            text.count("\n", 0, match.start("fence")) + 1,
            match["language"].strip(),
            match["text"],
            match["kind"] or "",
            match["value"] or "",
        )
        for match in _BLOCK.finditer(text)
        if not match["language"].startswith("{")
    ]


def section(page: Path, *headings: str) -> list[Block]:
    """Return the blocks below the second-level *headings* of *page*."""
    lines = page.read_text().splitlines()
    current, wanted = "", set()
    for number, line in enumerate(lines, start=1):
        if line.startswith("## "):
            current = line[3:]
        if current in headings:
            wanted.add(number)
    return [block for block in blocks_of(page) if block.line in wanted]


def commands_of(block: Block) -> list[str]:
    """Return the commands of a console block, without comments."""
    return [line.partition("    #")[0].strip() for line in block.text.splitlines() if line.strip()]
