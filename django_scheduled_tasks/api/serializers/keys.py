"""Bodies and answers of the calls about tasks by their keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import Body, EnumField, TextField
from django_scheduled_tasks.api.serializers.requests import REASON_MAX_LENGTH
from django_scheduled_tasks.api.serializers.responses import TaskErrors
from django_scheduled_tasks.api.serializers.tasks import READ_ONLY, ScheduledTaskSerializer
from django_scheduled_tasks.models.owner import model_of
from django_scheduled_tasks.models.task import KEY_MAX_LENGTH, NAME_MAX_LENGTH, NAME_MIN_LENGTH

MOST_TASKS = 1_000


class KeyedTaskSerializer(ScheduledTaskSerializer):
    """A task as a program wants it; what is left out stays as it is, or gets its default if the task is new."""

    name = TextField(
        required=False,
        min_length=NAME_MIN_LENGTH,
        max_length=NAME_MAX_LENGTH,
        help_text="Default, for a new one: made of the function and the key.",
    )
    owner_type = TextField(required=False, allow_blank=True, max_length=200, help_text="As `shop.customer`.")
    owner_id = TextField(required=False, allow_blank=True, max_length=KEY_MAX_LENGTH)

    class Meta(ScheduledTaskSerializer.Meta):
        read_only_fields = tuple(n for n in READ_ONLY if n not in {"owner_type", "owner_id"})

    def validate_ownerType(self, value: str) -> str:  # noqa: N802
        """Refuse a label that is none of an installed model; return it in lower case, as it is stored."""
        if value and model_of(value) is None:
            raise serializers.ValidationError(_("There is no such model."), code="unknown")
        return value.lower()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse one half of an owner."""
        given = {name: attrs[name] for name in ("owner_type", "owner_id") if name in attrs}
        if given and (len(given) == 1 or bool(given["owner_type"]) != bool(given["owner_id"])):
            raise serializers.ValidationError({"ownerId": [_("It goes together with ownerType.")]})
        return attrs


class BulkTaskSerializer(KeyedTaskSerializer):
    """One of many, with its key."""

    key = TextField(max_length=KEY_MAX_LENGTH, trim_whitespace=False)

    class Meta(KeyedTaskSerializer.Meta):
        read_only_fields = tuple(name for name in KeyedTaskSerializer.Meta.read_only_fields if name != "key")


class BulkRequest(Body):
    """Tasks to be created or changed."""

    tasks = serializers.ListField(
        child=serializers.DictField(), max_length=MOST_TASKS, help_text="Each as for one key, with its `key`."
    )
    reason = TextField(required=False, allow_blank=True, max_length=REASON_MAX_LENGTH, help_text="Why; recorded.")


class BulkStatus(StrEnum):
    """What came of one task."""

    CREATED = "created"
    """It is new."""
    UPDATED = "updated"
    """It was changed."""
    UNCHANGED = "unchanged"
    """It was as it shall be; nothing was written."""
    FAILED = "failed"
    """Nothing was written; `errors` says why."""


class BulkItem(serializers.Serializer[Any]):
    """What came of one task."""

    key = serializers.CharField()
    status = EnumField(BulkStatus)
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    errors: Any = TaskErrors(allow_null=True)


class BulkAnswer(serializers.Serializer[Any]):
    """What came of all, in their order."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    failed = serializers.IntegerField()
    items = BulkItem(many=True)
