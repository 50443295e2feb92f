"""Wiring, nothing else."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as all_apps
from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.db.models.signals import post_delete, post_migrate, post_save, pre_save
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.owners import each_owner


class ScheduledTasksConfig(AppConfig):
    """The app."""

    name = label = "django_scheduled_tasks"
    verbose_name = _("Scheduled tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Find the functions that may run; connect what has to happen after ``migrate`` and in workers."""
        from django_scheduled_tasks import checks  # noqa: F401, PLC0415  (models are ready only now)
        from django_scheduled_tasks.db.connections.pools import forget_pools_when_forked  # noqa: PLC0415
        from django_scheduled_tasks.models.calendar import find_value  # noqa: PLC0415
        from django_scheduled_tasks.registry import autodiscover  # noqa: PLC0415
        from django_scheduled_tasks.schedules.calendars.named import find_calendars_with  # noqa: PLC0415
        from django_scheduled_tasks.services.delivery.dispatch import prepare_engine  # noqa: PLC0415
        from django_scheduled_tasks.services.tasks.orphans import connect  # noqa: PLC0415

        find_calendars_with(find_value)
        autodiscover()
        forget_pools_when_forked()
        prepare_engine()
        each_owner(connect)
        _connect_monitors()
        post_migrate.connect(_sync_after_migrate, sender=self)
        post_save.connect(_tell_new_channel, sender=self.get_model("Channel"))
        for happened in (post_save, post_delete):
            happened.connect(_settle_subscriptions, sender=self.get_model("Channel"))
        pre_save.connect(_make_room_for_loaded, sender=self.get_model("ScheduledTask"))


def _connect_monitors() -> None:
    """Tell monitors outside of executions, if the settings name some; else nothing of it is imported."""
    try:
        settings = get_settings()
    except ImproperlyConfigured:  # the system checks say what is wrong
        return
    if settings.PINGS or settings.SENTRY_MONITORS:
        from django_scheduled_tasks.services.alerts import monitors  # noqa: PLC0415  (as above)

        monitors.connect()


def _sync_after_migrate(*, using: str, apps: Apps = all_apps, **_options: Any) -> None:
    from django_scheduled_tasks.models import write_alias  # noqa: PLC0415  (as above)
    from django_scheduled_tasks.services.installation.state import settle_in  # noqa: PLC0415
    from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks  # noqa: PLC0415

    if using == write_alias() and _has_todays_tables(apps):
        settle_in()
        sync_declared_tasks()


def _has_todays_tables(migrated: Apps) -> bool:
    """Whether the tables are those of this code: not after ``migrate auth`` alone, nor on the way back to none."""
    found = {(model._meta.label, _columns(model)) for model in migrated.get_models()}
    ours = all_apps.get_app_config(ScheduledTasksConfig.label).get_models()
    return all((model._meta.label, _columns(model)) in found for model in ours)


def _columns(model: type[Model]) -> frozenset[str]:
    return frozenset(field.attname for field in model._meta.local_concrete_fields)


def _tell_new_channel(*, raw: bool, **_options: Any) -> None:
    """Let rules that the code declares tell a channel that has just been made, or got the name that they say."""
    if not raw:
        from django_scheduled_tasks.services.tasks.declared.rules import follow_declared_rules  # noqa: PLC0415

        follow_declared_rules(only_channels=True)


def _settle_subscriptions(*, raw: bool = False, **_options: Any) -> None:
    if not raw:  # else the rows that it looks at may not be loaded yet
        from django_scheduled_tasks.services.alerts.telling.report import settle_subscriptions  # noqa: PLC0415  (as above)

        settle_subscriptions()


def _make_room_for_loaded(*, instance: Any, raw: bool, using: str, **_options: Any) -> None:
    if raw:
        from django_scheduled_tasks.services.tasks.sync import make_room_for_loaded  # noqa: PLC0415  (as above)

        make_room_for_loaded(instance, using=using)
