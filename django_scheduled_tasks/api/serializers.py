"""What requests and answers look like; rules are the services'."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_scheduled_tasks.lifecycle import Overlap


class RunOnceSerializer(serializers.Serializer[Any]):
    """The body of ``run-once``; every key may be left out."""

    params = serializers.DictField(required=False, help_text="Replace the task's own parameters one by one.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Why, for people.")
    notBefore = serializers.DateTimeField(  # noqa: N815  (the JSON key)
        required=False, allow_null=True, source="not_before", help_text="The earliest start, with a time zone."
    )
    overlap = serializers.ChoiceField(
        required=False,
        allow_null=True,
        choices=[str(item) for item in Overlap],
        help_text="Overrides the task's overlap policy for this run.",
    )

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown keys by name: a misspelt one would silently do nothing."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            known = ", ".join(self.fields)
            raise serializers.ValidationError({key: [f"There is no such key; known are {known}."] for key in unknown})
        return super().to_internal_value(data)
