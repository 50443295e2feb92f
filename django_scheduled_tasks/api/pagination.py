"""Pages."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, PageNumberPagination

PAGE_SIZE, MOST_PAGE_SIZE = 50, 200


class NumberedPages(PageNumberPagination):
    """Pages with numbers, for tasks: there are not many."""

    page_size = PAGE_SIZE
    page_size_query_param = "pageSize"
    max_page_size = MOST_PAGE_SIZE
    invalid_page_message = "There is no such page."


class NewestFirst(CursorPagination):
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
