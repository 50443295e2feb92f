"""Functions that log, print, hang, break things, or end in unusual ways."""

from __future__ import annotations

import asyncio
import collections
import functools
import itertools
import logging
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections, transaction
from django.utils.connection import ConnectionProxy
from pydantic import SecretStr

from django_scheduled_tasks import TaskCancelled, context, scheduled_task
from django_scheduled_tasks.models import Execution, ScheduledTask

logger = logging.getLogger("shop.orders")
ALIAS: str = settings.ALIAS
connection = ConnectionProxy(connections, ALIAS)
"""As in tests.database, which imports pytest: a worker of a benchmark has no use for it."""


@scheduled_task
def say(text: str = "hello", error: str = "", record: str = "") -> None:
    """Prints and logs."""
    if text:
        print(text)
    if error:
        print(error, file=sys.stderr)
    if record:
        logger.info(record)


@scheduled_task
def log_levels() -> None:
    """Logs at each level, to a logger of its own that does not propagate as well."""
    logger.debug("a debug")
    logger.info("an info of %s", "mine")
    logger.warning("a warning")
    try:
        raise ValueError("inner")  # noqa: TRY301
    except ValueError:
        logger.exception("an error")
    alone = logging.getLogger("shop.alone")
    alone.propagate = False
    alone.info("alone")
    context.log.info("from the context")


@scheduled_task
def say_secret(password: SecretStr) -> str:
    """Lets its secret out, everywhere."""
    secret = password.get_secret_value()
    print(f"it is {secret}, in quotes {secret!r}")
    print(*secret, sep="")
    logger.warning("login with %s", secret)
    context.progress(1, 2, f"using {secret}")
    if secret.startswith("raise"):
        raise ValueError(f"cannot log in with {secret}")
    return f"used {secret}"


