"""The calls about functions, schedules that are not stored, and health."""

from __future__ import annotations

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from django_scheduled_tasks.api.openapi import parts
from django_scheduled_tasks.api.serializers import responses
from django_scheduled_tasks.api.viewsets.base import ApiViewSet
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services import permissions
from django_scheduled_tasks.services.alerts.health import examine, is_good_lately
from django_scheduled_tasks.services.envelope import SERVER_ERROR, ErrorItem, Errors, envelope
from django_scheduled_tasks.services.scheduling.presence import seen_as_web


class HealthViewSet(ApiViewSet):
    """The installation's health."""

    noun = "health"
    serializer_class = responses.SchedulerHealthEnvelope
    permissions = {"list": permissions.VIEW_TASK}

    @extend_schema(
        summary="Whether all is well",
        responses={200: responses.SchedulerHealthEnvelope, **parts.refusals(), **parts.not_healthy()},
        filters=False,
    )
    def list(self, request: Request) -> Response:
        """Answer 200, or 503 with the reasons: no scheduler is seen, tasks are overdue, executions are stuck.

        Also if an alert about the installation is open, such as that a queue has no worker, or that two releases have
        been running for half an hour; before that, ``note`` says that they do.
        """
        seen_as_web()
        health = examine()
        if health.is_good:
            info = {
                "schedulers": health.schedulers,
                "workerHosts": health.worker_hosts,
                "schedulerSeenAt": responses.instant_json(health.scheduler_seen_at),
                "workerSeenAt": responses.instant_json(health.worker_seen_at),
                "releases": [
                    {"name": one.name, "hosts": list(one.hosts), "since": responses.instant_json(one.since)}
                    for one in health.releases.all
                ],
                "note": health.releases.sentence or None,
            }
            return Response({"info": info, "errors": None})
        status = HTTPStatus.SERVICE_UNAVAILABLE
        items = tuple(
            ErrorItem(origin=SERVER_ERROR, code=problem.code, message=problem.message, details=problem.details)
            for problem in health.problems
        )
        return Response(envelope(None, Errors(status=status, items=items)), status=status)


@never_cache
@require_safe
def open_health(_request: HttpRequest) -> HttpResponse:
    """Answer "ok", or "not ok" with 503, to whoever asks; 404 unless ``OPEN_HEALTH`` is set.

    A plain view: for load balancers, which neither log in nor read JSON, whatever the project's defaults are.
    """
    if not get_settings().OPEN_HEALTH:
        raise Http404
    is_good = is_good_lately()
    status = HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE
    return HttpResponse("ok" if is_good else "not ok", status=status, content_type="text/plain; charset=utf-8")
