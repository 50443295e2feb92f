"""Users of a project that has a model of its own: no number, no username, no first name."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class PersonManager(BaseUserManager["Person"]):
    """Makes persons."""

    def create_user(self, address: str, password: str | None = None, **fields: Any) -> Person:
        """Create a person, who may have further *fields*."""
        person = self.model(address=address, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser, PermissionsMixin):
    """A user."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    address = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = PersonManager()

    USERNAME_FIELD = "address"

    def __str__(self) -> str:
        return self.address
