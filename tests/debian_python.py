"""Run a command on a Python that this machine does not have, as Debian's unstable distribution has it.

    python -m tests.debian_python py314-dj61 python -m tests -m "not browser"

The distribution is put into a folder once, with debootstrap, and the command runs in it, in an environment of that
Python with the package and what its tests use. It sees the checkout, the temporary folder and the network of this
machine, and so its servers on the loopback address, and has the pip settings and certificates of this machine. What is
mounted for it is seen by it alone and is gone when it ends, however it ends. Needs root on Linux; where it cannot be
done the exit code is 77 and the reason is one line on stderr, else it is the exit code of the command.

``SCHEDULED_TASKS_TEST_DEBIAN`` names another place for the folders than the user's cache, and
``SCHEDULED_TASKS_TEST_DEBIAN_MIRROR`` another mirror than the one among the machine's sources of packages.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import os
import platform
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

LEFT_OUT = 77
"""The exit code where there is no such Python to be had, as test drivers know it."""
ROOT = Path(__file__).resolve().parent.parent
APT = Path("/etc/apt")
PACKAGES = ("ca-certificates", "curl", "git", "tzdata")
DEFAULT = ("python", "-m", "tests", "-m", "not browser")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
"""Variables that name files or folders of certificates."""
DROPPED = re.compile("(PYTHON|PYENV|VIRTUAL_ENV|COVERAGE_|UV_|TOX_|LD_)")
"""Variables that are about this machine's Python start so."""


class LeftOut(Exception):
    """There is no such Python to be had here; says why."""


def mirror(sources: Path = APT) -> str | None:
    """Return the mirror of Debian that apt is told of in *sources*; None if it is told of none."""
    if given := os.environ.get("SCHEDULED_TASKS_TEST_DEBIAN_MIRROR"):
        return given
    files = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    lines = (line.strip() for file in files if file.is_file() for line in file.read_text().splitlines())
    words = (word for line in lines if re.match(r"(deb|URIs:)\s", line) for word in line.split())
    return next((word for word in words if re.fullmatch(r"https?://\S+/debian/?", word)), None)


def pip_settings() -> dict[str, str]:
    """Return the settings of pip on this machine, as the variables that pip reads."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^(?:global|install)\.([a-z-]+)=('.*'|\".*\")$", text, re.MULTILINE)
    return {f"PIP_{name.upper().replace('-', '_')}": str(ast.literal_eval(value)) for name, value in found}


def certificates() -> dict[str, str]:
    """Return the variables that name this machine's certificates."""
    given = {name: os.environ[name] for name in CERTIFICATES if name in os.environ}
    usual = ssl.get_default_verify_paths()
    places = {"SSL_CERT_FILE": usual.cafile, "SSL_CERT_DIR": usual.capath}
    return given or {name: place for name, place in places.items() if place}


def places_in(values: Iterable[str]) -> Iterator[Path]:
    """Yield the files and folders of this machine that *values* name; of an index of packages, what it lies in."""
    for word in (word for value in values for word in value.split()):
        address = word.removeprefix("file://")
        place = Path(address) if address == word else Path(address).parent
        if place.is_absolute() and place.exists() and place != Path("/"):
            yield place


def folder_of(version: str) -> Path:
    """Return the folder of the distribution with Python *version*."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "django-scheduled-tasks"
    return Path(os.environ.get("SCHEDULED_TASKS_TEST_DEBIAN") or cache).absolute() / f"debian-python{version}"


def require() -> None:
    """Raise LeftOut where it cannot be done; get debootstrap where it is missing and apt has it."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise LeftOut("it takes root on Linux")
    if missing := [name for name in ("unshare", "setpriv", "chroot") if shutil.which(name) is None]:
        raise LeftOut(f"there is no {' and no '.join(missing)}")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False).returncode:
        raise LeftOut("this machine lets nobody mount")
    if shutil.which("debootstrap") is None and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
        for command in (["apt-get", "update", "-qq"], [*install, "debootstrap"]):
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if shutil.which("debootstrap") is None:
        raise LeftOut("there is no debootstrap")


