"""A change as a resource."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import CamelModelSerializer, EnumField, InstantField, NumberField
from django_scheduled_tasks.instants import camel
from django_scheduled_tasks.models import Change, ChangeKind, Deed, Way


class ChangedField(serializers.Serializer[Any]):
    """A field that has another value now; durations and instants are texts, parameters JSON; secrets are masked."""

    field = serializers.CharField(help_text="As in the task's resource.")
    name = serializers.CharField(required=False, help_text="Of `params`: which parameter.")
    old = serializers.CharField(allow_null=True)
    new = serializers.CharField(allow_null=True)


class ChangeSerializer(CamelModelSerializer):
    """Who changed what, when, and through what."""

    at = InstantField(read_only=True)
    deed = EnumField(Deed, read_only=True)
    kinds = serializers.ListField(child=EnumField(ChangeKind), read_only=True)
    person = serializers.CharField(source="user_name", read_only=True, help_text="Empty: a program that named nobody.")
    way = EnumField(Way, read_only=True, allow_null=True)
    door = serializers.CharField(read_only=True, help_text="The name of the token, of the command, or of the release.")
    address = serializers.CharField(read_only=True, help_text="Of the client; of a command `user@host`.")
    task_id = serializers.UUIDField(source="task", read_only=True, allow_null=True)
    task_name = serializers.CharField(
        read_only=True,
        help_text="As it was called after the change; without a task `tag:mail`, `queue:reports`, `rule:Night`,"
        " `channel:Ops`, or empty: everything.",
    )
    reason = serializers.CharField(read_only=True)
    changed = serializers.SerializerMethodField("get_changed", help_text="The fields that changed.")
    puts_back = NumberField(read_only=True, allow_null=True, help_text="The id of the change that this one undoes.")

    class Meta:
        model = Change
        fields = (
            *("id", "at", "deed", "kinds", "person", "way", "door", "address", "task_id", "task_name", "reason"),
            *("changed", "puts_back"),
        )
        read_only_fields = fields

    @extend_schema_field(ChangedField(many=True))
    def get_changed(self, change: Change) -> list[dict[str, Any]]:
        """Return the fields, called as in the task's resource."""
        return [item | {"field": camel(item["field"])} for item in change.fields]
