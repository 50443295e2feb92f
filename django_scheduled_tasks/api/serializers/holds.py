"""A hold as a resource, and the bodies of requests about holds."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import Body, CamelModelSerializer, EnumField, InstantField, TextField
from django_scheduled_tasks.api.serializers.requests import REASON_MAX_LENGTH
from django_scheduled_tasks.models import Hold, HoldScope

_UNTIL = "When it ends by itself; null: when somebody releases it."


class HoldSerializer(CamelModelSerializer):
    """A reason why nothing new starts."""

    scope = EnumField(HoldScope, read_only=True)
    task_id = serializers.UUIDField(read_only=True, allow_null=True)
    created_by = serializers.CharField(source="created_by_name", read_only=True, allow_null=True)
    starts_at = InstantField(read_only=True, help_text="Since when.")
    until = InstantField(read_only=True, allow_null=True, help_text=_UNTIL)
    ended_at = InstantField(read_only=True, allow_null=True, help_text="When it ended; null while it lasts.")

    class Meta:
        model = Hold
        fields = (
            *("id", "scope", "queue", "tag", "task_id", "reason", "created_by", "starts_at", "until", "ended_at"),
        )
        read_only_fields = fields


class HoldRequest(Body):
    """The body that creates a hold."""

    scope = EnumField(HoldScope, required=False, default=HoldScope.ALL, help_text="What is held.")
    queue = TextField(required=False, allow_blank=True, max_length=100, help_text="With the scope `queue`: its name.")
    tag = TextField(required=False, allow_blank=True, max_length=64, help_text="With the scope `tag`.")
    task = TextField(required=False, allow_blank=True, help_text="With the scope `task`: its name or id.")
    reason = TextField(max_length=REASON_MAX_LENGTH, help_text="Why; shown on every page of the admin.")
    until = InstantField(required=False, allow_null=True, help_text=_UNTIL)


class HoldChange(Body):
    """The body that changes a hold; what is left out stays."""

    reason = TextField(required=False, max_length=REASON_MAX_LENGTH, help_text="Why; shown on every page of the admin.")
    until = InstantField(required=False, allow_null=True, help_text=_UNTIL)


class TaskExplanation(serializers.Serializer[Any]):
    """Why a task ran, or did not run, at an instant."""

    kind = serializers.CharField(help_text="`ran`, `skipped`, `missed`, `held`, `paused`, `not_due`, …")
    sentence = serializers.CharField(help_text="The answer.")
    facts = serializers.DictField(child=serializers.JSONField(), help_text="What is behind it; by kind.")
