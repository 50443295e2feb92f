"""What this process can find out about its release: a name, and the versions that it runs on. No process is started."""

from __future__ import annotations

import os
import platform
import re
import zoneinfo
from importlib import metadata
from pathlib import Path

import django
from django.conf import settings

from django_scheduled_tasks import __version__
from django_scheduled_tasks.conf import get_settings

NAME_MAX_LENGTH = 100
VARIABLES = (
    *("GIT_SHA", "GIT_COMMIT", "SOURCE_VERSION", "SOURCE_COMMIT", "HEROKU_SLUG_COMMIT", "RENDER_GIT_COMMIT"),
    *("RAILWAY_GIT_COMMIT_SHA", "K_REVISION"),
)
"""Variables of the environment in which platforms and images say what they run; the first that is set counts."""
SHOWN_OF_COMMIT = 12
"""How many digits of a commit's hash are shown."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def release_name() -> str:
    """Return how people call this release; empty if that cannot be found out.

    In this order: the setting ``RELEASE``; one of :data:`VARIABLES`; the version of the distribution that is called as
    the package of the settings module; the commit that is checked out in ``BASE_DIR`` or above.
    """
    found = get_settings().RELEASE or _from_environment() or _from_distribution() or _from_git()
    return _shortened(found)[:NAME_MAX_LENGTH]


def versions() -> dict[str, str]:
    """Return the versions of what decides how a task runs."""
    return {
        "python": platform.python_version(),
        "django": django.get_version(),
        "tzdata": _tzdata_version(),
        "django_scheduled_tasks": __version__,
    }


def _shortened(name: str) -> str:
    return name[:SHOWN_OF_COMMIT] if _COMMIT.fullmatch(name) else name


def _from_environment() -> str:
    return next((value for name in VARIABLES if (value := os.environ.get(name, "").strip())), "")


def _from_distribution() -> str:
    package = str(getattr(settings, "SETTINGS_MODULE", "") or "").partition(".")[0]
    try:
        return metadata.version(package) if package else ""
    except metadata.PackageNotFoundError:
        return ""


def _from_git() -> str:
    base = getattr(settings, "BASE_DIR", None)
    if base is None:
        return ""
    try:
        folder = Path(base).resolve()
        place = next((one / ".git" for one in (folder, *folder.parents) if (one / ".git").exists()), None)
        return _commit_in(place) if place else ""
    except OSError:
        return ""


def _commit_in(place: Path) -> str:
    """Return the commit that is checked out; *place* is the folder of a repository, or the file of a work tree."""
    if place.is_file():
        place = place.parent / place.read_text().partition("gitdir:")[2].strip()
    head = (place / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head
    name = head.removeprefix("ref:").strip()
    common = place / "commondir"
    for folder in (place, place / common.read_text().strip() if common.exists() else place):
        if (folder / name).exists():
            return (folder / name).read_text().strip()
        packed = folder / "packed-refs"
        for line in packed.read_text().splitlines() if packed.exists() else ():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    return ""


def _tzdata_version() -> str:
    """Return the version of the time zone data, from where ``zoneinfo`` reads it; empty: not known."""
    for folder in map(Path, zoneinfo.TZPATH):
        for name in ("+VERSION", "tzdata.zi"):
            try:
                with (folder / name).open() as file:
                    return file.readline(100).strip().removeprefix("# version ")
            except OSError:
                continue
    try:
        return metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        return ""
