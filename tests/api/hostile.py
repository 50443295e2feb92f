"""The calls of the API in a project whose defaults for Django REST Framework get in the way of everything.

``python -m tests.api.hostile`` prints a JSON object: for each set of defaults, what went wrong. Most defaults are read
when Django REST Framework is imported, so each set has a process of its own, forked before that.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

DEFAULTS: dict[str, dict[str, Any]] = {
    "versions in the path": {
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.URLPathVersioning",
        "DEFAULT_VERSION": "v1",
        "ALLOWED_VERSIONS": ["v1"],
    },
    "versions by namespace": {
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
        "ALLOWED_VERSIONS": ["v1"],
    },
    "versions in the query": {
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.QueryParameterVersioning",
        "DEFAULT_VERSION": "v1",
        "VERSION_PARAM": "task",
    },
    "nothing that writes or reads JSON": {
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.AdminRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FileUploadParser"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tests.api.hostile.NothingFits",
        "DEFAULT_METADATA_CLASS": None,
    },
    "other pages": {
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
        "PAGE_SIZE": 1,
    },
    "other filters": {
        "DEFAULT_FILTER_BACKENDS": ["tests.api.hostile.NothingFound"],
        "SEARCH_PARAM": "status",
        "ORDERING_PARAM": "task",
    },
    "nobody may do anything": {
        "DEFAULT_PERMISSION_CLASSES": ["tests.api.hostile.Nobody"],
        "EXCEPTION_HANDLER": "tests.api.hostile.swallow",
        "NON_FIELD_ERRORS_KEY": "detail",
    },
    "no anonymous user": {"UNAUTHENTICATED_USER": None, "UNAUTHENTICATED_TOKEN": None},
    "other formats": {
        "DATETIME_FORMAT": "%d.%m.%y",
        "DATE_FORMAT": "%d.%m.%y",
        "DATETIME_INPUT_FORMATS": ["%d.%m.%y"],
        "COERCE_DECIMAL_TO_STRING": False,
        "COERCE_BIGINT_TO_STRING": True,
        "UNICODE_JSON": False,
        "COMPACT_JSON": False,
        "STRICT_JSON": False,
        "FORMAT_SUFFIX_KWARG": "task",
        "URL_FORMAT_OVERRIDE": None,
    },
    "throttles": {
        "DEFAULT_THROTTLE_CLASSES": [
            "rest_framework.throttling.ScopedRateThrottle",
            "rest_framework.throttling.UserRateThrottle",
        ],
        "DEFAULT_THROTTLE_RATES": {"user": "1000/min"},
        "NUM_PROXIES": 3,
    },
}
MOUNTS = {
    "plain": "api/scheduled-tasks/",
    "below a version": "<str:version>/scheduled-tasks/",
    "below a namespace": "below/",
}


class NothingFits:
    """Negotiates nothing."""

    def select_parser(self, _request: Any, _parsers: Any) -> None:
        """Return none."""

    def select_renderer(self, *_: Any) -> Any:
        """Fail."""
        raise AssertionError("asked the project's own negotiation")


class NothingFound:
    """A filter that lets nothing through."""

    def filter_queryset(self, _request: Any, queryset: Any, _view: Any) -> Any:
        """Return nothing."""
        return queryset.none()


class Nobody:
    """Forbids everything."""

    def has_permission(self, _request: Any, _view: Any) -> bool:
        """Return False."""
        return False


def swallow(_error: Exception, _context: Any) -> Any:
    """Answer each error with success."""
    from rest_framework.response import Response

    return Response({"all": "well"})


def check(prefix: str) -> None:
    """Make the calls of the contract, mounted at *prefix*."""
    from django.contrib.auth import get_user_model
    from rest_framework.authtoken.models import Token
    from rest_framework.test import APIClient

    from django_scheduled_tasks.models import Execution

    token = Token.objects.get(user=get_user_model().objects.get(username="anna"))
    client = APIClient(raise_request_exception=True)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")

    def expect(response: Any, status: int) -> Any:
        assert response.status_code == status, (status, response.status_code, response.content[:500])
        assert response["Content-Type"].startswith("application/json"), response["Content-Type"]
        return response.json()

    for name in ("a", "b"):
        made = client.post(f"{prefix}tasks/", {"name": name * 3, "function": "testapp.give"}, format="json")
        assert expect(made, 201)["createdAt"].endswith("Z")
        assert client.get(made["Location"]).json()["name"] == name * 3
    started = client.post(f"{prefix}tasks/aaa/run-once/", {"reason": "Grüße"}, format="json")
    tracking_id = expect(started, 202)["info"]["trackingId"]
    assert expect(client.get(started["Location"]), 200)["info"]["trackingId"] == tracking_id
    assert expect(client.get(f"{prefix}tasks/?pageSize=50"), 200)["count"] == 2
    found = client.get(f"{prefix}executions/?task=aaa&trigger=api")
    assert [row["trackingId"] for row in expect(found, 200)["results"]] == [tracking_id]
    assert isinstance(found.json()["results"][0]["id"], int)
    assert "Grüße".encode() in found.content, "JSON is UTF-8"
    assert b'": ' not in found.content, "and compact"
    assert expect(client.get(f"{prefix}functions/"), 200)["results"]
    preview = {"scheduleKind": "interval", "expression": "1h"}
    assert expect(client.post(f"{prefix}schedules/preview/", preview, format="json"), 200)["upcoming"]
    assert expect(client.options(f"{prefix}tasks/"), 200)
    wrong = client.post(f"{prefix}tasks/aaa/run-once/", {"reson": 1}, format="json")
    assert expect(wrong, 400)["errors"]["items"][0]["details"] == {"field": "reson", "rule": "unknown"}
    whole = client.post(f"{prefix}tasks/aaa/run-once/", [1], format="json")
    assert expect(whole, 400)["errors"]["items"][0]["details"] == {}
    assert expect(client.get(f"{prefix}tasks/zzz/"), 404)["errors"]["items"][0]["code"] == "task_not_found"
    stranger = APIClient().get(f"{prefix}tasks/")
    assert expect(stranger, 401)["errors"]["items"][0]["code"] == "not_authenticated"
    assert expect(APIClient().post(f"{prefix}tasks/aaa/run-once/"), 401)
    assert Execution.objects.count() == 1, "nothing else was started"


def urls(name: str) -> list[Any]:
    """Return the addresses of a project that mounts the API so."""
    from django.urls import include, path

    api = path(MOUNTS[name], include("django_scheduled_tasks.api.urls"))
    return [path("v2/", include(([api], "v2")))] if name == "below a namespace" else [api]


def prefix_of(name: str) -> str:
    """Return how addresses of that project begin."""
    below = "/v2/" if name == "below a namespace" else "/"
    return below + MOUNTS[name].replace("<str:version>", "v1")


def in_child(act: Callable[[], None]) -> str:
    """Call *act* in a forked process; return what went wrong there."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        text = ""
        try:
            act()
        except BaseException:
            text = traceback.format_exc()[-4_000:]
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


