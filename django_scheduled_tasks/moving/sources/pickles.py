"""Reading what a pickle says without loading it: nothing is imported, nothing is called.

A pickle is a small program. :func:`pickletools.genops` only takes it apart, and :func:`read` follows those of its
instructions that build values; where it asks for an object of some class, a :class:`Thing` notes what it asks for.
"""

from __future__ import annotations

import pickletools  # nosec B403  (it takes pickles apart and loads nothing)
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MOST_BYTES, MOST_STEPS = 1_000_000, 100_000


class NotReadable(Exception):
    """The pickle has something that is not followed here."""


@dataclass(eq=False)
class Thing:
    """An object that the pickle would make."""

    path: str
    """Its class or function: ``datetime.timedelta``."""
    args: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)

    def attributes(self) -> dict[str, Any]:
        """Return its state, be it in a dictionary, in slots, or in both."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        found: dict[str, Any] = {}
        for part in parts:
            if isinstance(part, dict):
                found |= {str(name): value for name, value in part.items()}
        return found


_MARK = object()


def read(data: bytes) -> Any:
    """Return the value that *data* describes, with a :class:`Thing` for each object.

    Raises:
        NotReadable: It is too long, cut, or of a kind that is not known.
    """
    if len(data) > MOST_BYTES:
        raise NotReadable(f"It has more than {MOST_BYTES:,} bytes.")
    machine = _Machine()
    try:
        for number, (opcode, argument, _at) in enumerate(pickletools.genops(data)):
            if number > MOST_STEPS:
                raise NotReadable("It is too long.")
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeError) as exc:
        raise NotReadable(str(exc)) from None
    raise NotReadable("It is cut.")


class _Machine:
    """The stack and the memory of one pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follow one instruction."""
        if name in _NOTHING:
            return
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in {"BINGET", "LONG_BINGET", "GET"}:
            self.stack.append(self.memory[int(argument)])
        elif name in {"BINPUT", "LONG_BINPUT", "PUT"}:
            self.memory[int(argument)] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memory[len(self.memory)] = self.stack[-1]
        elif name in _STEPS:
            _STEPS[name](self, argument)
        else:
            raise NotReadable(f"It has the instruction {name}.")

    def taken(self, number: int) -> list[Any]:
        """Take as many values from the stack."""
        found = self.stack[len(self.stack) - number :]
        del self.stack[len(self.stack) - number :]
        return found

    def since_mark(self) -> list[Any]:
        """Take what has been put on the stack since the last mark."""
        at = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found

    def make(self, _argument: Any) -> None:
        """Note that a class or a function is called."""
        called, args = self.taken(2)
        if not isinstance(called, Thing) or not isinstance(args, tuple):
            raise NotReadable("It calls what is no name.")
        if called.path == "_codecs.encode":  # how protocol 2 and those before write bytes
            self.stack.append(str(args[0]).encode("latin-1"))
            return
        if called.path in {"copyreg._reconstructor", "copyreg.__newobj__"} and args and isinstance(args[0], Thing):
            called, args = args[0], ()
        self.stack.append(Thing(called.path, args))

    def build(self, _argument: Any) -> None:
        """Note the state of an object."""
        (state,) = self.taken(1)
        self.stack[-1].state = state

    def put_items(self, values: list[Any]) -> None:
        """Put pairs into the dictionary on the stack."""
        target = self.stack[-1]
        pairs = _pairs(values).items()
        target.items.extend(pairs) if isinstance(target, Thing) else target.update(pairs)

    def append(self, values: list[Any]) -> None:
        """Put values into the list or set on the stack."""
        target = self.stack[-1]
        if isinstance(target, Thing):
            target.items.extend(values)
        elif isinstance(target, set):
            target.update(values)
        else:
            target.extend(values)


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


_NOTHING = frozenset({"PROTO", "FRAME"})
_PUSHED = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"),
        *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    }
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "GLOBAL": lambda machine, argument: machine.stack.append(Thing(argument.replace(" ", "."))),
    "STACK_GLOBAL": lambda machine, _argument: machine.stack.append(Thing(".".join(machine.taken(2)))),
    "REDUCE": _Machine.make,
    "NEWOBJ": _Machine.make,
    "BUILD": _Machine.build,
    "TUPLE": lambda machine, _argument: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _argument: machine.stack.append(tuple(machine.taken(1))),
    "TUPLE2": lambda machine, _argument: machine.stack.append(tuple(machine.taken(2))),
    "TUPLE3": lambda machine, _argument: machine.stack.append(tuple(machine.taken(3))),
    "DICT": lambda machine, _argument: machine.stack.append(_pairs(machine.since_mark())),
    "LIST": lambda machine, _argument: machine.stack.append(machine.since_mark()),
    "FROZENSET": lambda machine, _argument: machine.stack.append(frozenset(machine.since_mark())),
    "SETITEM": lambda machine, _argument: machine.put_items(machine.taken(2)),
    "SETITEMS": lambda machine, _argument: machine.put_items(machine.since_mark()),
    "APPEND": lambda machine, _argument: machine.append(machine.taken(1)),
    "APPENDS": lambda machine, _argument: machine.append(machine.since_mark()),
    "ADDITEMS": lambda machine, _argument: machine.append(machine.since_mark()),
}
