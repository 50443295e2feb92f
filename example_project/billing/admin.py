"""Invoices in the admin."""

from __future__ import annotations

from django.contrib import admin

from example_project.billing.models import Invoice


@admin.register(Invoice)
class InvoiceAdmin(admin.ModelAdmin):
    """The list of invoices."""

    list_display = ("customer", "month", "units", "amount")
    list_filter = ("month",)
    search_fields = ("customer",)
