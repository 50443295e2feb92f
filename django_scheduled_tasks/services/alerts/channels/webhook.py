"""Webhooks: JSON, signed as Standard Webhooks says, and to public addresses only.

Source: "Standard Webhooks", https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time

from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.channels import (
    ChannelKind,
    InvalidChannel,
    Message,
    NotDelivered,
    Target,
    register_channel_kind,
)
from django_scheduled_tasks.services.alerts.channels.http import check_address, request
from django_scheduled_tasks.services.alerts.channels.named import named_secret

_PREFIX = "whsec_"
_LEAST_KEY = 16


@register_channel_kind
class Webhook(ChannelKind):
    """The address is a URL; what the secret's name stands for signs what is sent there."""

    kind = "webhook"
    label = _("Webhook")

    def check(self, target: Target) -> None:
        """Refuse what is no URL."""
        try:
            check_address(target.address)
        except NotDelivered as exc:
            raise InvalidChannel("address", str(exc)) from None

    def send(self, target: Target, message: Message) -> str:
        """Post *message*; redirects are not followed, and anything but 2xx is a failure.

        Raises:
            NotDelivered: With what was wrong; never with the address, which may be a secret itself.
        """
        url = check_address(target.address)
        body = json.dumps(message.payload, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.id,
            **signature_headers(message.id, body, _key(target.secret_name)),
        }
        return request("POST", url, body, headers)


def signature_headers(message_id: str, body: bytes, key: bytes | None, at: int | None = None) -> dict[str, str]:
    """Return the headers by which a receiver tells who has sent *body*, and when.

    Args:
        message_id: The same at each try.
        body: As it is sent.
        key: Without one nothing is signed.
        at: Seconds since 1970; None: now.
    """
    at = int(time.time()) if at is None else at
    headers = {"webhook-id": message_id, "webhook-timestamp": str(at)}
    if key is not None:
        digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _key(name: str) -> bytes | None:
    """Return the key that the setting or the environment variable called *name* holds; None if no name is given."""
    if not name:
        return None
    found = named_secret(name)
    if not found.startswith(_PREFIX):
        return found.encode()
    try:
        key = base64.b64decode(found.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < _LEAST_KEY:
        raise NotDelivered(f"The secret called {name} is not whsec_ and Base64 of {_LEAST_KEY} bytes or more.")
    return key
