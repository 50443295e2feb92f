"""An alert as a resource, and the bodies of requests about alerts."""

from __future__ import annotations

from rest_framework import serializers

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.api.serializers.base import Body, CamelModelSerializer, EnumField, InstantField
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.alerts.wording import sentence

_UNTIL = "Nobody is told anything of it until then; null ends the silence."


class AlertSerializer(CamelModelSerializer):
    """Something that is wrong, or was."""

    kind = EnumField(Kind, read_only=True)
    task_id = serializers.UUIDField(read_only=True, allow_null=True)
    task_name = serializers.CharField(read_only=True, help_text="Empty: it is about the installation or a queue.")
    queue = serializers.CharField(read_only=True, help_text="Empty: the default one, or it is about no queue.")
    is_open = serializers.BooleanField(read_only=True)
    sentence = serializers.SerializerMethodField(help_text="What is wrong, or how it ended.")
    opened_at = InstantField(read_only=True, help_text="Since when.")
    closed_at = InstantField(read_only=True, allow_null=True, help_text="When it was over; null while it is open.")
    count = serializers.IntegerField(read_only=True, help_text="How often it has happened.")
    first_execution = serializers.IntegerField(read_only=True, allow_null=True, help_text="Its number.")
    latest_execution = serializers.IntegerField(read_only=True, allow_null=True, help_text="Its number.")
    closing_execution = serializers.IntegerField(read_only=True, allow_null=True, help_text="Its number.")
    acknowledged_at = InstantField(read_only=True, allow_null=True)
    acknowledged_by = serializers.CharField(source="acknowledged_by_name", read_only=True, allow_null=True)
    silenced_until = InstantField(read_only=True, allow_null=True, help_text=_UNTIL)

    class Meta:
        model = Alert
        fields = (
            *("id", "kind", "task_id", "task_name", "queue", "is_open", "sentence", "opened_at", "closed_at", "count"),
            *("first_execution", "latest_execution", "closing_execution"),
            *("acknowledged_at", "acknowledged_by", "silenced_until"),
        )
        read_only_fields = fields

    def get_sentence(self, row: Alert) -> str:
        """Return what is wrong, or how it ended."""
        return sentence(row)


class SilenceRequest(Body):
    """The body that silences an alert."""

    until = InstantField(allow_null=True, help_text=_UNTIL)