def with_defaults(defaults: dict[str, Any], mount: str) -> Callable[[], None]:
    """Return what makes the calls in a project with these defaults."""

    def act() -> None:
        import types

        from django.conf import settings

        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | defaults
        module = types.ModuleType("hostile_urls")
        module.urlpatterns = urls(mount)  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module
        settings.ROOT_URLCONF = module.__name__
        check(prefix_of(mount))

    return act


def main() -> None:
    """Make the database, and then all calls under all defaults."""
    os.environ["SCHEDULED_TASKS_TEST_PROFILE"] = "sqlite"
    os.environ["SCHEDULED_TASKS_TEST_VARIANT"] = ""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings
    from django.core.management import call_command

    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    engine = "django_scheduled_tasks.engines.immediate.DeferredEngine"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ENGINE": engine}
    settings.REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    }
    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth import get_user_model
    from rest_framework.authtoken.models import Token

    Token.objects.create(user=get_user_model().objects.create_superuser("anna", password="secret"))
    assert "rest_framework.views" not in sys.modules, "it has read its defaults already"
    found = {"mounted plain, with Django REST Framework's own defaults": in_child(with_defaults({}, "plain"))}
    for name, defaults in DEFAULTS.items():
        found[name] = in_child(with_defaults(defaults, "plain"))
    versions = DEFAULTS["versions in the path"], DEFAULTS["versions by namespace"]
    found["mounted below a version"] = in_child(with_defaults(versions[0], "below a version"))
    found["mounted below a namespace"] = in_child(with_defaults(versions[1], "below a namespace"))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
