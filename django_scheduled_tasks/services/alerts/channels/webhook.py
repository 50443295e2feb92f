"""Webhooks: JSON, signed as Standard Webhooks says, and to public addresses only.

Source: "Standard Webhooks", https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import time
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.alerts.channels.message import Message, NotDelivered, Target

_PREFIX = "whsec_"
_PORTS = {"http": 80, "https": 443}
_READ = 200
_LEAST_KEY = 16


def send(target: Target, message: Message) -> str:
    """Post *message*; redirects are not followed, and anything but 2xx is a failure.

    Raises:
        NotDelivered: With what was wrong; never with the address, which may be a secret itself.
    """
    url = check_address(target.address)
    body = json.dumps(message.payload, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "django-scheduled-tasks",
        "Idempotency-Key": message.id,
        **signature_headers(message.id, body, _secret(target.secret_name)),
    }
    try:
        status = _post(url, body, headers)
    except ssl.SSLError as exc:
        raise NotDelivered(f"TLS failed: {exc.reason}") from None
    except TimeoutError:
        raise NotDelivered("No answer in time.") from None
    except (OSError, http.client.HTTPException) as exc:
        raise NotDelivered(f"No connection: {type(exc).__name__}") from None
    if not 200 <= status < 300:  # noqa: PLR2004  (what HTTP calls success)
        raise NotDelivered(f"HTTP {status}")
    return f"HTTP {status}"


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


def _secret(name: str) -> bytes | None:
    """Return the key that the setting or the environment variable called *name* holds; None if no name is given."""
    if not name:
        return None
    found = getattr(settings, name, None) or os.environ.get(name, "")
    if not isinstance(found, str) or not found:
        raise NotDelivered(f"There is no secret called {name}, neither in the settings nor in the environment.")
    if not found.startswith(_PREFIX):
        return found.encode()
    try:
        key = base64.b64decode(found.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < _LEAST_KEY:
        raise NotDelivered(f"The secret called {name} is not whsec_ and Base64 of {_LEAST_KEY} bytes or more.")
    return key


def check_address(address: str) -> SplitResult:
    """Return the parts of the URL of a webhook; to where its host leads is seen when it is sent to.

    Raises:
        NotDelivered: It is none.
    """
    try:
        url = urlsplit(address.strip())
        is_fine = url.scheme in _PORTS and bool(url.hostname) and url.port != 0
    except ValueError:
        is_fine = False
    if not is_fine or url.username is not None:
        raise NotDelivered("The address is no URL with http or https and a host, and without a user.")
    return url


def is_allowed(address: str) -> bool:
    """Whether a webhook may go to the IP *address*: it is public, or in one of ``ALERT_NETWORKS``."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    allowed = [ip_network(network) for network in get_settings().ALERT_NETWORKS]
    return (found.is_global and not found.is_multicast) or any(found in network for network in allowed)


def _post(url: SplitResult, body: bytes, headers: dict[str, str]) -> int:
    """Connect to the address that was checked, not to the name once more, which may say another one by then."""
    host, port = str(url.hostname), url.port or _PORTS[url.scheme]
    timeout = get_settings().ALERT_TIMEOUT.total_seconds()
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    refused = [str(one[4][0]) for one in found if not is_allowed(str(one[4][0]))]
    if refused or not found:
        raise NotDelivered("The host has an address that is not public; ALERT_NETWORKS says which are allowed.")
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        opened = socket.create_connection((str(found[0][4][0]), port), timeout=timeout)
        connection.sock = opened
        if url.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(opened, server_hostname=host)
        path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
        default = url.port in {None, _PORTS[url.scheme]}
        shown = f"[{host}]" if ":" in host else host
        connection.request("POST", path, body, headers | {"Host": shown if default else f"{shown}:{port}"})
        response = connection.getresponse()
        response.read(_READ)
        return response.status
    finally:
        connection.close()
