"""The pages on which somebody says what a database is: at home here, a copy, or the same one at another place."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.installation.notes import FOLDED
from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.dialogs import StyledForm
from django_scheduled_tasks.admin.ui.html import instant_text, task_url
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.services.adoption import Adopted, adopt, is_ambiguous, say_copy, say_same
from django_scheduled_tasks.services.installation.state import look, standing
from django_scheduled_tasks.services.installation.verdict import Cause
from django_scheduled_tasks.services.installation.words import moved, why
from django_scheduled_tasks.services.permissions import ADOPT, may

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
    """The health on every page of ours and on the admin's index, and what can be said of a copy or a move."""

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Have the health of the installation at hand for the page; say it on overviews, whose templates are not ours.

        Every page of an admin asks this of each model that the user may see. It is the one place that all pages have in
        common, whatever theme draws them.
        """
        match = request.resolver_match
        health = health_of(request, self.admin_site)
        if match is not None and match.url_name in _OVERVIEWS and not hasattr(request, "dst_told"):
            request.dst_told = True  # type: ignore[attr-defined]  # once for a page
            health.tell()
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

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def moved_view(self, request: HttpRequest) -> HttpResponse:
        """Ask (GET), and say that a database that has moved is a copy (POST)."""
        if not self.has_adopt_permission(request):
            raise PermissionDenied
        found, back = look(), task_url(self.admin_site, "changelist")
        if found.installation is None or not found.has_moved:
            messages.info(request, _("The database has not moved, or somebody has said what it is."))
            return HttpResponseRedirect(back)
        if request.method == "POST":
            say_copy()
            self.log_change(request, found.installation, _("Said that it is a copy."))
            messages.success(request, _("Within a minute nothing runs by schedule any more."))
            return HttpResponseRedirect(back)
        title = _("It is a copy")
        return self.page(
            request, "scheduledtask/moved.html", title=title, original=title, moved=moved(found.installation), back=back
        )

    @method_decorator(require_POST)
    def say_same_view(self, request: HttpRequest) -> HttpResponse:
        """Say that a database that has moved is the same installation."""
        if not self.has_adopt_permission(request):
            raise PermissionDenied
        found = look()
        if found.installation is not None and found.has_moved:
            say_same()
            self.log_change(request, found.installation, _("Said that it is the same installation."))
        return HttpResponseRedirect(task_url(self.admin_site, "changelist"))


def _adopted_text(done: Adopted) -> str:
    text = _("Adopted as “%(environment)s”.") % {"environment": done.environment} if done.environment else _("Adopted.")
    if done.skipped:
        skipped = ngettext(
            "%(count)s copied execution was skipped.", "%(count)s copied executions were skipped.", done.skipped
        )
        text = f"{text} {skipped % {'count': done.skipped}}"
    return text
