"""Bodies and answers of the calls that carry tasks from one environment to another."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import Body, EnumField, TextField
from django_scheduled_tasks.api.serializers.requests import REASON_MAX_LENGTH
from django_scheduled_tasks.api.serializers.responses import TaskErrors
from django_scheduled_tasks.carrying import Act
from django_scheduled_tasks.services.tasks.tags import TAG_MAX_LENGTH

MOST_TAGS = 50


class ExportAnswer(serializers.Serializer[Any]):
    """Tasks by name, with what differs from the defaults; secrets are masked."""

    format = serializers.CharField()
    version = serializers.IntegerField()
    tasks = serializers.ListField(child=serializers.DictField())


class ImportRequest(Body):
    """What was exported elsewhere, and what to do with it."""

    document = serializers.DictField(help_text="As `tasks/export/` answers.")
    apply = serializers.BooleanField(required=False, default=False, help_text="Do it; else only the plan is answered.")
    prune = serializers.BooleanField(
        required=False, default=False, help_text="Delete tasks that an export would have and the document has not."
    )
    tags = serializers.ListField(
        child=TextField(max_length=TAG_MAX_LENGTH),
        required=False,
        default=list,
        max_length=MOST_TAGS,
        help_text="Prune only tasks with one of these.",
    )
    reason = TextField(
        required=False, allow_blank=True, default="", max_length=REASON_MAX_LENGTH, help_text="Why; recorded."
    )


class ImportChange(serializers.Serializer[Any]):
    """One field of a task."""

    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ImportItem(serializers.Serializer[Any]):
    """What becomes of one task."""

    name = serializers.CharField()
    act = EnumField(Act)
    changes = ImportChange(many=True)
    errors: Any = TaskErrors(allow_null=True)


class ImportAnswer(serializers.Serializer[Any]):
    """The plan."""

    applied = serializers.BooleanField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    deleted = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    items = ImportItem(many=True)
