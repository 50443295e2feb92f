"""What becomes of each task's row, written down by the database itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.database import connection

INSTALL = """
CREATE TABLE IF NOT EXISTS deploys_audit (
    number bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), task uuid, name text,
    function text, params jsonb, schedule text, enabled bool, paused_at timestamptz, pause_code text,
    retired_at timestamptz, updated_at timestamptz, release text, origin text
);
CREATE OR REPLACE FUNCTION deploys_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deploys_audit (task, name, function, params, schedule, enabled, paused_at, pause_code, retired_at,
                               updated_at, release, origin)
    VALUES (NEW.id, NEW.name, NEW.function, NEW.params, NEW.schedule_kind || ' ' || NEW.expression, NEW.enabled,
            NEW.paused_at, NEW.pause_code, NEW.retired_at, NEW.updated_at, NEW.declared_release, NEW.origin);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER deploys_audit_insert AFTER INSERT ON django_scheduled_tasks_scheduledtask
    FOR EACH ROW EXECUTE FUNCTION deploys_audit();
CREATE OR REPLACE TRIGGER deploys_audit_update AFTER UPDATE ON django_scheduled_tasks_scheduledtask FOR EACH ROW
    WHEN (OLD.updated_at <> NEW.updated_at) EXECUTE FUNCTION deploys_audit();
"""
REMOVE = """
DROP TRIGGER IF EXISTS deploys_audit_insert ON django_scheduled_tasks_scheduledtask;
DROP TRIGGER IF EXISTS deploys_audit_update ON django_scheduled_tasks_scheduledtask;
DROP FUNCTION IF EXISTS deploys_audit;
DROP TABLE IF EXISTS deploys_audit;
"""
COLUMNS = (
    *("at", "task", "name", "function", "params", "schedule", "enabled", "paused_at", "pause_code", "retired_at"),
    *("updated_at", "release", "origin"),
)


@dataclass(frozen=True)
class Entry:
    """A task's row after somebody has changed it."""

    at: datetime
    task: UUID
    name: str
    function: str
    params: dict[str, Any]
    schedule: str
    enabled: bool
    paused_at: datetime | None
    pause_code: str
    retired_at: datetime | None
    updated_at: datetime
    """The instant from which on the change counts."""
    release: str
    """The key of the release whose declaration was written last."""
    origin: str

    @property
    def line(self) -> int:
        """Which task it is, through all names."""
        return int(self.params["line"])


def install() -> None:
    """Begin to write down."""
    _execute(INSTALL)


def remove() -> None:
    """End it, and forget what was written."""
    _execute(REMOVE)


def read() -> dict[UUID, list[Entry]]:
    """Return what was written of each task, in order."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM deploys_audit ORDER BY number")
        found: dict[UUID, list[Entry]] = {}
        for row in cursor.fetchall():
            values = dict(zip(COLUMNS, row, strict=True))
            if isinstance(values["params"], str):
                values["params"] = json.loads(values["params"])
            found.setdefault(values["task"], []).append(Entry(**values))
    return found


def rewrite(task: UUID, *, function: str, params: dict[str, Any]) -> None:
    """Correct what was written of a new task; it was made in two steps."""
    sql = "UPDATE deploys_audit SET function = %s, params = %s::jsonb WHERE task = %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, [function, json.dumps(params), task])


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
