"""What the example's tasks write."""

from __future__ import annotations

from django.db import models


class Invoice(models.Model):
    """What one customer owes for one month."""

    customer = models.CharField(max_length=64)
    month = models.DateField()
    units = models.PositiveIntegerField()
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-month", "customer")
        constraints = (models.UniqueConstraint(fields=["customer", "month"], name="invoice_once_a_month"),)

    def __str__(self) -> str:
        return f"{self.customer}, {self.month:%Y-%m}: {self.amount}"
