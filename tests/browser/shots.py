"""Which pictures are taken, and of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import AlertRule, Execution, ScheduledTask
from tests.browser import pages
from tests.browser.harness import ALERTS, EXECUTIONS, RULES, TASKS, Screen, sign_in
from tests.factories import make_user


@dataclass
class Camera:
    """Takes pictures with one look of the admin."""

    browser: Browser
    url: str
    folder: Path
    look: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.user: Any = make_user(name="anna", superuser=True)

    def fill(self) -> None:
        """Create what is to be seen."""
        self.tasks = pages.fill(self.user)
        self.failed = pages.failed_twice(self.tasks["digest"])
        self.going = self.tasks["stock"].executions.filter(status=Status.PROCESSING).get()
        self.completed = self.tasks["index"].executions.order_by("-pk").first()

    def shoot(
        self, name: str, path: str, *, theme: str = "light", width: int = 1280, height: int = 900, **how: Any
    ) -> None:
        """Open *path* and save a picture of it."""
        if not how.get("deserted"):
            pages.show_presence()
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            timezone_id="Europe/Berlin",
            locale=how.get("locale", "en"),
            color_scheme="dark" if theme == "dark" else "light",
        )
        sign_in(context, self.url, self.user)
        screen = Screen(context.new_page(), self.url)
        stored = "JSON.stringify('dark')" if self.look == "unfold" else "'dark'"
        if theme == "dark":
            context.add_init_script(
                f"localStorage.setItem('theme', 'dark'); localStorage.setItem('adminTheme', {stored})"
            )
        page = screen.open(path)
        for action in how.get("do", ()):
            action(page)
        page.wait_for_timeout(300)
        screen.picture(self.folder / f"{name}.png", whole=how.get("whole", True))
        if (wide := screen.sideways()) > 0:
            self.complaints.append(f"{name} is {wide} px too wide")
        self.complaints += [f"{name}: {text}" for text in screen.complaints if self.look == "stock"]
        context.close()

    def empty(self) -> None:
        """Take the pages with nothing on them."""
        self.shoot("list-empty", TASKS, deserted=True)
        self.shoot("history-empty", EXECUTIONS, deserted=True)

    def take(self) -> None:
        """Take all others."""
        if self.look != "stock":
            self.take_theme()
            return
        for theme in ("light", "dark"):
            end = "" if theme == "light" else "-dark"
            self.shoot(f"list{end}", TASKS, theme=theme)
            self.shoot(f"form{end}", self.form(), theme=theme)
            self.shoot(f"run-once{end}", f"{TASKS}{self.tasks['stock'].pk}/run-once/", theme=theme)
            self.shoot(f"execution-running{end}", self.page(self.going), theme=theme)
            self.shoot(f"execution-failed{end}", self.page(self.failed), theme=theme)
            self.shoot(f"history{end}", EXECUTIONS, theme=theme, whole=False)
        self.shoot("execution-completed", self.page(self.completed))
        self.shoot("execution-cancelled", self.page(self.cancelled()))
        self.shoot("run-once-typed", f"{TASKS}{self.tasks['import'].pk}/run-once/")
        self.shoot("form-add", f"{TASKS}add/")
        self.shoot("form-wrong", self.form(), do=[type_wrong])
        self.shoot("pause", f"{TASKS}{self.tasks['index'].pk}/pause/")
        self.shoot("upcoming", f"{TASKS}upcoming/", whole=False)
        self.shoot("cancel", self.page(self.going), do=[lambda page: page.locator(".dst-ask summary").click()])
        self.shoot("message", TASKS, do=[press_run_once])
        for name, path in (
            ("list", TASKS),
            ("execution", self.page(self.failed)),
            ("history", EXECUTIONS),
            ("form", self.form()),
        ):
            self.shoot(f"{name}-phone", path, width=390, height=844, whole=name != "history")
        self.alerting()
        self.troubled()

    def alerting(self) -> None:
        """Take the pages about alerts, with some of them open."""
        pages.alerts(self.tasks, self.user)
        rule = AlertRule.objects.get(name="Everything")
        for theme in ("light", "dark"):
            self.shoot(f"alerts{'' if theme == 'light' else '-dark'}", ALERTS, theme=theme)
        self.shoot("alerts-phone", ALERTS, width=390, height=844)
        self.shoot("alert-rule", f"{RULES}{rule.pk}/change/")

    def take_theme(self) -> None:
        """Take the pages under another theme of the admin."""
        look = self.look
        if look == "unfold":
            self.shoot("unfold-list-dark", TASKS, theme="dark")
            self.shoot("unfold-execution-failed-dark", self.page(self.failed), theme="dark")
        self.shoot(f"{look}-list", TASKS)
        self.shoot(f"{look}-form", self.form(), whole=False)
        self.shoot(f"{look}-run-once", f"{TASKS}{self.tasks['stock'].pk}/run-once/")
        self.shoot(f"{look}-execution-failed", self.page(self.failed))
        self.shoot(f"{look}-history", EXECUTIONS, whole=False)
        self.shoot(f"{look}-list-phone", TASKS, width=390, height=844)

    def troubled(self) -> None:
        """Take the list with nobody to run anything, and a task whose function is gone."""
        pages.forget_presence()
        ScheduledTask.objects.filter(pk=self.tasks["carts"].pk).update(function="shop.old")
        self.shoot("list-troubled", TASKS, deserted=True)
        self.shoot("form-broken", f"{TASKS}{self.tasks['carts'].pk}/change/", whole=False, deserted=True)

    def form(self) -> str:
        """Return the address of a task's form."""
        return f"{TASKS}{self.tasks['index'].pk}/change/"

    def page(self, execution: Execution) -> str:
        """Return the address of an execution's page."""
        return f"{EXECUTIONS}{execution.pk}/change/"

    def cancelled(self) -> Execution:
        """Make one that was cancelled."""
        row = self.tasks["carts"].executions.order_by("-pk").first()
        assert row is not None
        Execution.objects.filter(pk=row.pk).update(
            status=Status.ERRORS, outcome=Outcome.CANCELLED, cancel_requested_by=self.user, result=None
        )
        return row


def type_wrong(page: Any) -> None:
    """Type an expression that is not one."""
    page.fill("#id_cron", "61 * * * *")
    page.wait_for_selector(".dst-wrong")


def press_run_once(page: Any) -> None:
    """Press Run once in a row."""
    page.get_by_role("button", name="Run once: Rebuild search index").click()
    page.wait_for_selector("#dst-messages li")
