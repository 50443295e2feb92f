"""Rules and channels as resources, and the bodies of requests about them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.api.serializers.base import (
    Body,
    CamelModelSerializer,
    DurationField,
    EnumField,
    FlagField,
    InstantField,
    NumberField,
    TextField,
    WallTimeField,
)
from django_scheduled_tasks.channels import KIND_MAX_LENGTH
from django_scheduled_tasks.models import AlertRule, Channel, Report, RuleScope
from django_scheduled_tasks.services.alerts.recorded import shown_address

_SMALL = 32_767
_ADDRESS = (
    "Mail: addresses with commas between them, or empty for those of `ADMINS`. Webhook: its URL. Otherwise empty."
)
_REPORT = "How often it is sent what failed, was missed or got slower; null: never."
_NAMED = "The setting or environment variable that holds the secret; never the secret itself."
_KIND = "`mail`, `webhook`, `apprise`, or one of the project's."
_KINDS = "Which alerts are told."
_SCOPE = "Which tasks it is about. What is wrong with the installation is told by rules for all."
_AFTER = "So many failures in a row open an alert."
_CLOSES = "So many successes in a row close it."
_REMIND = "Until it is acknowledged; null: never."
_MARGIN = "For how long a task may be due without starting; null: 5 minutes."
_QUIET = "In the project's time zone; null: no quiet hours."
_AT_ONCE = "Kinds that are told in quiet hours as well."
_DECLARED = "Whether it follows what the code says of its task; of such a rule only `enabled` stays as it is changed."
_CHANNELS = "Numbers of channels."


class ChannelSerializer(CamelModelSerializer):
    """Where notices go."""

    kind = serializers.CharField(read_only=True, help_text=_KIND)
    report = EnumField(Report, read_only=True, allow_null=True, help_text=_REPORT)
    address = serializers.SerializerMethodField(help_text="Of a URL only the host is shown, since it may be a secret.")
    failing_since = InstantField(
        read_only=True, allow_null=True, help_text="When it first did not take a notice; null: it answers."
    )
    tries = serializers.IntegerField(
        source="failed_tries", read_only=True, help_text="How often it has not, since then."
    )
    last_answer = serializers.CharField(read_only=True, help_text="What it said last, while it does not answer.")
    next_try_at = InstantField(read_only=True, allow_null=True, help_text="When a notice is sent next; null: never.")

    class Meta:
        model = Channel
        fields = (
            *("id", "name", "kind", "address", "secret_name", "report", "enabled"),
            *("failing_since", "tries", "last_answer", "next_try_at"),
        )
        read_only_fields = fields

    def get_address(self, row: Channel) -> str:
        """Return what others may see of it."""
        return shown_address(row)


class ChannelChange(Body):
    """The body that changes a channel; what is left out stays."""

    name = TextField(required=False, max_length=100)
    kind = TextField(required=False, max_length=KIND_MAX_LENGTH, help_text=_KIND)
    address = TextField(required=False, allow_blank=True, max_length=500, help_text=_ADDRESS)
    secretName = TextField(  # noqa: N815  (as in JSON)
        source="secret_name", required=False, allow_blank=True, max_length=100, help_text=_NAMED
    )
    report = EnumField(Report, required=False, allow_null=True, help_text=_REPORT)
    enabled = FlagField(required=False)


class ChannelRequest(ChannelChange):
    """The body that creates a channel."""

    name = TextField(max_length=100)
    kind = TextField(max_length=KIND_MAX_LENGTH, help_text=_KIND)


class ChannelAnswer(serializers.Serializer[Any]):
    """What a channel said to a test."""

    taken = serializers.BooleanField(help_text="Whether it took the test.")
    answer = serializers.CharField(help_text="What it said, such as `HTTP 204`.")


class AlertRuleSerializer(CamelModelSerializer):
    """Who is told of which alerts."""

    scope = EnumField(RuleScope, read_only=True, help_text=_SCOPE)
    task_id = serializers.UUIDField(read_only=True, allow_null=True)
    kinds = serializers.ListField(child=EnumField(Kind), read_only=True, help_text=_KINDS)
    quiet_from = WallTimeField(read_only=True, allow_null=True, help_text=_QUIET)
    quiet_until = WallTimeField(read_only=True, allow_null=True, help_text=_QUIET)
    tell_at_once = serializers.ListField(child=EnumField(Kind), read_only=True, help_text=_AT_ONCE)
    declared = serializers.BooleanField(read_only=True, help_text=_DECLARED)
    channels = serializers.SerializerMethodField(help_text=_CHANNELS)

    class Meta:
        model = AlertRule
        fields = (
            *("id", "name", "enabled", "scope", "tag", "task_id", "kinds", "after", "closes_after", "remind_every"),
            *("margin", "quiet_from", "quiet_until", "tell_at_once", "declared", "channels"),
        )
        read_only_fields = fields

    def get_channels(self, row: AlertRule) -> list[int]:
        """Return their numbers."""
        return sorted(channel.pk for channel in row.channels.all())


class AlertRuleChange(Body):
    """The body that changes a rule; what is left out stays."""

    name = TextField(required=False, max_length=100)
    enabled = FlagField(required=False)
    scope = EnumField(RuleScope, required=False, help_text=_SCOPE)
    tag = TextField(required=False, allow_blank=True, max_length=64, help_text="With the scope `tag`.")
    task = TextField(required=False, allow_null=True, help_text="With the scope `task`: its name or id.")
    kinds = serializers.ListField(child=EnumField(Kind), required=False, max_length=50, help_text=_KINDS)
    after = NumberField(required=False, min_value=1, max_value=_SMALL, help_text=_AFTER)
    closesAfter = NumberField(  # noqa: N815  (as in JSON)
        source="closes_after", required=False, min_value=1, max_value=_SMALL, help_text=_CLOSES
    )
    remindEvery = DurationField(  # noqa: N815
        source="remind_every", required=False, allow_null=True, help_text=_REMIND
    )
    margin = DurationField(required=False, allow_null=True, help_text=_MARGIN)
    quietFrom = WallTimeField(  # noqa: N815
        source="quiet_from", required=False, allow_null=True, help_text=_QUIET
    )
    quietUntil = WallTimeField(  # noqa: N815
        source="quiet_until", required=False, allow_null=True, help_text=_QUIET
    )
    tellAtOnce = serializers.ListField(  # noqa: N815
        source="tell_at_once", child=EnumField(Kind), required=False, max_length=50, help_text=_AT_ONCE
    )
    channels = serializers.ListField(
        child=NumberField(min_value=1, max_value=2**63 - 1), required=False, max_length=200, help_text=_CHANNELS
    )


class AlertRuleRequest(AlertRuleChange):
    """The body that creates a rule."""

    name = TextField(max_length=100)
    kinds = serializers.ListField(child=EnumField(Kind), max_length=50, help_text=_KINDS)
    channels = serializers.ListField(
        child=NumberField(min_value=1, max_value=2**63 - 1), max_length=200, help_text=_CHANNELS
    )
