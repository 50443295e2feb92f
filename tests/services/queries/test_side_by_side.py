"""Two texts side by side."""

from __future__ import annotations

from django_scheduled_tasks.services.queries.executions.side_by_side import MOST_LINES, Line, side_by_side


def test_lines_that_are_the_same_stand_beside_each_other():
    assert side_by_side(["a", "b", "c", "d"], ["a", "x", "d", "e"]) == [
        Line("a", "a", differs=False),
        Line("b", "x", differs=True),
        Line("c", None, differs=True),
        Line("d", "d", differs=False),
        Line(None, "e", differs=True),
    ]


def test_of_long_texts_the_beginning_is_compared_and_nothing_takes_long():
    left = [f"line {number % 7}" for number in range(2 * MOST_LINES)]
    right = [f"line {number % 5}" for number in range(2 * MOST_LINES)]
    assert MOST_LINES <= len(side_by_side(left, right)) <= 2 * MOST_LINES