@scheduled_task
def say_in_threads(count: int = 3) -> None:
    """Prints from threads."""

    def work(number: int) -> None:
        context.log.info("thread %s of execution %s", number, context.execution and context.execution.number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@scheduled_task
async def say_in_tasks(count: int = 3) -> list[int | None]:
    """Logs from async tasks and asks the database."""

    async def work(number: int) -> int | None:
        await asyncio.sleep(0)
        context.log.info("task %s", number)
        context.progress(number, count)
        return context.execution.number if context.execution else None

    await ScheduledTask.objects.acount()
    return list(await asyncio.gather(*(work(number) for number in range(count))))


@scheduled_task
def print_a_lot(lines: int = 1000, width: int = 100, newline: bool = True) -> dict[str, int]:
    """Prints a lot, and tells how much the process's memory grew by it, in KiB."""
    line = "x" * width
    print("first", line)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(lines):
        print(number, line, end="\n" if newline else "")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("last", line)
    return {"before": before, "grown": after - before}


@scheduled_task
def loop(seconds: float = 600.0) -> str:
    """Computes in Python."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))
    return "looped"


@scheduled_task
def loop_in_c() -> None:
    """Never gives another thread a chance to run, for ever."""
    collections.deque(itertools.count(), maxlen=0)


@scheduled_task
def sleep_and_swallow(seconds: float = 600.0) -> str:
    """Does not let itself be stopped by an exception."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(0.1)
        except BaseException:
            print("not me")
    return "slept"


@scheduled_task
def sleep_with_progress(seconds: float = 600.0) -> str:
    """Sleeps in short naps and says so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        context.progress(None, message="napping")
        time.sleep(0.05)
    return "slept"


@scheduled_task
def sleep_with_log(seconds: float = 600.0) -> None:
    """Sleeps in short naps and logs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        context.log.info("napping")
        time.sleep(0.2)


@scheduled_task
def sleep_until_asked(seconds: float = 600.0) -> str:
    """Asks whether it should stop, and stops in its own way."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not context.should_cancel:
        time.sleep(0.05)
    return "asked to stop" if context.should_cancel else "slept"


@scheduled_task
async def async_sleep(seconds: float = 600.0, path: str = "") -> str:
    """Sleeps in async code, and cleans up."""
    try:
        await asyncio.sleep(seconds)
    finally:
        if path:
            Path(path).write_text("cleaned up")
    return "slept"


@scheduled_task
async def async_loop() -> None:
    """Never reaches an await."""
    while True:
        sum(range(1000))


@scheduled_task
def sleep_in_transaction(seconds: float = 3.0, step: float = 0.1) -> str:
    """Reports progress and prints within a transaction of its own."""
    with transaction.atomic(using=ALIAS):
        ScheduledTask.objects.filter(name="nobody").update(description="x")
        for number in range(int(seconds / step)):
            context.progress(number, int(seconds / step))
            print(number)
            time.sleep(step)
    return "slept"


@scheduled_task
def cancelled_but_busy() -> None:
    """Turns the request to stop into an error."""
    try:
        sleep_with_progress()
    except TaskCancelled as exc:
        raise ValueError("could not clean up") from exc


@scheduled_task
def fail_until(attempt: int = 3, kind: str = "ConnectionError") -> str:
    """Fails until it is tried for the given time."""
    now = context.execution.attempt if context.execution else 1
    print(f"attempt {now}")
    context.progress(now, 10)
    if now < attempt:
        raise {"ConnectionError": ConnectionRefusedError, "ValueError": ValueError}[kind](f"failed {now}")
    return f"succeeded at {now}"


@scheduled_task
def record_interval(path: str, name: str = "", seconds: float = 0.02) -> None:
    """Writes when it began and when it ended."""
    begin = time.time()
    time.sleep(seconds)
    execution = context.execution
    with Path(path).open("a") as file:
        file.write(f"{name} {execution.number if execution else 0} {begin} {time.time()} {os.getpid()}\n")


@scheduled_task
def end_process(status: int = 3) -> None:
    """Ends its process without a word."""
    os._exit(status)


@scheduled_task
def fork(child: Literal["returns", "raises", "exits"] = "returns") -> int:
    """Makes a child of its process that comes back from here as well; returns how that one ended."""
    if process := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if child == "raises":
        raise ValueError("the child broke")
    if child == "exits":
        sys.exit(5)
    return -1


@scheduled_task
def sys_exit(status: Any = 3) -> None:
    """Calls sys.exit."""
    sys.exit(status)


@scheduled_task
def interrupt_itself() -> None:
    """Behaves as if someone had typed Ctrl-C."""
    raise KeyboardInterrupt


@scheduled_task
def run_out_of_memory() -> None:
    """Asks for more memory than there is."""
    bytearray(1 << 62)


@scheduled_task
def recurse(depth: int = 100_000) -> None:
    """Never ends by itself."""
    recurse(depth - 1)


class UnspeakableError(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@scheduled_task
def raise_unspeakable() -> None:
    """Raises what cannot be shown."""
    raise UnspeakableError


@scheduled_task
def raise_chained() -> None:
    """Raises an error with a cause, from within a library."""
    try:
        ScheduledTask.objects.get(name="nobody at all")
    except ScheduledTask.DoesNotExist as exc:
        raise LookupError("nobody is there") from exc


@scheduled_task
def raise_long(size: int = 10_000_000) -> None:
    """Raises an error with a message that is much too long."""
    raise ValueError("begin" + "x" * size + "\x00\ud800end")


@scheduled_task
def raise_group() -> None:
    """Raises several errors at once."""
    raise ExceptionGroup("several", [ValueError("one"), LookupError("two")])


@scheduled_task
def leave_transaction_open(name: str) -> None:
    """Changes a row, and neither commits nor rolls back."""
    transaction.atomic(using=ALIAS).__enter__()
    ScheduledTask.objects.filter(name=name).update(description="changed")


@scheduled_task
def leave_autocommit_off(name: str) -> None:
    """Switches autocommit off, changes a row and does not commit."""
    transaction.set_autocommit(False, using=ALIAS)
    ScheduledTask.objects.filter(name=name).update(description="changed")


@scheduled_task
def break_transaction() -> None:
    """Leaves a transaction that an error has broken."""
    transaction.atomic(using=ALIAS).__enter__()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM there_is_no_such_table")


@scheduled_task
def break_connection() -> None:
    """Closes the driver's connection behind Django's back."""
    ScheduledTask.objects.count()
    connection.connection.close()


@scheduled_task
async def leave_transaction_open_in_async(name: str) -> None:
    """Does the same in the thread that async code uses."""

    def change() -> None:
        transaction.atomic(using=ALIAS).__enter__()
        ScheduledTask.objects.filter(name=name).update(description="changed")

    await sync_to_async(change)()


@scheduled_task
def previous() -> str | None:
    """Returns when the last success was."""
    found = context.execution.previous_success() if context.execution else None
    return found.isoformat() if found else None


class Unshowable:
    """Cannot be shown in any way."""

    def __repr__(self) -> str:
        raise ValueError("no repr")

    __str__ = __repr__


class Changing(dict[str, Any]):
    """What json says of a dictionary that a thread changes meanwhile."""

    def items(self) -> Any:
        raise RuntimeError("dictionary changed size during iteration")


def deep(levels: int) -> Any:
    """Return lists within lists."""
    found: Any = "end"
    for _ in range(levels):
        found = [found]
    return found


@scheduled_task
def report(what: Literal["surrogate", "large", "nan", "infinite", "text"] = "surrogate") -> str:
    """Reports progress that no database takes."""
    values: dict[str, Any] = {"large": 10**19, "nan": float("nan"), "infinite": float("inf"), "text": "seven"}
    context.progress(values.get(what, 3), values.get(what), "caf\udce9.txt\x00" if what == "surrogate" else what)
    return "done"


@scheduled_task
def give_oddly(what: Literal["changing", "unshowable", "deep", "very deep"], secret: SecretStr | None = None) -> Any:
    """Returns what can hardly be stored."""
    return {"changing": Changing(a=1), "unshowable": Unshowable(), "deep": deep(600), "very deep": deep(60_000)}[what]


@scheduled_task
def exit_oddly() -> None:
    """Calls sys.exit with something that cannot be shown."""
    sys.exit(Unshowable())  # type: ignore[arg-type]


@scheduled_task
def log_oddly() -> str:
    """Logs what cannot be logged."""
    logging.getLogger("caf\udce9").warning("named oddly")
    logging.getLogger("shop").error(Unshowable())
    logging.getLogger("shop").error("%s", Unshowable())
    return "done"


def _plainly(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **values: Any) -> Any:
        return function(*args, **values)

    return call


@scheduled_task
@_plainly
async def wrapped(error: str = "") -> str:
    """Is async behind a decorator that does not say so."""
    await asyncio.sleep(0.01)
    if error:
        raise ValueError(error)
    return "awaited"


@scheduled_task
def hand_out() -> Any:
    """Returns a generator, of which nothing has run."""
    return (number for number in [1, 2, 3])


@scheduled_task
def leave_thread(secret: SecretStr, until: str) -> None:
    """Leaves a thread behind, which logs its secret once there is a file *until*."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not Path(until).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        print(f"retrying with {secret.get_secret_value()}")
        logger.warning("retrying with %s", secret.get_secret_value())
        Path(until).unlink()

    threading.Thread(target=wait, daemon=True).start()


@scheduled_task
def wait_for_thread(until: str) -> None:
    """Lets that thread go on, and waits for it."""
    Path(until).touch()
    while Path(until).exists():
        time.sleep(0.01)
    print("mine")


@scheduled_task
def report_from_child() -> list[str]:
    """Reports, prints and logs in a child process; returns what the child knows, and the progress that is on record."""
    read_end, write_end = os.pipe()
    context.progress(1, 2, "the parent's")
    execution = context.execution
    number = execution.number if execution else 0
    if child := os.fork():
        os.waitpid(child, 0)
        progress = Execution.objects.values_list("progress_message", flat=True).get(pk=number)
        return [os.read(read_end, 100).decode(), progress]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(20)  # it must not wait for ever
    time.sleep(0.6)  # until progress may be written again
    context.progress(2, 2, "the child's")
    print("the child's")
    logger.info("the child's")
    known = context.execution
    os.write(write_end, f"{known.number if known else None} {context.should_cancel}".encode())
    os._exit(0)


@scheduled_task
def log_in(
    password: str = "built-in-pa55word", user: str = "anna", servers: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Lets out what is secret by its name alone."""
    print(f"{user}:{password}")
    if user == "raise":
        raise ValueError(f"401 for {password}")
    return {"password": "new", "servers": [{"apiKey": "k3y", "host": "h"}], "note": f"used {password}"}


@scheduled_task
def log_out(password: str = "", user: str = "", servers: list[dict[str, Any]] | None = None) -> None:
    """Takes the same as another function."""


@scheduled_task
def change_tenant() -> None:
    """Leaves the connection to our tables with another tenant, as a function may in a project with django-tenants."""
    connection.set_tenant("other")
