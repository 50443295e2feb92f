"""What both admin classes share: the base class, lists that never count a large table, pages around templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import EmptyResultSet
from django.db.models import BigIntegerField, Model, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from django_scheduled_tasks.exceptions import NotAuthenticated, PermissionDenied
from django_scheduled_tasks.services.permissions import User
from django_scheduled_tasks.translation import say_number

IS_UNFOLD = apps.is_installed("unfold")
"""Whether django-unfold draws the admin; decided once, at import, as it decides the base classes."""
if TYPE_CHECKING or not IS_UNFOLD:
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.admin import ModelAdmin
    from unfold.views import ChangeList

STYLES = ("theme", "lists", "pages", *(("unfold",) if IS_UNFOLD else ()))
"""The style sheets of the pages, in this order."""
COUNT_CAP = 10_000
"""Lists count no further than this: 10,000+."""
TEMPLATES = "admin/django_scheduled_tasks"


class CappedChangeList(ChangeList):
    """A list that reads its page and the number of its rows, up to a cap, in one statement."""

    is_capped = False

    def get_results(self, request: HttpRequest) -> None:
        """Read the page first: each row carries how many there are.

        Raises:
            IncorrectLookupParameters: There is no such page.
        """
        if self.page_num < 1:
            raise IncorrectLookupParameters
        first = (self.page_num - 1) * self.list_per_page
        rows: list[Any] = []
        if first < COUNT_CAP:
            try:
                rows = list(self._with_total()[first : first + self.list_per_page])
            except EmptyResultSet:
                rows = []
        if not rows and self.page_num > 1:
            raise IncorrectLookupParameters
        total = rows[0].dst_total if rows else 0
        self.is_capped = total > COUNT_CAP
        self.result_count = min(total, COUNT_CAP)
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.paginator.__dict__["count"] = self.result_count  # cached there, so that nobody counts again
        self.multi_page = self.result_count > self.list_per_page
        self.can_show_all = self.show_full_result_count = False
        self.show_admin_actions = True
        # With this one the search form says how many were found only where something was looked for.
        self.full_result_count = None if self.query or self.has_active_filters else self.result_count
        self.result_list = rows
        self.prepare(request, rows)

    def _with_total(self) -> Any:
        ids = self.queryset.order_by().values("pk")[: COUNT_CAP + 1]
        sql, params = ids.query.get_compiler(self.queryset.db).as_sql()
        # S611: our own SQL, compiled by Django; its values are parameters.
        total = RawSQL(f"(SELECT COUNT(*) FROM ({sql}) dst_counted)", params, BigIntegerField())  # noqa: S611, S608  # nosec
        return self.queryset.annotate(dst_total=total)

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read what the rows show besides their own columns."""


class ScreenAdmin(ModelAdmin):
    """An admin class with pages of its own."""

    show_full_result_count = False
    view_on_site = False
    is_unfold = IS_UNFOLD

    class Media:
        css = {"all": tuple(f"django_scheduled_tasks/css/{name}.css" for name in STYLES)}
        js = ("django_scheduled_tasks/js/live.js", "django_scheduled_tasks/js/form.js")

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *where: Any, **options: Any
    ) -> HttpResponse | None:
        """Do what was chosen for several rows; for all that match only where the list counts them all.

        An action takes place within one request, and what people confirm is the number that they have read.
        """
        wants_all = any(value not in {"", "0"} for value in request.POST.getlist("select_across"))
        if wants_all and queryset.order_by().values("pk")[COUNT_CAP : COUNT_CAP + 1]:
            text = _("More than %(number)s match. Narrow the list by a filter first, or select rows one by one.")
            messages.error(request, text % {"number": say_number(COUNT_CAP)})
            return None  # the admin shows the list again
        found: HttpResponse | None = super().response_action(request, queryset, *where, **options)  # Django 6.1: where
        return found

    def list_of(self, request: HttpRequest) -> Any:
        """Return the list as the page shows it that asks for news; None once its page, or filter, is there no more."""
        try:
            return self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return None

    def page_path(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """Return the path of a page for staff."""
        options = self.model._meta
        return path(route, self.admin_site.admin_view(view), name=f"{options.app_label}_{options.model_name}_{name}")

    def part_path(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """Return the path of a part of a page: 401 and 403 instead of a login form or an error page inside a cell."""

        @never_cache
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.admin_site.has_permission(request):
                return HttpResponse(status=NotAuthenticated.status)
            if not self.has_view_permission(request):
                return HttpResponse(status=PermissionDenied.status)
            return view(request, *args, **kwargs)

        options = self.model._meta
        return path(route, guarded, name=f"{options.app_label}_{options.model_name}_{name}")

    def page(
        self, request: HttpRequest, template: str, *, title: str, original: Model | str | None = None, **context: Any
    ) -> TemplateResponse:
        """Return a page that extends the admin's own form page, so that it has its frame and breadcrumbs.

        Args:
            request: Whose page it is.
            template: Its name, below those of the admin.
            title: What stands above it, and in the tab.
            original: What the page is about, for the breadcrumbs: a row, or a text where it is about none.
            context: What the template needs besides.
        """
        request.current_app = self.admin_site.name  # as the admin's own views do
        row = original if isinstance(original, Model) else None
        whole = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "app_label": self.model._meta.app_label,
            "title": capfirst(title),
            "original": original if original is not None else capfirst(title),  # what the breadcrumbs end with
            "media": self.media,
            "is_popup": False,
            "add": False,
            "change": True,
            "has_view_permission": self.has_view_permission(request, row),
            "has_add_permission": False,
            "has_change_permission": False,
            "has_delete_permission": self.has_delete_permission(request, row),
            "inline_admin_formsets": [],
            "errors": None,
            "dst_unfold": IS_UNFOLD,
            **context,
        }
        return TemplateResponse(request, f"{TEMPLATES}/{template}", whole)


def signed_in(request: HttpRequest) -> User:
    """Return the user of a view that only signed-in staff can reach."""
    return cast("User", request.user)


def without(request: HttpRequest, *names: str) -> None:
    """Remove our own parameters from the query string, so that the change list does not take them for filters."""
    query: Any = request.GET.copy()
    for name in names:
        query.pop(name, None)
    request.GET = query  # mutable, as in Django's own ModelAdmin.add_view
