"""The name of this host, as rows and pages show it."""

from __future__ import annotations

import socket

HOST = socket.gethostname()
