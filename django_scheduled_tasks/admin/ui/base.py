"""The base of both admin classes: change lists with a capped count, and pages of our own in the admin's frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied as Forbidden
from django.db.models import IntegerField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from django_scheduled_tasks.admin.ui.door import through_admin
from django_scheduled_tasks.admin.ui.text.zones import drawn_in, in_zone
from django_scheduled_tasks.db.expressions import CountOf
from django_scheduled_tasks.exceptions import NotAuthenticated, PermissionDenied
from django_scheduled_tasks.identifiers import as_uuid, read_number
from django_scheduled_tasks.models.task import NUL
from django_scheduled_tasks.services.permissions import may
from django_scheduled_tasks.services.visibility import visible
from django_scheduled_tasks.translation import say_number
from django_scheduled_tasks.users import User

IS_UNFOLD = apps.is_installed("unfold")
"""Whether django-unfold is installed. It decides the base classes, so it is read once, at import."""
if TYPE_CHECKING or not IS_UNFOLD:
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.admin import ModelAdmin
    from unfold.views import ChangeList

THEME = {"dst_unfold": IS_UNFOLD, "dst_grappelli": apps.is_installed("grappelli")}
"""For templates: the app that draws the admin, where our templates have to differ."""
STYLES = ("theme", "lists", "pages", *(name for name in ("unfold", "grappelli") if apps.is_installed(name)))
"""The style sheets of our pages, in this order."""
COUNT_CAP = 10_000
"""Change lists stop counting here and show 10,000+."""
MOST_SEARCHED = 500
"""The longest text that is searched for, in characters; databases refuse very long ones, and many words."""
TEMPLATES = "admin/django_scheduled_tasks"
_FIELD_LOOKUPS = ("", "__exact", "__in", "__isnull", "__gte", "__lt", "__id__exact")
"""The lookups that Django's own filters for columns put into links."""


class CappedChangeList(ChangeList):
    """A change list that counts its rows up to :data:`COUNT_CAP`: the first page in one statement, others in two."""

    is_capped = False

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and count.

        Raises:
            IncorrectLookupParameters: The page does not exist.
        """
        if self.page_num < 1:
            raise IncorrectLookupParameters
        rows, total = self._first_page() if self.page_num == 1 else self._later_page()
        if not rows and self.page_num > 1:
            raise IncorrectLookupParameters
        self.is_capped = total > COUNT_CAP
        self.result_count = min(total, COUNT_CAP)
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.paginator.__dict__["count"] = self.result_count  # a cached property: this prevents a second COUNT
        self.multi_page = self.result_count > self.list_per_page
        self.can_show_all = self.show_full_result_count = False
        self.show_admin_actions = True
        # With this value the search form shows the number of results only after a search.
        self.full_result_count = None if self.query or self.has_active_filters else self.result_count
        self.result_list = rows
        self.prepare(request, rows)

    def _first_page(self) -> tuple[list[Any], int]:
        counted = CountOf(self.queryset.order_by().values("pk")[: COUNT_CAP + 1])
        rows = list(self.queryset.annotate(dst_total=counted)[: self.list_per_page])
        return rows, rows[0].dst_total if rows else 0

    def _later_page(self) -> tuple[list[Any], int]:
        """Read the keys up to the cap, once, and then the rows of the page: what stands before it is not read twice."""
        first = (self.page_num - 1) * self.list_per_page
        if first >= COUNT_CAP:
            return [], 0
        keys = list(self.queryset.values_list("pk", flat=True)[: COUNT_CAP + 1])
        page = keys[first : first + self.list_per_page]
        return list(self.queryset.filter(pk__in=page)) if page else [], len(keys)

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read what the rows show beside their own columns; called once for each page."""


