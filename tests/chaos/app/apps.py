from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Registers the functions of the chaos runner."""

    name = "tests.chaos.app"
    label = "chaos"
