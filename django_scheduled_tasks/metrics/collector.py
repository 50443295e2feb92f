"""The metrics, as prometheus-client takes them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from weakref import WeakSet

from django.db import DatabaseError, InterfaceError
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Measure
from django_scheduled_tasks.services.queries.readings import Readings, read_metrics
from django_scheduled_tasks.store.reading.scrape import OUTCOMES

logger = logging.getLogger(__name__)
PREFIX = "scheduled_tasks_"
"""How the names of all metrics begin."""
_OF_TASK = ("task", "function")
_registered: WeakSet[CollectorRegistry] = WeakSet()


class ScheduledTasksCollector(Collector):
    """Reads the metrics anew at each scrape.

    Args:
        raises: Whether it raises where the database does not answer. Otherwise ``scheduled_tasks_database_up`` is 0,
            and nothing else is told: another endpoint has metrics of others as well.
    """

    def __init__(self, *, raises: bool = False) -> None:
        self._raises = raises

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that to register it asks no database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read, in three statements, and return the metrics."""
        try:
            found = read_metrics()
        except (DatabaseError, InterfaceError):
            if self._raises:
                raise
            logger.exception("The metrics could not be read")
            yield _gauge("database_up", "Whether the database answered.", 0)
            return
        yield _gauge("database_up", "Whether the database answered.", 1)
        yield from of_tasks(found)
        yield from of_functions(found)
        yield from of_the_installation(found)


def of_tasks(found: Readings) -> Iterator[Metric]:
    """Return what is told of each task, and of functions whose tasks have no name of their own."""
    executions = CounterMetricFamily(
        f"{PREFIX}executions",
        "Executions that ended, and occurrences that were missed or skipped; without task: with a key, and others.",
        labels=(*_OF_TASK, "outcome"),
    )
    succeeded = _family("last_success_timestamp_seconds", "When an execution last succeeded.", _OF_TASK)
    lasted = _family("last_duration_seconds", "How long the execution ran that ended last.", _OF_TASK)
    for one in found.totals:
        labels = (one.task, one.function)
        for outcome, count in zip(OUTCOMES, one.counts, strict=True):
            executions.add_metric((*labels, outcome), count)
        if one.last_success_at is not None:
            succeeded.add_metric(labels, one.last_success_at.timestamp())
        if one.last_seconds is not None:
            lasted.add_metric(labels, one.last_seconds)
    next_runs = _family("next_run_timestamp_seconds", "When it is due next, or was and has not started.", _OF_TASK)
    for run in found.next_runs:
        if run.at is not None:
            next_runs.add_metric((run.task, run.function), run.at.timestamp())
    yield from (executions, succeeded, lasted, next_runs)
    yield _gauge("named_tasks", "How many tasks have a label task of their own.", found.named)
    yield _gauge("named_tasks_limit", "How many may have one: METRICS_MAX_TASKS.", get_settings().METRICS_MAX_TASKS)
    yield _gauge(
        "unnamed_tasks", "How many have none, since there are too many; they count by function.", found.unnamed
    )


def of_functions(found: Readings) -> Iterator[Metric]:
    """Return how long executions of each function took, and how late they began."""
    for measure, name, text in (
        (Measure.DURATION, "duration_seconds", "How long executions ran, until they were done."),
        (Measure.LATENESS, "lateness_seconds", "How long after they were due scheduled executions began."),
    ):
        family = HistogramMetricFamily(PREFIX + name, text, labels=("function",))
        for function, histogram in found.histograms[measure].items():
            family.add_metric((function,), histogram.cumulative(), histogram.seconds)
        yield family


def of_the_installation(found: Readings) -> Iterator[Metric]:
    """Return what is told of the whole."""
    yield _by("open_executions", "Executions that have not ended.", "status", found.open.items())
    queues = sorted(found.queues.items())
    waiting = ((name, queue.waiting) for name, queue in queues)
    yield _by("queue_depth", "Executions that may start and wait for a worker.", "queue", waiting)
    waits = ((name, _seconds(queue.since, found.now)) for name, queue in queues)
    yield _by("queue_oldest_seconds", "For how long the first of them has waited.", "queue", waits)
    yield _by("processes_up", "Processes that answer; a cluster of workers is one.", "kind", found.up.items())
    text = "Processes that answer, by the release of the project that they run."
    yield _by("release_processes", text, "release", found.releases.items())
    yield _by("alerts_open", "Alerts that are open.", "kind", found.alerts.items())
    yield _by("holds", "Holds that last.", "scope", found.holds.items())
    text = "Executions written since schedulers last counted, which are in none of the counters yet."
    yield _gauge("uncounted_executions", text, found.uncounted)


def register_in(registry: CollectorRegistry) -> None:
    """Register a collector, unless one is."""
    if registry not in _registered:
        registry.register(ScheduledTasksCollector())
        _registered.add(registry)


def _seconds(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since is not None else 0.0


def _family(name: str, text: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = _family(name, text, (label,))
    for key, value in values:
        family.add_metric((key,), value)
    return family
