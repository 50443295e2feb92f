"""Clients in JavaScript against a live server with real workers: the npm package altogic, our module, Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import sync_playwright
from rest_framework.authtoken.models import Token

from django_scheduled_tasks.services.running.cancel import cancel
from tests import profiles
from tests.docs.blocks import ROOT, blocks_of
from tests.factories import OPERATOR, make_task, make_user

FOLDER = Path(__file__).parent / "js"
GUIDE = ROOT / "docs/how-to/rest.md"
MODULE = ROOT / "django_scheduled_tasks/static/django_scheduled_tasks/client.js"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.api.urls"), pytest.mark.cluster]


def missing(what: str) -> None:
    """Skip the test, or fail if it is required."""
    if "node" in profiles.required():
        pytest.fail(what)
    pytest.skip(what)


def node(*arguments: str) -> Any:
    """Run a script of ours, and return what it printed."""
    if shutil.which("node") is None:
        missing("no node on this machine")
    done = subprocess.run(["node", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def token() -> str:
    make_task(name="billOnDemand", function="testapp.wait_a_moment")
    return Token.objects.create(user=make_user(*OPERATOR, name="anna")).key


@pytest.fixture
def server(token: str, live_server: Any, workers: Any) -> Any:
    return live_server


def test_the_npm_package_altogic_works_unmodified(server, token):
    if shutil.which("npm") is None:
        missing("no npm on this machine")
    if not (FOLDER / "node_modules/altogic").exists():
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
        installed = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=90, check=False)
        if installed.returncode:
            missing(f"npm cannot install altogic: {installed.stderr[-500:]}")
    found = node("altogic.mjs", server.url, token)
    info = found["first"]["info"]
    assert found["first"]["errors"] is None
    assert info["taskId"] == info["trackingId"]
    assert (info["scheduledTaskName"], info["status"]) == ("billOnDemand", "pending")
    last = found["last"]["info"]
    assert (last["taskId"], last["status"]) == (info["taskId"], "completed")
    assert last["triggeredAt"] <= last["startedAt"] <= last["completedAt"]
    for name, status, code in (
        ("unknown", 404, "task_not_found"),
        ("lost", 404, "execution_not_found"),
        ("stranger", 401, "not_authenticated"),
    ):
        assert found[name]["info"] is None
        assert found[name]["errors"]["status"] == status
        assert [item["code"] for item in found[name]["errors"]["items"]] == [code]


def test_the_module_is_small():
    assert len(MODULE.read_bytes()) < 5_500


def test_the_module_under_node(server, token):
    found = node("client.mjs", MODULE.as_uri(), f"{server.url}/api/scheduled-tasks/", token)
    info = found["first"]["info"]
    assert found["first"]["errors"] is None
    assert list(info) == ["trackingId", "scheduledTaskId", "scheduledTaskName", "triggeredAt", "status"]
    assert found["last"]["info"]["status"] == found["status"]["info"]["status"] == "completed"
    assert found["last"]["info"]["trackingId"] == info["trackingId"]
    assert len({answer["info"]["trackingId"] for answer in found["keyed"]}) == 1
    assert found["spaces"]["errors"]["status"] == found["unknown"]["errors"]["status"] == 404
    assert found["wrong"]["errors"]["items"][0]["code"] == "invalid_parameters"
    assert found["stranger"]["errors"]["status"] == 401
    assert found["impatient"]["info"]["status"] == "pending"
    assert found["waited"] < 5_500
    assert found["aborted"] == "AbortError"
    polled = [told["data"]["info"]["status"] for told in found["polled"] if told["event"] == "status"]
    assert polled == ["completed"]
    assert [told["event"] for told in found["nobody"]] == ["error"]
    assert [told["event"] for told in found["streamed"]] == ["status", "log", "status"]
    assert found["streamed"][1]["data"] == {"message": "é"}
    assert [(path.rpartition("/executions/")[2], last) for path, last in found["asked"]] == [
        (f"{info['trackingId']}/events/", None),
        (f"{info['trackingId']}/events/", "0-a"),
    ]
    assert (found["proxy"]["info"], found["proxy"]["errors"]["status"]) == (None, 502)
    cancel(found["waiting"]["info"]["trackingId"])


LINES = """async (taskName) => {
  const { agnost } = await import("/static/django_scheduled_tasks/client.js");
  const found = {};
  {
    const { info, errors } = await agnost.task(taskName).runOnce();
    found.first = { info, errors };
  }
  const trackingId = found.first.info.trackingId;
  found.last = await agnost.task(taskName).wait(trackingId, { timeout: 20000 });
  {
    const { info, errors } = await agnost.task(taskName).getTaskStatus(trackingId);
    found.status = { info, errors };
  }
  document.cookie = "csrftoken=; path=/; max-age=0";
  found.forged = await agnost.task(taskName).runOnce();
  return found;
}"""


@pytest.fixture
def session(token: str) -> str:
    """Return the session of a user who has logged in."""
    person = Client()
    assert person.login(username="anna", password="secret")
    return str(person.cookies[django_settings.SESSION_COOKIE_NAME].value)


def open_page(playwright: Any, server: Any, session: str = "") -> Any:
    """Return an empty page of the server in Chromium, within *session* if there is one."""
    browser = playwright.chromium.launch(executable_path=profiles.chromium(), args=["--no-sandbox"])
    context = browser.new_context()
    if session:
        context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}])
    page = context.new_page()
    page.goto(f"{server.url}/page/")
    return page


@pytest.mark.browser
@pytest.mark.parametrize("number", [0, 1, 2], ids=["with a session", "with a token", "as a stream"])
def test_the_scripts_of_the_documentation_in_chromium(number, server, token, session):
    blocks = [block.text for block in blocks_of(GUIDE) if block.language == "javascript"]
    assert len(blocks) == 3
    script = blocks[number].replace("https://example.com", server.url).replace("…", token)
    with sync_playwright() as playwright:
        page = open_page(playwright, server, "" if number == 1 else session)
        # Chromium itself says that a stream was refused, as this server refuses it.
        with page.expect_console_message(lambda line: line.type == "log", timeout=20_000) as told:
            page.add_script_tag(type="module", content=script)
        said = told.value.text.partition(" ")[0]
        assert said in ({"pending", "processing", "completed"} if number else {"completed"})
        page.context.browser.close()


@pytest.mark.browser
def test_the_seeds_lines_on_a_page_in_chromium(server, session):
    problems: list[str] = []
    with sync_playwright() as playwright:
        page = open_page(playwright, server, session)
        page.on("pageerror", lambda error: problems.append(str(error)))
        found = page.evaluate(LINES, "billOnDemand")
        page.context.browser.close()
    assert problems == []
    assert found["first"]["errors"] is None
    assert re.fullmatch(r"[0-9a-f-]{36}", found["first"]["info"]["trackingId"])
    assert found["first"]["info"]["status"] == "pending"
    assert found["last"]["info"]["status"] == found["status"]["info"]["status"] == "completed"
    assert found["forged"]["errors"]["status"] == 403
