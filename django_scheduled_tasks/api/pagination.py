"""Pages."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request

PAGE_SIZE, MOST_PAGE_SIZE = 50, 200


class _Sized:
    """Reads ``?pageSize=``."""

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has; more than the most count as the most.

        Raises:
            ValidationError: It is no whole number, or none at all.
        """
        text = request.query_params.get("pageSize", str(PAGE_SIZE))
        size = int(text[:9]) if text.isascii() and text.isdigit() else 0
        if not size:
            raise ValidationError({"pageSize": [f"Write a whole number from 1 to {MOST_PAGE_SIZE}."]})
        return min(size, MOST_PAGE_SIZE)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the query parameters, with the limits of the size."""
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)  # type: ignore[misc]
        for parameter in found:
            if parameter["name"] == "pageSize":
                parameter["schema"] = {"type": "integer", "minimum": 1, "default": PAGE_SIZE}
                parameter["description"] = f"How many rows a page has; more than {MOST_PAGE_SIZE} count as that."
        return found


class NumberedPages(_Sized, PageNumberPagination):
    """Pages with numbers, for tasks: there are not many."""

    page_size = PAGE_SIZE
    page_size_query_param = "pageSize"
    max_page_size = MOST_PAGE_SIZE
    invalid_page_message = "There is no such page."


class NewestFirst(_Sized, CursorPagination):
    """A cursor, for executions: nothing is counted, and new rows do not shift what comes next."""

    page_size = PAGE_SIZE
    page_size_query_param = "pageSize"
    max_page_size = MOST_PAGE_SIZE
    ordering = "-id"
    cursor_query_param = "cursor"

    def decode_cursor(self, request: Any) -> Any:
        """Read the cursor; one that was not made by us is as unknown as a page that is not there."""
        found = super().decode_cursor(request)
        position: Any = found.position if found is not None else None
        if position is not None and not (position.isdigit() and int(position) < 2**63):
            raise NotFound(self.invalid_cursor_message)
        return found
