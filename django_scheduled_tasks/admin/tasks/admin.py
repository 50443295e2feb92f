"""Register scheduled tasks with the admin: the list, the form, and their additional pages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern

from django_scheduled_tasks.admin.installation.adoption import InstallationMixin
from django_scheduled_tasks.admin.tasks.acts.backfill import TaskBackfillMixin
from django_scheduled_tasks.admin.tasks.acts.carry import TaskCarryMixin
from django_scheduled_tasks.admin.tasks.acts.hold import TaskHoldMixin
from django_scheduled_tasks.admin.tasks.acts.skip import TaskSkipMixin
from django_scheduled_tasks.admin.tasks.list.view import TaskListMixin
from django_scheduled_tasks.admin.tasks.load.view import TaskLoadMixin
from django_scheduled_tasks.admin.tasks.page.view import TaskFormMixin
from django_scheduled_tasks.models import ScheduledTask


@admin.register(ScheduledTask)
class ScheduledTaskAdmin(
    TaskListMixin,
    TaskFormMixin,
    TaskBackfillMixin,
    TaskSkipMixin,
    TaskHoldMixin,
    TaskCarryMixin,
    TaskLoadMixin,
    InstallationMixin,
):
    """The admin of scheduled tasks."""

    actions = ("run_selected", "pause_selected", "resume_selected")

    def get_urls(self) -> list[URLPattern]:
        """Add our pages, and the parts that htmx loads."""
        return [
            self.page_path("<uuid:pk>/run-once/", self.run_once_view, "run_once"),
            self.page_path("<uuid:pk>/backfill/", self.backfill_view, "backfill"),
            self.page_path("<uuid:pk>/pause/", self.pause_view, "pause"),
            self.page_path("<uuid:pk>/skip/", self.skip_view, "skip"),
            self.page_path("<uuid:pk>/undo-skip/", self.undo_skip_view, "undo_skip"),
            self.page_path("<uuid:pk>/resume/", self.resume_view, "resume"),
            self.page_path("<uuid:pk>/hold/", self.hold_view, "hold"),
            self.page_path("<uuid:pk>/why/", self.why_view, "why"),
            self.page_path("hold/", self.hold_view, "hold_all"),
            self.page_path("holds/<int:number>/", self.change_hold_view, "change_hold"),
            self.page_path("holds/<int:number>/release/", self.release_hold_view, "release_hold"),
            self.page_path("<uuid:pk>/put-back/", self.put_back_view, "put_back"),
            self.page_path("<uuid:pk>/switch-off/", self.switch_off_view, "switch_off"),
            self.page_path("adopt/", self.adopt_view, "adopt"),
            self.page_path("leave-held/", self.leave_held_view, "leave_held"),
            self.page_path("moved/", self.moved_view, "moved"),
            self.page_path("say-same/", self.say_same_view, "say_same"),
            self.page_path("export/", self.export_view, "export"),
            self.page_path("import/", self.import_view, "import"),
            self.page_path("load/", self.load_view, "load"),
            self.page_path("load/clock-changes/", self.clock_changes_view, "clock_changes"),
            self.page_path("load/spread/", self.spread_view, "spread"),
            self.page_path("upcoming/", self.upcoming_view, "upcoming"),
            self.part_path("live/", self.live_view, "live"),
            self.part_path("preview/", self.preview_view, "preview"),
            self.part_path("parameters/", self.parameters_view, "parameters"),
            self.part_path("<uuid:pk>/preview/", self.preview_view, "preview_of"),
            self.part_path("<uuid:pk>/parameters/", self.parameters_view, "parameters_of"),
            *super().get_urls(),
        ]
