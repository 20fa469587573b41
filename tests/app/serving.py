"""The page's server over real HTTP, for as long as a test asks it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("starlette", reason="the extra app is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra app is not installed")

from psmodel.app.query import Settings  # noqa: E402
from psmodel.app.server import address, create, listen  # noqa: E402


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Address of a page that is served from a free port of the loopback."""
    with listen("127.0.0.1", 0) as sock:
        configuration = uvicorn.Config(
            create(settings), log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(configuration)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            yield address(sock)
        finally:
            server.should_exit = True
            thread.join()
