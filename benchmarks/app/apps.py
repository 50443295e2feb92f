"""The app of the benchmarks."""

from django.apps import AppConfig


class BenchmarksConfig(AppConfig):
    """Registers the function that is measured."""

    name = "benchmarks.app"
    label = "bench"
