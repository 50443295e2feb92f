"""What a benchmark ran on."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib.metadata import version
from pathlib import Path


def described(*distributions: str) -> dict[str, str]:
    """Return processor, system and versions, to be written above what was measured.

    Args:
        distributions: Installed packages whose versions matter. Django has to be set up.
    """
    from django.db import connection

    number = ".".join(map(str, connection.get_database_version()))
    found = {"Processor": f"{processor()} ({os.cpu_count()} cores)", "Linux": platform.release()}
    found |= {"Python": platform.python_version(), connection.display_name: number}
    return found | {name: version(name) for name in distributions}


def processor() -> str:
    """Return what the processor is called."""
    names = Path("/proc/cpuinfo")
    if not names.exists():
        return platform.processor() or platform.machine()
    lines = [line.partition(":")[2].strip() for line in names.read_text().splitlines() if line.startswith("model name")]
    return lines[0] if lines else platform.machine()


def has_celery() -> bool:
    """Return whether Celery, django-celery-beat and django-celery-results are installed, which are measured then."""
    return all(map(importlib.util.find_spec, ("celery", "django_celery_beat", "django_celery_results")))
