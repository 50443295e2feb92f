"""Conditions that leave the planner no other order than that of an index."""

from __future__ import annotations

from django.db import models


class IsOneOf(models.Func):
    """``column = ANY(ARRAY[value])``: an equality that PostgreSQL does not use to simplify the order."""

    template, arg_joiner = "%(expressions)s])", " = ANY(ARRAY["
    output_field = models.BooleanField()
