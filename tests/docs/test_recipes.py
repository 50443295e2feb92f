"""Recipes of the documentation do what they say; that their code runs at all is tested with all other blocks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.signals import execution_finished, execution_overran
from tests.docs.blocks import ROOT, blocks_of
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db
WATCH = ROOT / "docs/how-to/watch.md"


def names_of(page: Path, *, having: str) -> dict[str, Any]:
    """Run the one block of *page* that has a text, and return its names."""
    (block,) = [block for block in blocks_of(page) if having in block.text]
    namespace: dict[str, Any] = {"__name__": "recipe"}
    exec(block.text, namespace)
    return namespace


def test_failures_and_what_overruns_are_said_in_the_chat(monkeypatch, settings):
    settings.CHAT_WEBHOOK = "https://chat.example.com/hook"
    said = []
    monkeypatch.setattr(
        "urllib.request.urlopen", lambda request, timeout: said.append(json.loads(request.data)["text"])
    )
    recipe = names_of(WATCH, having="CHAT_WEBHOOK")
    try:
        failed = make_execution(make_task(name="nightly"), status=Status.ERRORS, outcome=Outcome.FAILED)
        execution_finished.send(type(failed), execution=failed)
        execution_overran.send(type(failed), execution=failed)
        well = make_execution(status=Status.COMPLETED)
        execution_finished.send(type(well), execution=well)
    finally:
        execution_finished.disconnect(dispatch_uid="failures to the chat")
        execution_overran.disconnect(dispatch_uid="late ones to the chat")
    assert said == [f"nightly #{failed.pk}: failed", f"nightly #{failed.pk} runs longer than it should."]
    assert {"failed", "overran"} <= set(recipe)


def test_each_guarantee_names_tests_that_are_there():
    table = (ROOT / "README.md").read_text().partition("## What is guaranteed")[2].partition('\n\n"Exactly once')[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "Tests that try to break it" not in line]
    assert len(rows) >= 9
    for row in rows:
        guarantee, tests = row.strip("| ").split(" | ")
        for page in re.findall(r"\]\(([^)]+)\)", guarantee):
            assert (ROOT / page).is_file(), page
        paths = [ROOT / target for target in re.findall(r"\]\(([^)]+)\)", tests)]
        assert paths, row
        for path in paths:
            files = path.rglob("test_*.py") if path.is_dir() else [path]
            assert any("def test_" in file.read_text() for file in files), path


def test_each_example_of_a_chat_or_pager_is_a_url_of_apprise():
    apprise = pytest.importorskip("apprise")
    rows = [line for line in (ROOT / "docs/how-to/alerts.md").read_text().splitlines() if "| `apprise` |" in line]
    urls = [url for row in rows for url in re.findall(r"`([^`]+)`", row.split("|")[4])]
    assert len(rows) >= 7
    for url in urls:
        assert apprise.Apprise().add(url.replace("INTEGRATION_KEY", "a" * 32).replace("API_KEY", "b" * 20)), url


def test_the_kind_of_channel_of_the_page_about_alerts_works(monkeypatch, capsys):
    from django_scheduled_tasks import channels
    from django_scheduled_tasks.services.alerts.channels import deliver

    monkeypatch.setattr(channels, "_KINDS", dict(channels._KINDS))
    names_of(ROOT / "docs/how-to/alerts.md", having="class Siren")
    message = channels.Message("id", "Failing: digest", "text", {"type": "alert.opened"})
    assert deliver(channels.Target(1, "x", "siren", "north", ""), message) == "It sounds."
    assert capsys.readouterr().out == "north Failing: digest\n"
