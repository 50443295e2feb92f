"""What the form says of a schedule while it is typed, row by row; and what Save refuses, with and without a script."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from django_scheduled_tasks.models import ScheduledTask
from tests.admin.tasks.test_preview import NOW, RIGHT, WRONG
from tests.browser.harness import TASKS
from tests.factories import EDITOR, make_task, make_user
from tests.selection import first_in_gate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def editor(monkeypatch):
    """Return somebody who may edit, on a day that is known: which clock changes come next depends on it."""
    monkeypatch.setattr("django_scheduled_tasks.admin.tasks.page.preview.read_now", lambda: NOW)
    return make_user(*EDITOR, name="eva")


@pytest.fixture
def add_form(open_screen, editor):
    """Return a function that opens the form for a new task, in Berlin."""

    def make(*, javascript: bool = True):
        page = open_screen(editor, javascript=javascript).open(f"{TASKS}add/")
        page.fill("#id_name", "Nightly")
        page.select_option("#id_function", "testapp.noop")
        page.select_option("#id_timezone", "Europe/Berlin")
        return page

    return make


def words(text: str) -> re.Pattern[str]:
    """Return *text* as it may be broken into lines."""
    return re.compile(r"\s+".join(map(re.escape, text.split())))


@pytest.mark.parametrize("expression", first_in_gate(WRONG))
def test_a_wrong_expression_is_marked_while_typing_and_save_refuses_it(add_form, expression):
    page = add_form()
    page.locator("#id_cron").press_sequentially(expression)
    preview = page.get_by_role("status").filter(has_text="✗")
    expect(preview).to_contain_text(words(f"✗ {WRONG[expression]}"))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-cron .errorlist")).to_contain_text(WRONG[expression])
    assert page.locator("#id_cron").input_value() == expression
    assert not ScheduledTask.objects.exists()


@pytest.mark.parametrize("expression", first_in_gate(RIGHT))
def test_what_surprises_is_said_while_typing_and_save_keeps_what_was_typed(add_form, expression):
    page = add_form()
    page.locator("#id_cron").press_sequentially(expression)
    expect(page.locator("#dst-preview")).to_contain_text(words(RIGHT[expression]))
    expect(page.locator("#dst-preview .dst-wrong")).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("Nightly")
    assert ScheduledTask.objects.get().expression == expression


@pytest.mark.parametrize("expression", first_in_gate(WRONG))
def test_without_a_script_the_server_draws_the_preview_and_save_refuses(add_form, expression):
    page = add_form(javascript=False)
    page.fill("#id_cron", expression)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-cron .errorlist")).to_contain_text(WRONG[expression])
    expect(page.locator("#dst-preview")).to_contain_text(words(f"✗ {WRONG[expression]}"))
    assert not ScheduledTask.objects.exists()


@pytest.mark.parametrize("expression", first_in_gate(RIGHT))
def test_without_a_script_the_page_has_its_first_preview(open_screen, editor, expression):
    task = make_task(schedule_kind="cron", expression=expression, timezone="Europe/Berlin")
    page = open_screen(editor, javascript=False).open(f"{TASKS}{task.pk}/change/")
    expect(page.locator("#dst-preview")).to_contain_text(words(RIGHT[expression]))


@pytest.mark.slow
def test_another_zone_draws_the_preview_anew(open_screen, editor):
    task = make_task(schedule_kind="cron", expression="30 2 * * *", timezone="Europe/Berlin")
    page = open_screen(editor).open(f"{TASKS}{task.pk}/change/")
    expect(page.locator("#dst-preview")).to_contain_text("the clock skips 02:30")
    page.select_option("#id_timezone", "UTC")
    expect(page.locator("#dst-preview")).to_contain_text("UTC")
    expect(page.locator("#dst-preview")).not_to_contain_text("the clock skips")
    assert "Europe/Berlin" in page.locator("#dst-own-zone").inner_text()


def test_another_function_brings_its_docstring_and_its_parameters(add_form):
    page = add_form()
    expect(page.locator(".field-function")).to_contain_text("Does nothing.")
    page.select_option("#id_function", "testapp.add")
    expect(page.locator(".field-function")).to_contain_text("Adds two numbers.")
    expect(page.locator("#dst-parameters")).to_contain_text("No default: this function needs it.")
    page.fill("#id_param-p-a", "")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#dst-parameters .errorlist")).to_have_text("this function needs it.")
    assert not ScheduledTask.objects.exists()


@pytest.mark.slow
def test_an_example_can_be_chosen_instead_of_typed(add_form):
    page = add_form()
    page.get_by_role("combobox", name="Examples").select_option("0 8 * * 1")
    assert page.locator("#id_cron").input_value() == "0 8 * * 1"
    expect(page.locator("#dst-preview")).to_contain_text("At 08:00, only on Monday.")


def test_run_once_with_unsaved_changes_offers_to_save_first(open_screen, editor, engine):
    task = make_task(name="Nightly")
    page = open_screen(editor).open(f"{TASKS}{task.pk}/change/")
    page.fill("#id_name", "Weekly")
    page.get_by_role("button", name="Run once", exact=True).click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("changes that are not saved")
    assert not task.executions.exists()
    notice.get_by_role("button", name="Save and run once").click()
    expect(page.locator("#dst-head")).to_contain_text("Weekly")
    assert [row.task_name for row in task.executions.all()] == ["Weekly"]
