"""The page's server: packaged files, answers as JSON, simulations as server-sent events. It keeps no state."""

import asyncio
import errno
import ipaddress
import os
import re
import socket
import webbrowser
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmodel.app.answers import CHARTS, answered, listed
from psmodel.app.event_stream import events
from psmodel.app.files import MOST_BYTES, from_file, to_toml
from psmodel.app.form_keys import form
from psmodel.app.query import Query, Settings
from psmodel.app.runs import compared
from psmodel.errors import BadInput, CannotRun
from psmodel.wording import excerpt

_PAGE = Path(__file__).parent / "page"
_MOST_UPLOAD = 1 << 20
_TICK_S = 0.25
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
    simulating = asyncio.Lock()

    def scenarios(_: Request) -> Response:
        return JSONResponse(listed(settings))

    def answer(request: Request) -> Response:
        return JSONResponse(answered(Query.of(request.query_params, settings)))

    def chart(request: Request) -> Response:
        compute = CHARTS.get(name := request.path_params["name"])
        if compute is None:
            raise BadInput(f"chart {name!r} is none of {', '.join(CHARTS)}")
        return JSONResponse(compute(Query.of(request.query_params, settings)))

    def fields(_: Request) -> Response:
        return JSONResponse(form())

    def runs(_: Request) -> Response:
        return JSONResponse(compared(settings))

    async def read(request: Request) -> Response:
        """A scenario file that was brought, as the page keeps it."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_UPLOAD:
                raise BadInput(
                    f"the file is longer than {_MOST_UPLOAD} bytes; a scenario is at most {MOST_BYTES}"
                )
        source = request.query_params.get("source", "") or "pasted.toml"
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BadInput(f"{source} cannot be read: it is not UTF-8 text") from None
        return JSONResponse({"file": from_file(text, source).to_settings()})

    def write(request: Request) -> Response:
        scenario = Query.of(request.query_params, settings).scenario
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in scenario.name)
        disposition = f'attachment; filename="{name[:80].lstrip(".") or "scenario"}.toml"'
        return PlainTextResponse(
            to_toml(scenario), media_type="application/toml", headers={"content-disposition": disposition}
        )

    async def simulate(request: Request) -> Response:
        query = Query.of(request.query_params, settings)

        async def told() -> Any:
            if not await _turn(simulating, request):
                return
            try:
                async for event in events(query, request.is_disconnected):
                    yield event
            finally:
                simulating.release()

        return StreamingResponse(told(), media_type="text/event-stream")

    async def refused(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status_code=400)

    anywhere = _is_ip(host) and ipaddress.ip_address(host).is_unspecified
    return Starlette(
        routes=[
            Route("/api/scenarios", scenarios),
            Route("/api/answer", answer),
            Route("/api/charts/{name}", chart),
            Route("/api/simulate", simulate),
            Route("/api/form", fields),
            Route("/api/runs", runs),
            Route("/api/read", read, methods=["POST"]),
            Route("/api/scenario.toml", write),
            Mount("/", StaticFiles(directory=_PAGE, html=True)),
        ],
        middleware=[
            # Another site whose name was made to point at 127.0.0.1 (DNS rebinding) says so in its Host header.
            Middleware(TrustedHostMiddleware, allowed_hosts=["*"] if anywhere else _names(host)),
            Middleware(_Guard),
        ],
        exception_handlers={BadInput: refused},
    )


async def _turn(simulating: asyncio.Lock, request: Request) -> bool:
    """Wait for the simulation before, which ends soon after its reader has left; false if this one leaves first."""
    while not await request.is_disconnected():
        try:
            return await asyncio.wait_for(simulating.acquire(), _TICK_S)
        except TimeoutError:
            continue
    return False


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
        return socket.create_server((host, port), family=family)
    except socket.gaierror:
        raise CannotRun(
            f"cannot listen on {host}: no machine of that name is known; choose another --host, like 127.0.0.1"
        ) from None
    except OSError as error:
        another = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
        raise CannotRun(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; choose another {another}"
        ) from None


def serve(settings: Settings, sock: socket.socket, host: str, *, browser: bool) -> None:
    """Serve until interrupted."""
    url = address(sock)
    server = uvicorn.Server(
        uvicorn.Config(
            create(settings, host), log_level="warning", timeout_graceful_shutdown=1, lifespan="off"
        )
    )
    if browser:
        webbrowser.open(url)
    server.run(sockets=[sock])


def address(sock: socket.socket) -> str:
    """URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
