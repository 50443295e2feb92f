"""The calls that start executions of a task."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.http.errors import json_name
from django_scheduled_tasks.api.http.parsers import LargeJSONParser
from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import responses
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.api.viewsets.status import info_of, started
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.lifecycle import Trigger
from django_scheduled_tasks.services.envelope import Errors, envelope
from django_scheduled_tasks.services.starting.backfill import backfill
from django_scheduled_tasks.services.starting.run_many import Item, run_many
from django_scheduled_tasks.services.starting.run_once import run_once


class StartMixin(ApiViewSet):
    """The calls, for the view of tasks."""

    @extend_schema(
        summary="Run a task once",
        parameters=[parts.TASK, parts.KEY, *parts.STARTED_HEADERS],
        responses={**parts.started_responses(), **parts.body_refusals(404, 409, 422)},
    )
    @action(detail=True, methods=["post"], url_path="run-once", url_name="run-once")
    def run_once(self, request: Request, task: str) -> Response:
        """Start a task outside its schedule, and answer with its tracking id at once."""
        asked = self.body_of(request)
        overlap = asked.get("overlap")
        done = run_once(
            task,
            params=asked.get("params"),
            reason=asked.get("reason", ""),
            not_before=asked.get("notBefore"),
            overlap=overlap,
            trigger=Trigger.API,
            user=self.user,
            authorize=self.authorizing(overlap),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return started(request, done)

    @extend_schema(
        summary="Run a task many times",
        parameters=[parts.TASK, parts.KEY, parts.REPLAYED],
        responses={
            202: parts.described(
                responses.RunManyEnvelope, "What was started will start; each item says what came of it."
            ),
            200: parts.described(responses.RunManyEnvelope, "The key had been used before; nothing new was started."),
            **parts.body_refusals(404, 409, 422),
        },
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="run-many",
        url_name="run-many",
        filter_backends=(),
        pagination_class=None,
        parser_classes=[LargeJSONParser],
    )
    def run_many(self, request: Request, task: str) -> Response:
        """Start a task once for each of up to 1,000 objects of parameters. One that is wrong does not stop the others.

        Unless its overlap rule is `allow`, they run one at a time. The same key and request again answer what was
        started, and start what could not be.
        """
        asked = self.body_of(request)
        overlap = asked.get("overlap")
        done = run_many(
            task,
            asked["params"],
            reason=asked.get("reason", ""),
            not_before=asked.get("notBefore"),
            overlap=overlap,
            trigger=Trigger.API,
            user=self.user,
            authorize=self.authorizing(overlap),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        refused = sum(isinstance(item, ScheduledTasksError) for item in done.items)
        info = {
            "started": len(done.items) - refused,
            "refused": refused,
            "items": [_item(request, item) for item in done.items],
        }
        return Response(
            {"info": info, "errors": None},
            status=HTTPStatus.OK if done.replayed else HTTPStatus.ACCEPTED,
            headers={"Idempotent-Replayed": "true"} if done.replayed else {},
        )

    @extend_schema(
        summary="Replay a range",
        parameters=[parts.TASK, parts.KEY, parts.REPLAYED],
        responses={
            202: responses.BackfillEnvelope,
            200: parts.described(responses.BackfillEnvelope, "A dry run, or a replayed key."),
            **parts.body_refusals(404, 409, 422),
        },
    )
    @action(detail=True, methods=["post"])
    def backfill(self, request: Request, task: str) -> Response:
        """Start the occurrences between two instants, both inclusive, whether they ran at their time or not."""
        asked = self.body_of(request)
        overlap = asked.get("overlap")
        done = backfill(
            task,
            start=asked["from"],
            end=asked["to"],
            overlap=overlap,
            reason=asked.get("reason", ""),
            dry_run=asked["dryRun"],
            user=self.user,
            authorize=self.authorizing(overlap),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        nothing_new = done.replayed or asked["dryRun"]
        return Response(
            {"info": responses.backfill_json(done, dry_run=asked["dryRun"]), "errors": None},
            status=HTTPStatus.OK if nothing_new else HTTPStatus.ACCEPTED,
            headers={"Idempotent-Replayed": "true"} if done.replayed else {},
        )


def _item(request: Request, item: Item) -> dict[str, Any]:
    if isinstance(item, ScheduledTasksError):
        return envelope(None, Errors.of(item, name_of=json_name))
    return envelope(info_of(request, item))
