"""Parameters: from a function's signature to pydantic, to a JSON Schema, and from JSON to typed values."""

from django_scheduled_tasks.parameters.defaults import shown_default
from django_scheduled_tasks.parameters.masking import (
    MASK,
    Tree,
    has_mask,
    hide,
    hide_all,
    masked_again,
    merged,
    unmasked,
)
from django_scheduled_tasks.parameters.model_key import MODEL, ModelKey
from django_scheduled_tasks.parameters.names import sounds_secret
from django_scheduled_tasks.parameters.references import KEY as SECRET_REFERENCE
from django_scheduled_tasks.parameters.references import is_reference, references, texts_of
from django_scheduled_tasks.parameters.signature import Parameters, SecretTexts, secrets_by_name, texts_at

__all__ = [
    "MASK",
    "MODEL",
    "SECRET_REFERENCE",
    "ModelKey",
    "Parameters",
    "SecretTexts",
    "Tree",
    "has_mask",
    "hide",
    "hide_all",
    "is_reference",
    "masked_again",
    "merged",
    "references",
    "secrets_by_name",
    "shown_default",
    "sounds_secret",
    "texts_at",
    "texts_of",
    "unmasked",
]
