"""What was asked for is not there, or not any more."""

from __future__ import annotations

from django_scheduled_tasks.exceptions.base import ScheduledTasksError
from django_scheduled_tasks.translation import gettext as _


class TaskNotFound(ScheduledTasksError):
    """There is no such scheduled task."""

    code, status = "task_not_found", 404

    def __init__(self, name: object) -> None:
        super().__init__(_('There is no scheduled task "%(name)s".') % {"name": name})


class ExecutionNotFound(ScheduledTasksError):
    """There is no such execution of this task."""

    code, status = "execution_not_found", 404

    def __init__(self, tracking_id: object, *, task: str = "") -> None:
        text = (
            _('There is no execution %(execution)s of the scheduled task "%(task)s".')
            if task
            else _("There is no execution %(execution)s.")
        )
        super().__init__(text % {"execution": tracking_id, "task": task})


class HoldNotFound(ScheduledTasksError):
    """There is no such hold."""

    code, status = "hold_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no hold %(number)s.") % {"number": number})


class HoldEnded(ScheduledTasksError):
    """The hold is over already."""

    code, status = "hold_ended", 409

    def __init__(self, number: object) -> None:
        super().__init__(_("Hold %(number)s is over already.") % {"number": number})


class AlertNotFound(ScheduledTasksError):
    """There is no such alert."""

    code, status = "alert_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no alert %(number)s.") % {"number": number})


class AlertClosed(ScheduledTasksError):
    """The alert is over already."""

    code, status = "alert_closed", 409

    def __init__(self, number: object) -> None:
        super().__init__(_("Alert %(number)s is over already.") % {"number": number})


class AlertRuleNotFound(ScheduledTasksError):
    """There is no such alert rule."""

    code, status = "rule_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no alert rule %(number)s.") % {"number": number})


class ChangeNotFound(ScheduledTasksError):
    """There is no such change, or not any more."""

    code, status = "change_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no change %(number)s.") % {"number": number})


class CalendarNotFound(ScheduledTasksError):
    """There is no such calendar."""

    code, status = "calendar_not_found", 404

    def __init__(self, name: object) -> None:
        super().__init__(_('There is no calendar "%(name)s".') % {"name": name})


class ChannelNotFound(ScheduledTasksError):
    """There is no such channel."""

    code, status = "channel_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no channel %(number)s.") % {"number": number})


class FunctionNotRegistered(ScheduledTasksError):
    """The function of this task is not in the code."""

    code, status = "function_not_registered", 409

    def __init__(self, function: str) -> None:
        text = _(
            'The function "%(function)s" is not in the code. Put @scheduled_task on it in the tasks.py of an'
            " installed app, or choose another function."
        )
        super().__init__(text % {"function": function})
        self.function = function
