"""Comments on the page of an execution."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from django_scheduled_tasks.admin.executions.page.view import ExecutionPage
from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import execution_url, instant
from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.models import COMMENT_MAX_LENGTH
from django_scheduled_tasks.services.comments import add_comment, comments_on
from django_scheduled_tasks.services.permissions import COMMENT_EXECUTION, may

ANCHOR = "dst-comments"


class CommentsMixin(ScreenAdmin):
    """What people say about an execution, and the view that adds to it."""

    def page_of(self, request: HttpRequest, pk: int) -> ExecutionPage:
        """Return the page of an execution; implemented by the admin class."""
        raise NotImplementedError

    @method_decorator(require_POST)
    def comment_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Add a comment."""
        row = self.page_of(request, pk).row
        if not may(request.user, COMMENT_EXECUTION, row):
            raise PermissionDenied
        try:
            add_comment(row, request.POST.get("text", ""), user=signed_in(request))
        except InvalidInput as exc:
            messages.error(request, error_text(exc))
        return HttpResponseRedirect(f"{execution_url(self.admin_site, 'change', pk)}#{ANCHOR}")

    def comments(self, request: HttpRequest, shown: ExecutionPage) -> SafeString:
        """Return the comments, with a field for another one for who may add one; empty without both."""
        found = comments_on(shown.row)
        may_add = may(request.user, COMMENT_EXECUTION, shown.row)
        if not found and not may_add:
            return SafeString("")
        context = {
            "comments": [
                {"who": one.user_name, "at": instant(one.at, now=shown.now), "text": one.text} for one in found
            ],
            "url": execution_url(self.admin_site, "comment", shown.row.pk) if may_add else "",
            "most": COMMENT_MAX_LENGTH,
        }
        template = "admin/django_scheduled_tasks/execution/comments.html"
        return render_to_string(template, context, request=request)
