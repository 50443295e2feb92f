"""A PostgreSQL and a Redis of one's own on spare loopback ports, to be restarted, flushed and killed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def spare_port() -> int:
    """Return a port on the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(port: int, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not _answers(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing listens on port {port} after {seconds} s.")
        time.sleep(0.02)


class Redis:
    """A Redis server that keeps nothing on disk."""

    def __init__(self) -> None:
        self.port = spare_port()
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            ["redis-server", *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, start_new_session=True
        )
        _wait_for(self.port)

    def restart(self) -> None:
        """Kill it, with all that it holds, and start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()


class PostgreSQL:
    """A PostgreSQL server with a database ``test`` that everybody on this machine may use.

    Args:
        copied: The environment of programs that reach another server: this one begins as its base backup.
    """

    def __init__(self, copied: Mapping[str, str] | None = None) -> None:
        self.port = spare_port()
        self._bin = _postgres_programs()
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self._data = self._folder / "data"
        if copied is not None:
            reach = ["-h", copied["PGHOST"], "-p", copied["PGPORT"], "-U", copied["PGUSER"]]
            self._run("pg_basebackup", *reach, "-D", str(self._data), "-X", "stream", "-c", "fast", "--no-sync")
            self.start()
            return
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()
        self._create_database()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", log, "-w", "start")

    def restart(self, mode: str = "immediate") -> None:
        """Stop it as by a crash (or ``fast``), and start it again."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")
        self.start()

    def stop(self) -> None:
        """Stop it, and remove what it kept."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _create_database(self) -> None:
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute("CREATE DATABASE test")

    @property
    def pid(self) -> int:
        """The id of its first process, which has started all others."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def environment(self) -> dict[str, str]:
        """Return the variables that lead the tests' settings to it."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres", "PGPASSWORD": ""}

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            check=False,
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


def _postgres_programs() -> Path:
    """Return the folder of PostgreSQL's server programs."""
    if (found := shutil.which("initdb")) and (Path(found).parent / "pg_ctl").exists():
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not folders:
        raise FileNotFoundError("PostgreSQL's server programs (initdb, pg_ctl) are not on this machine.")
    return folders[-1]


@contextmanager
def own_servers() -> Iterator[tuple[PostgreSQL, Redis]]:
    """Run both within the block."""
    postgres = PostgreSQL()
    try:
        redis = Redis()
        try:
            yield postgres, redis
        finally:
            redis.stop()
    finally:
        postgres.stop()


class Silent:
    """A server that accepts connections and never answers; with *port*, one that passes on to that, but slowly.

    Args:
        port: Of the server behind it.
        delay: Seconds that each of that one's answers takes longer.
    """

    def __init__(self, port: int | None = None, *, delay: float = 0.0) -> None:
        self._behind, self.delay = port, delay
        self.is_frozen = False
        """Whether nothing is passed on at the moment."""
        self.accepted: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address, as if it were Redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        """Listen no longer, and end all connections."""
        self._listener.close()
        for one in self.accepted:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                one, _address = self._listener.accept()
                self.accepted.append(one)
                if self._behind is not None:
                    other = socket.create_connection(("127.0.0.1", self._behind))
                    self.accepted.append(other)
                    for ends in ((one, other, 0.0), (other, one, 1.0)):
                        threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, share: float) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self.delay * share)
                while self.is_frozen:
                    time.sleep(0.02)
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
