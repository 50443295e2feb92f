"""One request over HTTP: with a time limit, without redirects, and not to addresses that are nobody's business."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.conf import get_settings

_PORTS = {"http": 80, "https": 443}
_READ = 200
AGENT = "django-scheduled-tasks"


def request(
    method: str, url: SplitResult, body: bytes = b"", headers: Mapping[str, str] = {}, *, is_trusted: bool = False
) -> str:
    """Make a request, and return what was answered, if that was 2xx; a redirect is not followed.

    Args:
        method: ``GET`` or ``POST``.
        url: As :func:`check_address` returns it.
        body: What is sent.
        headers: Beside those that each request has.
        is_trusted: Whether the address comes from the settings, so that it may be a private one.
    Raises:
        NotDelivered: With what was wrong; never with the address, which may be a secret itself.
    """
    try:
        status = _request(method, url, body, {"User-Agent": AGENT, **headers}, is_trusted=is_trusted)
    except ssl.SSLError as exc:
        raise NotDelivered(f"TLS failed: {exc.reason}") from None
    except TimeoutError:
        raise NotDelivered("No answer in time.") from None
    except (OSError, http.client.HTTPException) as exc:
        raise NotDelivered(f"No connection: {type(exc).__name__}") from None
    if not 200 <= status < 300:  # noqa: PLR2004  (what HTTP calls success)
        raise NotDelivered(f"HTTP {status}")
    return f"HTTP {status}"


def check_address(address: str) -> SplitResult:
    """Return the parts of a URL; to where its host leads is seen when it is sent to.

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


def _request(method: str, url: SplitResult, body: bytes, headers: dict[str, str], *, is_trusted: bool) -> int:
    """Connect to the address that was checked, not to the name once more, which may say another one by then."""
    host, port = str(url.hostname), url.port or _PORTS[url.scheme]
    timeout = get_settings().ALERT_TIMEOUT.total_seconds()
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    refused = [] if is_trusted else [str(one[4][0]) for one in found if not is_allowed(str(one[4][0]))]
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
        connection.request(method, path, body or None, headers | {"Host": shown if default else f"{shown}:{port}"})
        response = connection.getresponse()
        response.read(_READ)
        return response.status
    finally:
        connection.close()
