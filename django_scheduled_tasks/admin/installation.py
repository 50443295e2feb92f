"""The note that a database is a copy, and the page on which somebody says that it is at home here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from django_scheduled_tasks.admin.tasks.dialogs import StyledForm
from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.html import instant_text, task_url
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.services.adoption import Adopted, adopt, is_ambiguous, waiting_here
from django_scheduled_tasks.services.installation.state import Standing, look, standing
from django_scheduled_tasks.services.installation.verdict import Cause
from django_scheduled_tasks.services.installation.words import why
from django_scheduled_tasks.services.permissions import ADOPT, may

FOLDED = "dst_copy_folded"
"""The key of the session in which it says which copy's note is folded."""
_OVERVIEWS = frozenset({"index", "app_list"})


class AdoptForm(StyledForm):
    """Asks what the database is, and for a name that is typed only on purpose."""

    what = forms.ChoiceField(
        label=gettext_lazy("What is it?"),
        widget=forms.RadioSelect,
        choices=[
            ("copy", gettext_lazy("A copy: what was waiting in it never starts here")),
            ("same", gettext_lazy("No copy, it has only moved, or has another key or name: what was waiting starts")),
        ],
    )
    typed = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, word: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._word = word
        self.fields["typed"].label = _("Type “%(word)s” to confirm") % {"word": word}

    def clean_typed(self) -> str:
        """Refuse another word."""
        typed: str = self.cleaned_data["typed"].strip()
        if typed != self._word:
            raise forms.ValidationError(_("This is not “%(word)s”.") % {"word": self._word}, code="other")
        return typed


class InstallationMixin(ScreenAdmin):
    """The note on every page of ours and on the admin's index, the page *This is its new home*, *Leave it held*."""

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Say that the database is a copy, on pages of ours and overviews.

        Every page of an admin asks this of each model that the user may see. It is the one place that all pages have in
        common, whatever theme draws them.
        """
        match = request.resolver_match
        name = (match.url_name if match is not None else "") or ""
        is_ours = name in _OVERVIEWS or name.startswith(f"{self.opts.app_label}_")
        if is_ours and not hasattr(request, "dst_told"):
            request.dst_told = True  # type: ignore[attr-defined]  # once for a page
            if (found := standing()).is_held:
                messages.error(request, note(request, self.admin_site, found))
        perms: dict[str, bool] = super().get_model_perms(request)
        return perms

    def has_adopt_permission(self, request: HttpRequest) -> bool:
        """Whether the user may say that the database is at home here."""
        return may(request.user, ADOPT)

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def adopt_view(self, request: HttpRequest) -> HttpResponse:
        """Ask (GET), and let the database be at home here (POST)."""
        if not self.has_adopt_permission(request):
            raise PermissionDenied
        found = look()
        back = task_url(self.admin_site, "changelist")
        if found.installation is None or not found.is_held:
            messages.info(request, _("The database is at home here already."))
            return HttpResponseRedirect(back)
        environment = get_settings().ENVIRONMENT
        word = environment or (found.here.address.rpartition("/")[2] if found.here else "")
        initial = {} if is_ambiguous(found) else {"what": "same" if found.cause == Cause.GAP else "copy"}
        form = AdoptForm(request.POST if request.method == "POST" else None, word=word, initial=initial)
        if form.is_bound and form.is_valid():
            try:
                done = adopt(
                    environment=environment, user=signed_in(request), is_same=form.cleaned_data["what"] == "same"
                )
            except ScheduledTasksError as exc:
                form.add_error(None, exc.message)
            else:
                text = _adopted_text(done)
                self.log_change(request, found.installation, text)
                messages.success(request, text)
                return HttpResponseRedirect(back)
        rows = ScheduledTask.objects.scheduled()
        now = read_now()
        first = rows.filter(next_run_at__gt=now).order_by("next_run_at").first()
        title = _("This is its new home")
        return self.page(
            request,
            "scheduledtask/adopt.html",
            title=title,
            original=title,
            form=form,
            why=why(found),
            environment=found.installation.environment,
            here=environment,
            tasks=rows.count(),
            first=first,
            first_at=instant_text(first.next_run_at, now=now) if first is not None and first.next_run_at else "",
            leave_url=task_url(self.admin_site, "leave_held"),
        )

    @method_decorator(require_POST)
    def leave_held_view(self, request: HttpRequest) -> HttpResponse:
        """Fold the note, for this session."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.session[FOLDED] = standing().copy_key
        return HttpResponseRedirect(task_url(self.admin_site, "changelist"))


def note(request: HttpRequest, site: AdminSite, found: Standing) -> SafeString:
    """Return the note: what is held, why, and what can be done; folded, its first sentence."""
    first = headline(found)
    may_adopt = may(request.user, ADOPT)
    link = (
        format_html('<a href="{}">{}</a>', task_url(site, "adopt"), _("This is its new home…"))
        if may_adopt
        else _("Ask somebody who may adopt an installation.")
    )
    if request.session.get(FOLDED) == found.copy_key:
        return format_html("<strong>{}</strong> {}", first, link)
    waiting = waiting_here()
    waits = ngettext(
        "%(count)s execution that was waiting never starts here by itself.",
        "%(count)s executions that were waiting never start here by themselves.",
        waiting,
    )
    return format_html(
        '<strong>{}</strong> {} {} {} {} {} <form method="post" action="{}" class="dst-tools-inline">'
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<button type="submit" class="dst-button">{}</button></form>',
        first,
        why(found),
        _adoption_text(found),
        waits % {"count": waiting} if waiting else "",
        _("Run once works after a question."),
        link,
        task_url(site, "leave_held"),
        get_token(request),
        _("Leave it held"),
    )


def headline(found: Standing) -> str:
    """Return the first sentence of the note."""
    name = found.installation.environment if found.installation else ""
    if found.cause == Cause.GAP:
        return _("This database may be an older one. Nothing runs by schedule.")
    if name:
        return _("This database is a copy of “%(environment)s”. Nothing runs by schedule.") % {"environment": name}
    return _("This database is a copy. Nothing runs by schedule.")


def _adoption_text(found: Standing) -> str:
    row = found.installation
    if row is None:
        return ""
    values = {"when": instant_text(row.adopted_at, now=read_now()), "where": row.address, "user": row.adopted_by}
    if row.adopted_by is not None:
        return _("It was adopted by %(user)s, %(when)s, at %(where)s.") % values
    return _("It was adopted %(when)s, at %(where)s.") % values


def _adopted_text(done: Adopted) -> str:
    text = _("Adopted as “%(environment)s”.") % {"environment": done.environment} if done.environment else _("Adopted.")
    if done.skipped:
        skipped = ngettext(
            "%(count)s copied execution was skipped.", "%(count)s copied executions were skipped.", done.skipped
        )
        text = f"{text} {skipped % {'count': done.skipped}}"
    return text
