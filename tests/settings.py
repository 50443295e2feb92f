"""Settings of the tests.

``SCHEDULED_TASKS_TEST_PROFILE`` says which database, ``SCHEDULED_TASKS_TEST_BROKER`` which broker if not its usual one,
and ``SCHEDULED_TASKS_TEST_VARIANT`` what is unlike in the project (:mod:`tests.variants`).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.profiles import PROFILES, broker_of
from tests.variants import VARIANTS

PROFILE = os.environ.get("SCHEDULED_TASKS_TEST_PROFILE", "sqlite")
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

ALIAS = "default"
"""Which of the databases holds our tables; for tests."""
DATABASES = {"default": PROFILES[PROFILE].database}
if database_name := os.environ.get("SCHEDULED_TASKS_TEST_DATABASE"):  # set for the processes that a test starts
    DATABASES["default"] = DATABASES["default"] | {"NAME": database_name}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "django_q",
    "django_scheduled_tasks",
    "tests.testapp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tests.csp.ContentSecurityPolicy",
]
TEST_CONTENT_SECURITY_POLICY = ""
ROOT_URLCONF = "tests.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
STATIC_ROOT = Path(tempfile.gettempdir()) / "scheduled-tasks-test-static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
Q_CLUSTER = {
    "name": os.environ.get("SCHEDULED_TASKS_TEST_CLUSTER", "tests"),
    "workers": 2,
    "timeout": 300,
    "retry": 400,
    "save_limit": -1,
    "scheduler": False,
    "poll": 0.05,
    "guard_cycle": 0.2,
    "queue_limit": 4,
    **broker_of(PROFILE),
}
SCHEDULED_TASKS = {
    "ENGINE": os.environ.get("SCHEDULED_TASKS_TEST_ENGINE", "django_scheduled_tasks.engines.immediate.ImmediateEngine"),
}

VARIANT = os.environ.get("SCHEDULED_TASKS_TEST_VARIANT", "")
if VARIANT:
    VARIANTS[VARIANT](globals())