class ScreenAdmin(ModelAdmin):
    """A ``ModelAdmin`` with additional pages, and parts of pages for htmx."""

    show_full_result_count = False
    view_on_site = False
    is_unfold = IS_UNFOLD

    class Media:
        css = {"all": tuple(f"django_scheduled_tasks/css/{name}.css" for name in STYLES)}
        js = (
            "django_scheduled_tasks/js/live.js",
            "django_scheduled_tasks/js/form.js",
            "django_scheduled_tasks/js/keys.js",
        )

    @property
    def urls(self) -> list[URLPattern]:
        """Our addresses; whatever is done behind them is recorded as done through the admin."""
        found: list[URLPattern] = self.get_urls()
        for pattern in found:
            pattern.callback = through_admin(pattern.callback)
        return found

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *where: Any, **options: Any
    ) -> HttpResponse | None:
        """Run a bulk action; refuse "select all" when more rows match than the list counts.

        An action runs inside one request, and the user has confirmed the number that the list showed. What is selected
        and cannot be the key of a row is left out; Django would fail.
        """
        self._keep_possible_keys(request)
        wants_all = any(value not in {"", "0"} for value in request.POST.getlist("select_across"))
        if wants_all and queryset.order_by().values("pk")[COUNT_CAP : COUNT_CAP + 1]:
            text = _("More than %(number)s match. Narrow the list by a filter first, or select rows one by one.")
            messages.error(request, text % {"number": say_number(COUNT_CAP)})
            return None  # ModelAdmin then shows the list again
        found: HttpResponse | None = super().response_action(request, queryset, *where, **options)  # Django 6.1: where
        return found

    def _keep_possible_keys(self, request: HttpRequest) -> None:
        """Remove from what the request has selected whatever no row can have as its key."""
        name = helpers.ACTION_CHECKBOX_NAME
        asked = request.POST.getlist(name)
        possible = [text for text in asked if self._is_possible_key(text)]
        if possible != asked:
            data: Any = request.POST.copy()
            data.setlist(name, possible)
            request.POST = data

    def _is_possible_key(self, text: str) -> bool:
        is_number = isinstance(self.opts.pk, IntegerField)
        return (read_number(text) if is_number else as_uuid(text)) is not None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows without those of tasks that the user may not see at all."""
        return visible(request.user, super().get_queryset(request))

    # --- permissions, each also asked for the one object, so that backends for single objects count

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may see rows, or this row; who may change it may also see it."""
        return self._may(request, "view", obj) or self._may(request, "change", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may change rows, or this row."""
        return self._may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may delete rows, or this row."""
        return self._may(request, "delete", obj)

    def _may(self, request: HttpRequest, action: str, obj: Model | None) -> bool:
        return may(request.user, f"{self.opts.app_label}.{get_permission_codename(action, self.opts)}", obj)

    def row_or_404(self, request: HttpRequest, pk: object, allowed: Callable[[HttpRequest, Any], bool]) -> Any:
        """Return a row; 404 if there is none, 403 if *allowed* says that the user may not do this with it."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not allowed(request, row):
            raise Forbidden
        return row

    # --- lists and pages

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was done with an object; with our style sheets, which Django's page does not have."""
        context = {"media": self.media, **THEME, **(extra_context or {})}
        found: HttpResponse = super().history_view(request, object_id, context)
        key = as_uuid(object_id)
        zone = self.zone_of(pk=key) if key is not None else ""
        return drawn_in(zone, found) if zone else found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow the parameters of :attr:`list_filter` only.

        Django allows a query string to filter by every column, so it answers questions about what is masked or
        hidden on the page, such as ``?params__pin__startswith=1``.
        """
        item: Any
        for item in self.list_filter:
            if isinstance(item, type):
                names = getattr(item, "parameters", None) or (getattr(item, "parameter_name", None),)
            else:  # a column, in a subclass of the project
                column = item if isinstance(item, str) else item[0]
                names = tuple(f"{column}{suffix}" for suffix in _FIELD_LOOKUPS)
            if lookup in names:
                return True
        return False

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search as Django does; what no database takes, and what is too long, is found nowhere."""
        if len(search_term) > MOST_SEARCHED or NUL in search_term:
            return queryset.none(), False
        found: tuple[Any, bool] = super().get_search_results(request, queryset, search_term)
        return found

    def list_of(self, request: HttpRequest) -> Any:
        """Return the change list for a live request; None if its page or filter no longer exists."""
        try:
            return self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return None

    def page_path(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """Return the URL pattern of a page for staff; one about one object is in its time zone."""

        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            zone = self.zone_of(**kwargs) if kwargs else ""
            with in_zone(zone):
                found = view(request, *args, **kwargs)
            return drawn_in(zone, found) if zone else found

        options = self.model._meta
        return path(route, self.admin_site.admin_view(shown), name=f"{options.app_label}_{options.model_name}_{name}")

    def zone_of(self, **_kwargs: Any) -> str:
        """Return the time zone of what the address is about, at most one statement; empty for the reader's own."""
        return ""

    def part_path(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """Return the URL pattern of a part that htmx loads: 401 or 403 in place of a login form inside a cell."""

        @never_cache
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.admin_site.has_permission(request):
                return HttpResponse(status=NotAuthenticated.status)
            if "pk" not in kwargs and not self.has_view_permission(request):  # else the view asks about its object
                return HttpResponse(status=PermissionDenied.status)
            return view(request, *args, **kwargs)

        options = self.model._meta
        return path(route, guarded, name=f"{options.app_label}_{options.model_name}_{name}")

    def page(
        self, request: HttpRequest, template: str, *, title: str, original: Model | str | None = None, **context: Any
    ) -> TemplateResponse:
        """Render a template that extends the admin's form page, with its frame and breadcrumbs.

        Args:
            request: The present request.
            template: Its name below ``admin/django_scheduled_tasks``.
            title: The heading, also shown in the browser tab.
            original: The object of the page, for the breadcrumbs; a text when there is no object.
            context: Additional context of the template.
        """
        request.current_app = self.admin_site.name  # as the admin's own views do
        row = original if isinstance(original, Model) else None
        whole = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "app_label": self.model._meta.app_label,
            "title": capfirst(title),
            "original": original if original is not None else capfirst(title),  # the last breadcrumb
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
            **THEME,
            **context,
        }
        return TemplateResponse(request, f"{TEMPLATES}/{template}", whole)


def signed_in(request: HttpRequest) -> User:
    """Return the user of a view that only signed-in staff can reach."""
    return cast("User", request.user)


def drop_parameters(request: HttpRequest, *names: str) -> None:
    """Remove our own parameters from the query string, so that the change list does not take them for filters."""
    query: Any = request.GET.copy()
    for name in names:
        query.pop(name, None)
    request.GET = query  # mutable, as in Django's own ModelAdmin.add_view
