"""Settings of the web server that ``benchmarks.rest`` starts: tokens, and nothing else that costs time."""

from benchmarks.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.app.urls"
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"]}
