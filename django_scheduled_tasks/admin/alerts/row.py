"""One row of the page *Alerts*."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.alerts.context import RowContext
from django_scheduled_tasks.admin.alerts.told import told_cell
from django_scheduled_tasks.admin.alerts.words import in_a_row, joined, kind_pill, place
from django_scheduled_tasks.admin.tasks.acts.run_button import run_now_button
from django_scheduled_tasks.admin.ui.html import execution_name, first_line, link, near, near_text, page_url
from django_scheduled_tasks.admin.ui.missed import can_be_made_good, made_good_text, missed_line
from django_scheduled_tasks.admin.ui.text.humanize import duration_text, short_duration_text
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import Alert, Execution
from django_scheduled_tasks.services.alerts.telling import wording
from django_scheduled_tasks.services.alerts.visible import may_see
from django_scheduled_tasks.services.permissions import CHANGE_ALERT, RUN_TASK, VIEW_EXECUTION, VIEW_LOGS, may

CELLS = ("kind", "about", "since", "said", "told", "acts")
_COMMANDS = {Kind.NO_SCHEDULER: "python manage.py runscheduler", Kind.NO_WORKER: "python manage.py qcluster"}


@dataclass(frozen=True)
class AlertRow:
    """One alert as the page draws it; nothing here asks the database."""

    alert: Alert
    context: RowContext

    def cells(self) -> list[tuple[str, SafeString]]:
        """Return the ids and the contents of all cells."""
        return [(self.cell_id(name), self.cell(name)) for name in CELLS]

    def cell_id(self, name: str) -> str:
        """Return the id of a cell, by which the live view finds it."""
        return f"dst-alert-{self.alert.pk}-{name}"

    def cell(self, name: str) -> SafeString:
        """Return the content of a cell."""
        if not self.alert.is_open and name in {"told", "acts"}:
            return SafeString("")
        found: SafeString = getattr(self, name)()
        return found

    @property
    def missed(self) -> Execution | None:
        """What was missed, if the alert is about that."""
        row = self.context.executions.get(self.alert.latest_execution or 0)
        return row if row is not None and self.alert.kind == Kind.MISSED and row.scheduled_for is not None else None

    @property
    def _by(self) -> Execution | None:
        return self.context.made_good.get(self.alert.latest_execution or 0)

    def signature(self) -> tuple[object, ...]:
        """Return what the row depends on, apart from the time."""
        alert = self.alert
        by = (self._by.pk, self._by.status) if self._by is not None else ()
        notices = [(one.sent_at, one.next_try_at, one.answer) for one in self.context.notices.get(alert.pk, ())]
        known = (alert.acknowledged_at, alert.silenced_until, alert.comment, alert.silence_reason)
        return (alert.open_key, alert.count, by, *known, *notices)

    @property
    def is_silent(self) -> bool:
        """Whether nobody is told of it for a while."""
        until = self.alert.silenced_until
        return until is not None and until > self.context.now

    @property
    def may_know(self) -> bool:
        """Whether the user may acknowledge and silence it."""
        user, alert = self.context.user, self.alert
        return alert.is_open and may(user, CHANGE_ALERT, alert) and may_see(user, alert)

    @property
    def may_acknowledge(self) -> bool:
        """Whether it waits for that."""
        return self.may_know and self.alert.acknowledged_at is None and not self.is_silent

    # --- cells

    @property
    def ids(self) -> dict[str, str]:
        """The ids of all cells by their names."""
        return {name: self.cell_id(name) for name in CELLS}

    def kind(self) -> SafeString:
        """Return the kind, a link to the page of the alert."""
        return kind_pill(self.alert, page_url(self.context.site, "alert_change", self.alert.pk))

    def about(self) -> SafeString:
        """Return the task or the place."""
        return place(self.alert, self.context.site)

    def since(self) -> SafeString:
        """Return since when and for how long; of a closed one, from when to when."""
        alert, now = self.alert, self.context.now
        if alert.closed_at is None:
            return _with_sub(near(alert.opened_at, now), short_duration_text(now - alert.opened_at))
        end = near(alert.closed_at, now)
        if near_text(alert.closed_at, now)[:-5] == near_text(alert.opened_at, now)[:-5]:  # the same day is said once
            end = format_html("{}", near_text(alert.closed_at, now)[-5:])
        both = format_html("{} – {}", near(alert.opened_at, now), end)
        return _with_sub(both, short_duration_text(alert.closed_at - alert.opened_at))

    def said(self) -> SafeString:
        """Return what is wrong, how often and where; or how it ended."""
        if not self.alert.is_open:
            return format_html("{}", self._ended())
        good = made_good_text(self.context.site, self._by) if self.missed is not None and self._by is not None else ""
        return _with_sub(self._wrong(), joined([self._how_often(), good, self._known(), self._cure()]))

    def told(self) -> SafeString:
        """Return who was told, and when."""
        return told_cell(self.alert, self.context.notices.get(self.alert.pk, ()), self.context.now, self.context.rules)

    def _button(self, look: str, page: str, named: str, label: str) -> SafeString:
        """Return a button of the list's form; *named* also says of which alert."""
        return format_html(
            '<button type="submit" class="{}"{} formaction="{}{}" aria-label="{}">{}</button>',
            look,
            SafeString(' data-dst-key="a"') if page == "alert_acknowledge" else "",  # nosec  (a constant)
            page_url(self.context.site, page, self.alert.pk),
            self.context.back,
            named,
            label,
        )

    def acts(self) -> SafeString:
        """Return the buttons for who may use them."""
        return joined([self._run_now(), *self._known_acts()], " ")

    def _run_now(self) -> SafeString | str:
        """Return the button that makes good what was missed."""
        missed, task, context = self.missed, self.alert.task, self.context
        if missed is None or task is None or not may(context.user, RUN_TASK, task):
            return ""
        return (
            run_now_button(task, missed, site=context.site, now=context.now)
            if can_be_made_good(missed, self._by)
            else ""
        )

    def _known_acts(self) -> list[SafeString]:
        alert, site = self.alert, self.context.site
        if not self.may_know:
            return []
        found = []
        name = f"{wording.kind_name(alert.kind)}, {wording.where(alert)}"
        back = self.context.back
        if self.may_acknowledge:
            named = _("Acknowledge: %(alert)s") % {"alert": name}
            found.append(self._button("dst-button", "alert_acknowledge", named, _("Acknowledge")))
        if self.is_silent:
            named = _("End silence: %(alert)s") % {"alert": name}
            found.append(self._button("dst-door dst-link", "alert_end_silence", named, _("End silence")))
        else:
            found.append(
                format_html(
                    '<a class="dst-door" href="{}{}" aria-label="{}">{}</a>',
                    page_url(site, "alert_silence", alert.pk),
                    back,
                    _("Silence: %(alert)s") % {"alert": name},
                    _("Silence…"),
                )
            )
        return found

    # --- parts of the sentence

    def _wrong(self) -> SafeString | str:
        alert, context = self.alert, self.context
        row = context.executions.get(alert.latest_execution or 0)
        if row is not None and alert.kind in {Kind.FAILING, Kind.MISSED}:
            line = first_line(row, sees_logs=may(context.user, VIEW_LOGS, row))
            if self.missed is not None:
                return missed_line(self.missed, context.now)
            return line or wording.sentence(alert)
        if row is not None and alert.kind == Kind.TOO_LONG and row.started_at is not None:
            return self._too_long(row.started_at)
        text = wording.sentence(alert)
        return text if alert.task_name else format_html("<strong>{}</strong>", text)

    def _too_long(self, began: datetime) -> str:
        alert = self.alert
        values = {
            "duration": duration_text(self.context.now - began),
            "limit": duration_text(alert.limit) if alert.limit is not None else "—",
        }
        usual = self.context.usual.get(alert.task_id) if alert.task_id is not None else None
        if usual is None:
            return _("Runs for %(duration)s; alert at %(limit)s.") % values
        values["usual"] = duration_text(usual)
        return _("Runs for %(duration)s; usually %(usual)s, alert at %(limit)s.") % values

    def _how_often(self) -> SafeString:
        alert = self.alert
        first, latest = alert.first_execution, alert.latest_execution
        if latest is None:
            return SafeString("")
        if first is None or first == latest:
            links = self._execution(latest, execution_name(latest))
        elif alert.count > 2:  # noqa: PLR2004  (others are between them)
            links = format_html("{} … {}", self._execution(first), self._execution(latest))
        else:
            links = format_html("{}, {}", self._execution(first), self._execution(latest))
        often = in_a_row(alert.count) if alert.kind in {Kind.FAILING, Kind.MISSED} else ""
        return joined([often, links])

    def _execution(self, number: int, text: str = "") -> SafeString:
        url = page_url(self.context.site, "execution_change", number)
        return link(url if may(self.context.user, VIEW_EXECUTION) else "", text or f"#{number}")

    def _known(self) -> str:
        alert, now = self.alert, self.context.now
        parts = []
        if alert.acknowledged_at is not None:
            values = {"user": alert.acknowledged_by, "instant": near_text(alert.acknowledged_at, now)}
            by = _("acknowledged by %(user)s, %(instant)s") if alert.acknowledged_by else _("acknowledged %(instant)s")
            parts.append(by % values + (f": “{alert.comment}”" if alert.comment else ""))
        if self.is_silent and alert.silenced_until is not None:
            parts.append(_("Silent until %(instant)s") % {"instant": near_text(alert.silenced_until, now)})
            parts += [f"“{alert.silence_reason}”"] if alert.silence_reason else []
        return " · ".join(parts)

    def _cure(self) -> SafeString:
        command = _COMMANDS.get(Kind(self.alert.kind), "")
        if command and self.alert.queue:
            command = f"Q_CLUSTER_NAME={self.alert.queue} {command}"
        return format_html("<code>{}</code>", command) if command else SafeString("")

    def _ended(self) -> SafeString:
        alert = self.alert
        number = alert.closing_execution
        parts: list[SafeString | str] = []
        if alert.closed_by_hand:
            by = _("Closed by %(user)s.") % {"user": alert.closed_by} if alert.closed_by else _("Closed by hand.")
            parts.append(f"{by} “{alert.comment}”" if alert.comment else by)
        elif number is not None:
            shown = self._execution(number, execution_name(number))
            parts.append(format_html(_("{execution} completed."), execution=shown))
        else:
            parts.append(wording.how_it_ended(alert))
        if alert.kind == Kind.FAILING and not alert.closed_by_hand:
            failures = ngettext("%(count)s failure.", "%(count)s failures.", alert.count)
            parts.append(failures % {"count": alert.count})
        if alert.acknowledged_by is not None and not alert.closed_by_hand:
            parts.append(_("Acknowledged by %(user)s.") % {"user": alert.acknowledged_by})
        return joined(parts, " ")


def _with_sub(first: SafeString | str, second: SafeString | str) -> SafeString:
    sub = format_html('<span class="dst-sub">{}</span>', second) if second else ""
    return format_html("{}{}", first, sub)
