"""Settings of a project that runs on django-tasks-db instead of django-q2's workers."""

from tests.cluster_settings import *  # noqa: F403
from tests.cluster_settings import INSTALLED_APPS, SCHEDULED_TASKS

INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks", "django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "slow"]}}
SCHEDULED_TASKS = SCHEDULED_TASKS | {"ENGINE": "django_scheduled_tasks.engines.django_tasks.DjangoTasksEngine"}
