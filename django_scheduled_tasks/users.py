"""The type of a user, for annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from django.contrib.auth.base_user import AbstractBaseUser

if TYPE_CHECKING:
    from django.contrib.auth.models import _User

    User: TypeAlias = _User  # for the type checker, the project's AUTH_USER_MODEL
else:
    User = AbstractBaseUser
