"""The page's server: packaged files and `routes`; of requests it keeps nothing, of the store what it read last."""

import errno
import ipaddress
import os
import re
import socket
import webbrowser
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmodel.app.live_settings import LiveSettings
from psmodel.app.query import Settings
from psmodel.app.routes import Routes, refused
from psmodel.errors import BadInput, CannotRun
from psmodel.wording import excerpt

_PAGE = Path(__file__).parent / "page"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_SHORTENED = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+))*", re.IGNORECASE)
"""What inet_aton(3) takes for an address: 0 is every address of the machine, 127.1 is 127.0.0.1."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


class _Guard:
    """Adds `_HEADERS` and refuses what another site's page asks: it could start simulations by a mere image."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        app = self._app
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            site = Request(scope).headers.get("sec-fetch-site", "none")
            if site not in ("none", "same-origin"):
                app = PlainTextResponse("asked by another site", status_code=403)
        await app(scope, receive, guarded)


def create(settings: Settings, host: str = "127.0.0.1") -> Starlette:
    """The application, for requests whose Host header names this machine's loopback or `host`."""
    anywhere = _is_ip(host) and ipaddress.ip_address(host).is_unspecified
    app = Starlette(
        routes=[*Routes(LiveSettings(settings)).all(), Mount("/", StaticFiles(directory=_PAGE, html=True))],
        middleware=[
            # Another site whose name was made to point at 127.0.0.1 (DNS rebinding) says so in its Host header.
            Middleware(TrustedHostMiddleware, allowed_hosts=["*"] if anywhere else _names(host)),
            Middleware(_Guard),
        ],
        exception_handlers={BadInput: refused},
    )
    app.state.ending = False
    return app


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _names(host: str) -> list[str]:
    """What the Host header of a request may say; an address of version 6 stands in brackets there (RFC 3986)."""
    return sorted({f"[{name}]" if ":" in name else name.lower() for name in (*_LOOPBACK, host)})


def check_host(host: str) -> None:
    """Refuse what is neither an address nor a name.

    Raises
    ------
    BadInput
        With what is allowed; an empty name would mean every address of this machine.
    """
    if not _is_ip(host) and (not _NAME.fullmatch(host) or _SHORTENED.fullmatch(host)):
        raise BadInput(
            f"--host {excerpt(host)}; it is an address of this machine like 127.0.0.1 or ::1, or a name of letters, "
            "digits, hyphens and dots"
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises
    ------
    BadInput
        If the host is neither an address nor a name.
    CannotRun
        If the address is taken or is none of this machine's.
    """
    check_host(host)
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family = min((entry[0] for entry in addresses), key=lambda family: family != socket.AF_INET)
        sock = socket.create_server((host, port), family=family)
        # Nagle's algorithm holds an answer's second segment back until a delayed acknowledgement, 40 ms on Linux.
        # asyncio switches it off only for sockets that name their protocol, which these do not; accepted ones
        # inherit it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except socket.gaierror:
        raise CannotRun(
            f"cannot listen on {host}: no machine of that name is known; choose another --host, like 127.0.0.1"
        ) from None
    except OSError as error:
        another = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
        raise CannotRun(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; choose another {another}"
        ) from None


class _Server(uvicorn.Server):
    """Tells answers that take long to end with it; those that are cut off would each be reported as a failure."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the answers, then the server."""
        self._state.ending = True
        await super().shutdown(sockets)


def serve(settings: Settings, sock: socket.socket, host: str, *, browser: bool) -> None:
    """Serve until interrupted."""
    url = address(sock)
    app = create(settings, host)
    server = _Server(
        uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, lifespan="off"), app.state
    )
    if browser:
        webbrowser.open(url)
    server.run(sockets=[sock])


def address(sock: socket.socket) -> str:
    """URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
