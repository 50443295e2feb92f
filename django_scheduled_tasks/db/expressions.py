"""Expressions that the ORM does not have."""

from __future__ import annotations

from django.db import models


class IsOneOf(models.Func):
    """``column = ANY(ARRAY[value])``: an equality that PostgreSQL does not use to simplify the order."""

    template, arg_joiner = "%(expressions)s])", " = ANY(ARRAY["
    output_field = models.BooleanField()


class CountOf(models.Subquery):
    """How many rows a query returns, of which a slice bounds what is read."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) dst_counted)"
    output_field = models.BigIntegerField()
