"""Builds the wheel of an older release that the tests run against today's tables: ``python -m tests.upgrade.build``.

It is built from a commit, and is the package alone, without translations and static files, which no test of it needs.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(__file__).resolve().parent / "data"
COMMIT = "106664d"
"""The last one before the migration ``0003_releases``."""
LEFT_OUT = ("locale", "static")
FILES = ("django_scheduled_tasks", "pyproject.toml", "README.md", "LICENSE")


def build(commit: str) -> Path:
    """Build the wheel of *commit*, in place of the one that is kept, and return it."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        packed = subprocess.run(["git", "archive", commit, *FILES], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(source, filter="data")
        for folder in LEFT_OUT:
            shutil.rmtree(source / "django_scheduled_tasks" / folder)
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", name]
        subprocess.run(command, cwd=source, check=True)
        FOLDER.mkdir(exist_ok=True)
        for old in FOLDER.glob("*.whl"):
            old.unlink()
        return Path(shutil.copy(next(Path(name).glob("*.whl")), FOLDER))


def unpack(folder: Path) -> Path:
    """Unpack the wheel that is kept into *folder*, and return the folder to be imported from."""
    (wheel,) = FOLDER.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.build", description=__doc__)
    parser.add_argument("commit", nargs="?", default=COMMIT, help=f"from which (default: {COMMIT})")
    print(build(parser.parse_args().commit))
