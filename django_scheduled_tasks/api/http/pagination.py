"""Pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination, CursorPagination, PageNumberPagination
from rest_framework.request import Request

from django_scheduled_tasks.api.http.query import asked_number
from django_scheduled_tasks.identifiers import read_number

PAGE_SIZE, MOST_PAGE_SIZE = 50, 200
SIZE = "pageSize"
"""The query parameter."""


class _Sized(BasePagination):
    """Reads ``?pageSize=``."""

    query_params: tuple[str, ...] = (SIZE,)
    """All that it reads of a query."""

    page_size_query_param: str | None = SIZE

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has; more than the most count as the most.

        Raises:
            ValidationError: It is no whole number, or none at all.
        """
        size = asked_number(request, SIZE, default=PAGE_SIZE, least=1)
        return min(size, MOST_PAGE_SIZE)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the query parameters, with the limits of the size."""
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in found:
            if parameter["name"] == SIZE:
                parameter["schema"] = {"type": "integer", "minimum": 1, "default": PAGE_SIZE}
                parameter["description"] = f"How many rows a page has; more than {MOST_PAGE_SIZE} count as that."
            elif parameter["name"] == "page":
                parameter["schema"] = {"type": "integer", "minimum": 1, "default": 1}
        return found


class NumberedPages(_Sized, PageNumberPagination):
    """Pages with numbers, for tasks: there are not many."""

    page_size = PAGE_SIZE
    max_page_size = MOST_PAGE_SIZE
    query_params = (SIZE, "page")
    invalid_page_message = "There is no such page."

    def get_page_number(self, request: Request, paginator: Any) -> int:
        """Return which page is asked for.

        Raises:
            ValidationError: It is no whole number from 1.
        """
        del paginator
        return asked_number(request, self.page_query_param, default=1, least=1)


class _Within:
    """Rows of one task or person: whatever order DRF asks for, that stands in front, in the same direction."""

    def __init__(self, rows: QuerySet[Any], column: str) -> None:
        self._rows, self._column = rows, column

    def order_by(self, name: str) -> QuerySet[Any]:
        """Return the rows in the order of the index; DRF asks for this first, and goes on with what it gets."""
        return self._rows.order_by(self._column if name.startswith("-") else f"-{self._column}", name)


class NewestFirst(_Sized, CursorPagination):
    """A cursor, for executions: nothing is counted, and new rows do not shift what comes next."""

    page_size = PAGE_SIZE
    max_page_size = MOST_PAGE_SIZE
    ordering = "-id"
    cursor_query_param = "cursor"
    query_params = (SIZE, "cursor")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Return a page; of one task's or person's executions in the order of their index."""
        first, *_rest = queryset.query.order_by or ("",)
        rows: Any = _Within(queryset, first) if first in {"task_id", "triggered_by_id"} else queryset
        found: list[Any] | None = super().paginate_queryset(rows, request, view)
        return found

    def decode_cursor(self, request: Any) -> Any:
        """Read the cursor; one that was not made by us is as unknown as a page that is not there."""
        text = request.query_params.get(self.cursor_query_param)
        if text == "":
            raise ValidationError({self.cursor_query_param: ["It is empty."]})
        found = super().decode_cursor(request)
        # DRF reads what it does not understand as the first page. Ours begin after the execution with some number.
        if text is not None and (found is None or found.offset or read_number(found.position) is None):
            raise NotFound(self.invalid_cursor_message)
        return found
