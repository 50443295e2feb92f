"""The example's app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Bills customers for what they used."""

    name = "example_project.billing"
    label = "billing"
