from django.apps import AppConfig


class TestAppConfig(AppConfig):
    """An app whose tasks.py has functions to test with; it declares no task, so that tests begin with no rows."""

    name = "tests.testapp"
    label = "testapp"
    default_auto_field = "django.db.models.BigAutoField"
