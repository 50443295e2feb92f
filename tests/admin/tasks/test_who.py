"""Tags, contact and runbook: on the page of a task, its form, and as filters whose address can be kept."""

from __future__ import annotations

import re

import pytest

from django_scheduled_tasks.admin.ui.text import markdown
from django_scheduled_tasks.admin.ui.text.markdown import render_note
from django_scheduled_tasks.models import ScheduledTask
from tests.admin.pages import FORM, TASKS
from tests.factories import EDITOR, VIEWER, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client):
    client.force_login(make_user(*VIEWER))
    return client


def names(client, query: str) -> set[str]:
    return {row.name for row in client.get(f"{TASKS}?{query}").context["cl"].result_list}


def test_the_form_stores_them_and_the_head_shows_them(client):
    client.force_login(make_user(*EDITOR))
    runbook = "https://wiki.example.com/nightly?a=1&b=2"
    sent = FORM | {"contact": "Team <Billing>", "runbook": runbook, "tags": "mail"}
    assert client.post(f"{TASKS}add/", sent).status_code == 302
    task = ScheduledTask.objects.get()
    assert (task.contact, task.runbook) == ("Team <Billing>", runbook)
    page = client.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert f'Contact: <a href="{TASKS}?contact=Team+%3CBilling%3E">Team &lt;Billing&gt;</a>' in page
    assert 'href="https://wiki.example.com/nightly?a=1&amp;b=2" rel="noopener noreferrer nofollow">Runbook</a>' in page


NOTE = """# First
1. look at [the **wiki**](https://example.com/?a=1&b=2), [not](javascript:alert(2)) here
<script>alert(1)</script> ![pixel](https://example.com/pixel.png)"""


def runbook_on(page: str, element: str) -> str:
    assert '<a href="#dst-runbook">Runbook</a>' in page
    card = page[page.index(f'class="{element}"') :].partition("</section>")[0]
    assert "<script" not in card
    assert "<img" not in card
    assert 'href="javascript' not in page
    return card


def test_a_runbook_that_is_a_note_is_shown_as_markdown_and_nothing_else_of_html(viewer):
    card = runbook_on(viewer.get(f"{TASKS}{make_task(runbook=NOTE).pk}/change/").content.decode(), "dst-markdown")
    assert "<h3>First</h3>" in card
    link = '<a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer nofollow">the <strong>wiki</strong></a>'
    assert f"<li>look at {link}" in card
    assert '<a href="https://wiki.example.com/"' in render_note("see https://wiki.example.com/ first")


def test_without_a_reader_of_markdown_it_is_shown_as_it_is_with_its_links(viewer, monkeypatch):
    monkeypatch.setattr(markdown, "MarkdownIt", None)
    task = make_task(runbook=NOTE.replace("![pixel](", "").replace("png)", "png"))
    card = runbook_on(viewer.get(f"{TASKS}{task.pk}/change/").content.decode(), "dst-note-text")
    assert "# First" in card
    assert '<a href="https://example.com/pixel.png" rel="nofollow">' in card


def test_an_address_that_is_no_web_page_is_no_link(viewer):
    task = make_task(runbook="javascript:alert(1)//https://x")
    assert 'href="javascript' not in viewer.get(f"{TASKS}{task.pk}/change/").content.decode()


def test_the_list_is_limited_by_tag_and_contact_says_so_and_ends_it(viewer):
    make_task(name="one", contact="Ben", tags=["mail"])
    make_task(name="two", contact="anna", tags=["mail"])
    make_task(name="three")
    assert names(viewer, "contact=ben") == {"one"}
    assert names(viewer, "tag=mail") == {"one", "two"}
    assert names(viewer, "tag=mail&contact=anna") == {"two"}
    assert names(viewer, "q=Ben") == {"one"}
    assert names(viewer, "contact=") == names(viewer, "") == {"one", "two", "three"}
    page = viewer.get(f"{TASKS}?tag=mail&contact=<b>ben").content.decode()
    assert re.search(
        r'<a class="dst-chip" aria-current="true" href="\?tag=mail"[^>]*>Contact <b>&lt;b&gt;ben</b>', page
    )
    assert "<b>ben" not in page.replace("<b>&lt;b&gt;ben", "")
    assert viewer.get(f"{TASKS}?contact=%00").status_code == 200


def test_what_is_too_long_is_said_at_its_field(client):
    client.force_login(make_user(*EDITOR))
    wrong = {"contact": "x" * 201, "runbook": "y" * 2_001}
    response = client.post(f"{TASKS}add/", FORM | wrong)
    assert set(response.context["adminform"].form.errors) == {"contact", "runbook"}
