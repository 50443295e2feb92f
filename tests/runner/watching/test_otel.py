"""What OpenTelemetry sees of triggers and attempts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from django_scheduled_tasks import tracing
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner import watching
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.runner.watching import otel
from django_scheduled_tasks.services.starting.run_many import run_many
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def spans(monkeypatch) -> Iterator[InMemorySpanExporter]:
    """What ends while the test runs, in an SDK of its own."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    watching._watchers.cache_clear()
    yield exporter
    watching._watchers.cache_clear()


def test_an_attempt_is_a_span_that_is_linked_to_that_of_its_trigger(engine, spans):
    task = make_task(name="sum", function="testapp.add", params={"a": 1, "b": 2})
    with trace.get_tracer("web").start_as_current_span("request") as request:
        execution = run_once(task).execution
    execute(str(execution.tracking_id))
    (run,) = [span for span in spans.get_finished_spans() if span.name == "testapp.add"]
    assert run.parent is None
    assert run.context.trace_id != request.get_span_context().trace_id
    (link,) = run.links
    assert (link.context.trace_id, link.context.span_id) == (
        request.get_span_context().trace_id,
        request.get_span_context().span_id,
    )
    assert run.attributes["scheduled_tasks.task"] == "sum"
    assert run.attributes["scheduled_tasks.tracking_id"] == str(execution.tracking_id)
    assert run.attributes["scheduled_tasks.attempt"] == 1
    assert run.attributes["scheduled_tasks.outcome"] == "succeeded"
    assert run.status.is_ok or run.status.status_code == trace.StatusCode.UNSET


def test_each_of_many_goes_with_the_trace_of_the_call(engine, spans):
    with trace.get_tracer("web").start_as_current_span("request") as request:
        run_many(make_task(overlap="allow"), [None, None])
    expected = f"{request.get_span_context().trace_id:032x}"
    assert [row.traceparent.split("-")[1] for row in Execution.objects.all()] == [expected] * 2


def test_without_a_span_there_is_no_trace(engine, spans):
    execution = run_once(make_task()).execution
    assert execution.traceparent == ""
    execute(str(execution.tracking_id))
    (run,) = spans.get_finished_spans()
    assert not run.links


def test_a_failure_is_an_error_without_what_the_function_said(engine, spans):
    execution = run_once(make_task(function="testapp.fail", max_attempts=1)).execution
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    (run,) = spans.get_finished_spans()
    assert run.status.status_code == trace.StatusCode.ERROR
    assert run.attributes["scheduled_tasks.outcome"] == "failed"
    assert run.attributes["error.type"] == execution.error_type
    assert not run.events
    assert execution.error_message not in str(run.to_json())


def test_an_attempt_that_is_tried_again_says_so(engine, spans):
    execution = run_once(make_task(function="testapp.fail", max_attempts=2)).execution
    execute(str(execution.tracking_id))
    (run,) = spans.get_finished_spans()
    assert run.attributes["scheduled_tasks.outcome"] == otel.RETRIED


def test_what_the_function_does_belongs_to_its_span(engine, spans, monkeypatch):
    seen: list[int] = []
    monkeypatch.setattr(noop_type := type(registry.get("testapp.noop")), "function", None, raising=False)
    monkeypatch.setattr(
        noop_type,
        "function",
        property(lambda _self: lambda: seen.append(trace.get_current_span().get_span_context().span_id)),
    )
    execute(str(run_once(make_task()).execution.tracking_id))
    (run,) = spans.get_finished_spans()
    assert seen == [run.context.span_id]


def test_lateness_is_that_of_the_first_attempt_of_what_was_due(engine, spans):
    execution = make_execution(make_task(), trigger="schedule", scheduled_for=read_now() - timedelta(seconds=90))
    execute(str(execution.tracking_id))
    (run,) = spans.get_finished_spans()
    assert run.attributes["scheduled_tasks.lateness"] >= 90


def test_metrics_have_the_names_of_those_for_prometheus(engine, spans, monkeypatch):
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr("opentelemetry.metrics.get_meter", provider.get_meter)
    for task in (make_task(name="one"), make_task(name="keyed", key="customer:1")):
        execute(str(run_once(task).execution.tracking_id))
    found = {
        metric.name: metric
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics
        for metric in scope.metrics
    }
    points = found["scheduled_tasks_executions"].data.data_points
    assert {(point.attributes["task"], point.value) for point in points} == {("one", 1), ("", 1)}
    assert found["scheduled_tasks_duration_seconds"].data.data_points[0].count == 2


def test_without_the_package_nothing_is_done(engine, monkeypatch):
    monkeypatch.setattr("builtins.__import__", _refusing(__import__))
    tracing.trace_api.cache_clear()
    watching._watchers.cache_clear()
    try:
        assert tracing.traceparent() == ""
        assert otel.watcher() is None
        execution = run_once(make_task()).execution
        execute(str(execution.tracking_id))
    finally:
        tracing.trace_api.cache_clear()
        watching._watchers.cache_clear()
    execution.refresh_from_db()
    assert execution.outcome == "succeeded"


def _refusing(real):
    def import_(name, *args, **options):
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *args, **options)

    return import_