def make(version: str, folder: Path) -> None:
    """Put the distribution with Python *version* and the packages into *folder*, unless it is there."""
    packages = ",".join((f"python{version}", f"python{version}-venv", *PACKAGES))
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished, lock, log = (folder.with_name(f"{folder.name}{end}") for end in (".unfinished", ".lock", ".log"))
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if (folder / "packages").exists() and (folder / "packages").read_text() == packages:
            return
        shutil.rmtree(unfinished, ignore_errors=True)
        print(f"Putting Debian with Python {version} into {folder}", file=sys.stderr, flush=True)
        # What debootstrap mounts is in a space of its own, so that nothing is left mounted if it is interrupted.
        command = ["unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={packages}"]
        address = [found] if (found := mirror()) else []
        with log.open("w") as output:
            done = subprocess.run(
                [*command, "sid", str(unfinished), *address], stdout=output, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode:
            raise LeftOut(f"debootstrap failed, see {log}")
        (unfinished / "packages").write_text(packages)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)


def script(folder: Path, places: Iterable[Path], inner: str) -> str:
    """Return what the shell does that has the mounts: mount *places*, and run the text *inner* in the distribution."""
    lines = ["set -e", f"mount -t proc proc {shlex.quote(f'{folder}/proc')}"]
    for place in places:
        here, there = shlex.quote(str(place)), shlex.quote(f"{folder}{place}")
        made = f"mkdir -p {there}" if place.is_dir() else f"mkdir -p $(dirname {there}); [ -e {there} ] || : > {there}"
        lines.append(f"{made}; mount --rbind {here} {there}")
    # The shell stays, as the process that all orphans are left to.
    lines += ["set +e", f"chroot {shlex.quote(str(folder))} /bin/sh -c {shlex.quote(inner)}", "exit $?"]
    return "\n".join(lines)


def inner_script(version: str, django: str, command: list[str]) -> str:
    """Return what the shell in the distribution does: bring the environment up to date, and run *command* in it."""
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    environment = f"/environments/{checkout}-{django or 'any'}"
    wanted = f"'django~={django}.0'" if django else ""
    return "\n".join(
        (
            f"set -e; cd {shlex.quote(str(ROOT))}; mkdir -p /environments",
            f"exec 9> {environment}.lock; flock 9",
            f"[ -x {environment}/bin/pip ] || python{version} -m venv {environment}",
            f"export PATH={environment}/bin:$PATH VIRTUAL_ENV={environment}",
            f"now=$(echo {wanted} | cat - pyproject.toml | sha256sum)",
            f'if [ "$now" != "$(cat {environment}/installed 2>&-)" ]; then',
            '  python -m pip install -qq --upgrade "pip>=25.1" 1>&2',
            f"  python -m pip install -qq --upgrade -e . --group test {wanted} 1>&2",
            f'  echo "$now" > {environment}/installed',
            "fi",
            "exec 9>&-",
            f"exec {shlex.join(command)}",
        )
    )


def run(version: str, django: str, command: list[str]) -> int:
    """Run *command* in the distribution with Python *version*, and return its exit code."""
    folder = folder_of(version)
    settings = pip_settings() | certificates()
    machine = [Path("/dev"), Path("/etc/hosts"), Path("/etc/resolv.conf"), Path("/etc/ssl/certs")]
    named = list(places_in([*settings.values(), *(os.environ[name] for name in os.environ if name[:4] == "PIP_")]))
    places = [place for place in dict.fromkeys([*machine, Path(tempfile.gettempdir()), ROOT, *named]) if place.exists()]
    environment = {name: value for name, value in os.environ.items() if not DROPPED.match(name)}
    environment = settings | environment | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    # Each ends when the one before it does: this process, unshare, the shell, and with it all that it started.
    outer = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c"]
    text = script(folder, places, inner_script(version, django, command))
    before = signal.getsignal(signal.SIGINT)
    with subprocess.Popen([*outer, text], env=environment) as process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command gets it too, and ends as it likes
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.debian_python", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--fresh", action="store_true", help="make the folder anew: unstable moves on")
    parser.add_argument("pair", help="of Python and Django, as tox calls them: py314-dj61; py315 for any Django")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=f"what to run; else {shlex.join(DEFAULT)}")
    given = parser.parse_args(arguments)
    if not (found := re.fullmatch(r"py3(\d+)(?:-dj(\d)(\d))?", given.pair)):
        parser.error("a pair is such as py314-dj61")
    version, django = f"3.{found[1]}", f"{found[2]}.{found[3]}" if found[2] else ""
    try:
        require()
        if given.fresh:
            shutil.rmtree(folder_of(version), ignore_errors=True)
        make(version, folder_of(version))
    except LeftOut as reason:
        print(f"{given.pair}: left out, since {reason}.", file=sys.stderr)
        return LEFT_OUT
    return run(version, django, given.command or list(DEFAULT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
