"""An alert as a resource, and the bodies of requests about alerts."""

from __future__ import annotations

from rest_framework import serializers

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.api.serializers.base import Body, CamelModelSerializer, EnumField, InstantField, TextField
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.alerts.telling.wording import sentence

COMMENT_MAX_LENGTH, SILENCE_MAX_LENGTH = 500, 200
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
    silence_reason = serializers.CharField(read_only=True, help_text="Why it is silent; may be empty.")
    comment = serializers.CharField(read_only=True, help_text="Of who acknowledged or closed it; may be empty.")
    closed_by_hand = serializers.BooleanField(read_only=True, help_text="Whether somebody said that it is over.")
    closed_by = serializers.CharField(source="closed_by_name", read_only=True, allow_null=True)

    class Meta:
        model = Alert
        fields = (
            *("id", "kind", "task_id", "task_name", "queue", "is_open", "sentence", "opened_at", "closed_at", "count"),
            *("first_execution", "latest_execution", "closing_execution"),
            *("acknowledged_at", "acknowledged_by", "silenced_until", "silence_reason", "comment"),
            *("closed_by_hand", "closed_by"),
        )
        read_only_fields = fields

    def get_sentence(self, row: Alert) -> str:
        """Return what is wrong, or how it ended."""
        return sentence(row)


class CommentRequest(Body):
    """The body that acknowledges or closes an alert; every key may be left out."""

    comment = TextField(
        required=False, allow_blank=True, max_length=COMMENT_MAX_LENGTH, help_text="What there is to say, for people."
    )


class SilenceRequest(Body):
    """The body that silences an alert."""

    until = InstantField(allow_null=True, help_text=_UNTIL)
    reason = TextField(required=False, allow_blank=True, max_length=SILENCE_MAX_LENGTH, help_text="Why, for people.")
