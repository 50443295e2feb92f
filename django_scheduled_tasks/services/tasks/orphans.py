"""What becomes of tasks whose owner is gone: with it, in its transaction, or found later by the scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.db import models, router
from django.db.models.signals import post_delete
from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import TaskNotFound
from django_scheduled_tasks.models import ScheduledTask, write_alias, write_transaction
from django_scheduled_tasks.models.owner import read_keys
from django_scheduled_tasks.owners import OnOwnerDelete, owners
from django_scheduled_tasks.services.tasks.edit import delete_task, update_task
from django_scheduled_tasks.services.tasks.owner import owner_columns


def connect(model: type[models.Model]) -> None:
    """Notice when an object of *model*, or of a proxy of it, is deleted."""
    kin = {one for one in apps.get_models(include_auto_created=True) if one._meta.concrete_model is model}
    for one in kin | {model}:
        post_delete.connect(_owner_deleted, sender=one, dispatch_uid=f"django_scheduled_tasks.owner.{one._meta.label}")


def _owner_deleted(instance: models.Model, **_signal: Any) -> None:
    columns = owner_columns(instance)
    known = owners().get(columns["owner_type"])
    if known is not None:
        rows = ScheduledTask.objects.using(write_alias()).filter(**columns)
        _let_go(rows, known[1])


def _let_go(rows: models.QuerySet[ScheduledTask], policy: OnOwnerDelete) -> int:
    """Delete *rows*, whose owner is gone, or switch them off; return how many there were."""
    reason = _("Its owner has been deleted.")
    found = list(rows.order_by("pk"))
    if not found:
        return 0
    with write_transaction():
        for row in found:
            with suppress(TaskNotFound):  # somebody has deleted it meanwhile
                if policy == OnOwnerDelete.DELETE:
                    delete_task(row, reason=reason)
                else:
                    update_task(row, enabled=False, reason=reason)
    return len(found)


def orphan_steps() -> Iterator[tuple[str, int]]:
    """Let go of tasks whose owner is gone without a signal, a batch at a time; yield the owners' label and how many.

    Only of models that :func:`~django_scheduled_tasks.owners.owns_tasks` names: of others nobody knows what shall be.
    """
    for label, (model, policy) in list(owners().items()):
        rows = ScheduledTask.objects.using(write_alias()).filter(owner_type=label)
        if policy == OnOwnerDelete.SWITCH_OFF:
            rows = rows.filter(enabled=True)
        last = ""
        while ids := _owner_ids(rows, last):
            gone = sorted(set(ids) - _there(model, ids))
            size = get_settings().BATCH_SIZE
            for start in range(0, len(gone), size):
                yield label, _let_go(rows.filter(owner_id__in=gone[start : start + size]), policy)
            yield label, 0
            last = ids[-1]


def _owner_ids(rows: models.QuerySet[ScheduledTask], after: str) -> list[str]:
    ids = rows.filter(owner_id__gt=after).order_by("owner_id").values_list("owner_id", flat=True).distinct()
    return list(ids[: get_settings().BATCH_SIZE])


def _there(model: type[models.Model], ids: list[str]) -> set[str]:
    """Return those of *ids* that are keys of stored objects, or that nobody can read."""
    keys = read_keys(model, ids)
    rows = model._base_manager.using(router.db_for_write(model)).filter(pk__in=list(keys))
    stored = {keys[key] for key in rows.values_list("pk", flat=True) if key in keys}
    return stored | (set(ids) - set(keys.values()))
