"""The tests' project under uvicorn, in a thread: what ``live_server`` is in the variant ``asgi``."""

from __future__ import annotations

import threading
import time

import uvicorn
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.test.utils import modify_settings


class UvicornServer:
    """A server on a port that is free."""

    def __init__(self) -> None:
        application = ASGIStaticFilesHandler(get_asgi_application())
        config = uvicorn.Config(application, port=0, lifespan="off", log_level="error", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "uvicorn does not start"
            time.sleep(0.01)
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        # pytest-django enables this for each test that uses the fixture.
        self._live_server_modified_settings = modify_settings(ALLOWED_HOSTS={"append": host})

    def stop(self) -> None:
        """Stop it, and wait until its last request has been answered."""
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "uvicorn does not stop"
