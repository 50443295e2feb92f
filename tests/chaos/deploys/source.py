"""The code of a project as it changes from release to release, and the package folder of each release."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

APPS = ("shop", "stock")
SCHEDULES = ('every("1s")', 'cron("*/2 * * * * *")', 'cron("*/3 * * * * *")', 'cron("*/4 * * * * *")')
JOBS, TOOLS = 10, 3
FEWEST, MOST = 8, 12
"""How many tasks a release declares."""
FIRST_TOOL = 1000
CALLER = 0
"""The line of the task that starts others."""


@dataclass(frozen=True)
class Item:
    """One function, and unless it is a tool, the task that is declared with it."""

    line: int
    """Which it is, through all releases and under all names."""
    name: str
    app: str
    function: str
    schedule: str
    revision: int
    """The release that has changed it last."""
    parameters: tuple[str, ...] = ()
    """Beside ``line`` and ``revision``; each has a default."""
    retries: bool = False
    """Whether an execution is tried again whose worker was lost."""
    overlap: str = "allow"
    formerly: tuple[str, ...] = ()

    @property
    def is_tool(self) -> bool:
        """Whether it is a function for a task that was made by hand."""
        return self.line >= FIRST_TOOL

    @property
    def path(self) -> str:
        """How the function is registered."""
        return f"{self.app}.{self.function}"

    @property
    def paths(self) -> set[str]:
        """All paths under which the function runs."""
        return {self.path, *(one for one in self.formerly if "." in one)}

    @property
    def params(self) -> dict[str, int]:
        """The parameters with which the task is declared."""
        return {"line": self.line, "revision": self.revision, **dict.fromkeys(self.parameters, self.revision)}

    def takes(self, params: dict[str, int]) -> bool:
        """Whether the function can be called with *params*."""
        return "line" in params and set(params) <= {"line", "revision", *self.parameters}

    def text(self, release: str, *, starts: Sequence[str] = ()) -> str:
        """Return it as it is written in ``tasks.py``; *starts*: the names of the tasks that it starts."""
        formerly = f"formerly={self.formerly!r}"
        given = f"params={self.params!r}, overlap={self.overlap!r}, catch_up='all'"
        if self.retries:
            given += ", on_worker_lost='retry', max_attempts=20, min_backoff='1s', max_backoff='1s'"
        declared = formerly if self.is_tool else f"name={self.name!r}, schedule={self.schedule}, {given}, {formerly}"
        taken = ", ".join(["line: int", "revision: int = 0", *(f"{one}: int = 0" for one in self.parameters)])
        return (
            f"\n\n@scheduled_task({declared})\ndef {self.function}({taken}) -> int:\n"
            f'    """Is of line {self.line}."""\n'
            + "".join(f"    start({name!r}, {release!r})\n" for name in starts)
            + f"    return run(line, {release!r})\n"
        )


@dataclass(frozen=True)
class Source:
    """The code of one release."""

    number: int
    items: tuple[Item, ...]
    gone: tuple[Item, ...] = ()
    """What earlier releases had and this one has not."""
    changes: tuple[str, ...] = field(default=())
    """What was done to the code before, for people."""

    @property
    def name(self) -> str:
        """What the release is called."""
        return f"r{self.number}"

    @property
    def declared(self) -> dict[int, Item]:
        """The declared tasks by line."""
        return {item.line: item for item in self.items if not item.is_tool}

    def knows(self, path: str) -> bool:
        """Whether it has a function under *path*."""
        return any(path in item.paths for item in self.items)

    def takes(self, path: str, params: dict[str, int]) -> bool:
        """Whether it can call the function under *path* with *params*."""
        return any(path in item.paths and item.takes(params) for item in self.items)

    def write(self, folder: Path) -> Path:
        """Write the packages of this release below *folder*, and return where."""
        place = folder / self.name
        for app in APPS:
            package = place / app
            package.mkdir(parents=True)
            (package / "__init__.py").touch()
            heading = (
                f'"""Tasks of release {self.name}: {"; ".join(self.changes)}."""\n\n'
                "from django_scheduled_tasks import cron, every, scheduled_task\n"
                "from tests.chaos.deploys.work import run, start\n"
            )
            starts = [item.name for item in self.items if not item.is_tool and item.line != CALLER][:3]
            texts = [
                item.text(self.name, starts=starts if item.line == CALLER else ())
                for item in self.items
                if item.app == app
            ]
            (package / "tasks.py").write_text(heading + "".join(texts))
        return place


def first_source(chance: random.Random) -> Source:
    """Return the code of the first release."""
    jobs = [
        Item(
            line=line,
            name=f"job {line}",
            app=chance.choice(APPS),
            function=f"work_{line}",
            schedule=SCHEDULES[line % len(SCHEDULES)],
            revision=1,
            retries=line % 3 == 0,
            overlap="queue_all" if line % 4 == 1 else "allow",
        )
        for line in range(1, JOBS + 1)
    ]
    tools = [
        Item(line=line, name="", app=chance.choice(APPS), function=f"tool_{line}", schedule="", revision=1)
        for line in range(FIRST_TOOL, FIRST_TOOL + TOOLS)
    ]
    caller = Item(line=CALLER, name="caller", app=APPS[0], function="caller", schedule=SCHEDULES[1], revision=1)
    return Source(number=1, items=(caller, *jobs, *tools))


def changed(source: Source, number: int, chance: random.Random) -> Source:
    """Return the next release, *number*, in which one to three things are other ones than in *source*."""
    items, gone, changes = list(source.items), list(source.gone), []
    for _ in range(chance.randint(1, 3)):
        movable = [item for item in items if item.line != CALLER]
        jobs = [item for item in movable if not item.is_tool]
        kinds = ["rename", "move", "rename function", "parameter", "schedule", "revise", "remove tool"]
        kinds += ["add"] * 2 if len(jobs) < MOST else []
        kinds += ["remove"] if len(jobs) > FEWEST else []
        kinds += ["come back"] * 2 if gone else []
        kind = chance.choice(kinds)
        item = chance.choice(movable if kind in {"move", "rename function", "parameter"} else jobs)
        if kind == "add":
            new = _new(max(one.line for one in (*jobs, *(one for one in gone if not one.is_tool))) + 1, number, chance)
            items.append(new)
            changes.append(f"add {new.name}")
            continue
        if kind == "come back":
            item = chance.choice(gone)
            gone.remove(item)
            items.append(replace(item, revision=number))
            changes.append(f"{item.name or item.function} comes back")
            continue
        if kind == "remove tool":
            tools = [one for one in items if one.is_tool]
            if len(tools) <= 1:
                continue
            item = chance.choice(tools)
        if kind.startswith("remove"):
            items.remove(item)
            gone.append(item)
            changes.append(f"remove {item.name or item.function}")
            continue
        items[items.index(item)] = new = replace(_other(kind, item, number, chance), revision=number)
        changes.append(f"{kind}: {item.name or item.path} is {new.name or new.path}")
    return Source(number, tuple(items), tuple(gone), tuple(changes))


def _new(line: int, number: int, chance: random.Random) -> Item:
    return Item(
        line=line,
        name=f"job {line}",
        app=chance.choice(APPS),
        function=f"work_{line}",
        schedule=chance.choice(SCHEDULES),
        revision=number,
        retries=chance.random() < 0.3,
        overlap=chance.choice(["allow", "allow", "queue_all"]),
    )


def _other(kind: str, item: Item, number: int, chance: random.Random) -> Item:
    if kind == "rename":
        return replace(item, name=f"job {item.line} of {number}", formerly=(*item.formerly, item.name))
    if kind == "rename function":
        name = f"{item.function.partition('_of_')[0]}_of_{number}"
        return replace(item, function=name, formerly=(*item.formerly, item.path))
    if kind == "move":
        moved = replace(item, app=APPS[1 - APPS.index(item.app)], formerly=(*item.formerly, item.path))
        return replace(moved, formerly=tuple(one for one in moved.formerly if one != moved.path))
    if kind == "parameter":
        if item.parameters and chance.random() < 0.4:
            return replace(item, parameters=item.parameters[1:])
        return replace(item, parameters=(*item.parameters, f"new_in_{number}"))
    if kind == "schedule":
        return replace(item, schedule=chance.choice([one for one in SCHEDULES if one != item.schedule]))
    return item
