"""What the page's server answers: a function for each address, over settings that may change with the store."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from psmodel.app import overlay
from psmodel.app.answers import CHARTS, answered, listed, sampled
from psmodel.app.event_stream import events
from psmodel.app.files import MOST_BYTES, from_file, to_toml
from psmodel.app.form_keys import form
from psmodel.app.live_settings import LiveSettings
from psmodel.app.query import Query
from psmodel.app.runs import compared
from psmodel.errors import BadInput, UserError
from psmodel.plotting import palette
from psmodel.predictors import intervals
from psmodel.results import Metrics

_MOST_UPLOAD = 1 << 20
_TICK_S = 0.25
_AT_ONCE = 2
"""Draws that are predicted before it is looked again whether anybody still waits."""


class Routes:
    """The addresses of one server; all but `simulate`, one at a time, may be asked at once."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._simulating = asyncio.Lock()

    def all(self) -> list[Route]:
        """Address → what answers it."""
        return [
            Route("/palette.css", self.colours),
            Route("/api/scenarios", self.scenarios),
            Route("/api/answer", self.answer),
            Route("/api/shown", self.shown),
            Route("/api/intervals", self.intervals),
            Route("/api/all", self.everything),
            Route("/api/simulate", self.simulate),
            Route("/api/form", self.fields),
            Route("/api/runs", self.runs),
            Route("/api/progress", self.progress),
            Route("/api/drift", self.drift),
            Route("/api/read", self.read, methods=["POST"]),
            Route("/api/scenario.toml", self.write),
        ]

    def _query(self, request: Request) -> Query:
        return Query.of(request.query_params, self._settings.last)

    def colours(self, _: Request) -> Response:
        """The colours of every page."""
        return PlainTextResponse(palette.css(), media_type="text/css")

    def scenarios(self, _: Request) -> Response:
        """What can be chosen."""
        return JSONResponse(listed(self._settings.now()))

    def answer(self, request: Request) -> Response:
        """The numbers of one scenario."""
        return JSONResponse(answered(self._query(request)))

    def shown(self, request: Request) -> Response:
        """The numbers of one scenario, then its charts: a line of JSON for each, as soon as it is known."""
        query = self._query(request)
        return StreamingResponse(_lines(query, answered(query)), media_type="application/x-ndjson")

    async def intervals(self, request: Request) -> Response:
        """Metric → the interval that a fit's uncertainty leaves; not worked out further for a reader who has left."""
        query = self._query(request)
        draws = query.settings.calibrated.draws
        samples: list[Metrics] = []
        for begin in range(0, len(draws), _AT_ONCE):
            if await _gone(request):
                break
            samples += await run_in_threadpool(sampled, query, draws[begin : begin + _AT_ONCE])
        return JSONResponse(intervals(samples))

    def everything(self, request: Request) -> Response:
        """Numbers, intervals and charts of one scenario, to take along."""
        query = self._query(request)
        samples = sampled(query, query.settings.calibrated.draws)
        charts = {name: compute(query) for name, compute in CHARTS.items()}
        return JSONResponse({**answered(query), "intervals": intervals(samples), "charts": charts})

    def fields(self, _: Request) -> Response:
        """The form for every key."""
        return JSONResponse(form())

    def runs(self, _: Request) -> Response:
        """Suite by suite, predicted and measured."""
        return JSONResponse(compared(self._settings.now()))

    def progress(self, _: Request) -> Response:
        """The suites that are being run, and whether there is more to be read."""
        store = self._settings.last.store
        suites = () if store is None else overlay.underway(store)
        return JSONResponse({"state": self._settings.state, "suites": [asdict(suite) for suite in suites]})

    def drift(self, _: Request) -> Response:
        """Where times have stepped; null where nothing tells."""
        store = self._settings.last.store
        drift = None if store is None else overlay.drift(store)
        return JSONResponse(None if drift is None else asdict(drift))

    async def read(self, request: Request) -> Response:
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

    def write(self, request: Request) -> Response:
        """The scenario as a file to take along."""
        scenario = self._query(request).scenario
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in scenario.name)
        disposition = f'attachment; filename="{name[:80].lstrip(".") or "scenario"}.toml"'
        return PlainTextResponse(
            to_toml(scenario), media_type="application/toml", headers={"content-disposition": disposition}
        )

    async def simulate(self, request: Request) -> Response:
        """Progress of a simulation, and its result."""
        query = self._query(request)

        async def told() -> AsyncIterator[str]:
            if not await self._turn(request):
                return
            try:
                async for event in events(query, lambda: _gone(request)):
                    yield event
            finally:
                self._simulating.release()

        return StreamingResponse(told(), media_type="text/event-stream")

    async def _turn(self, request: Request) -> bool:
        """Wait for the simulation before, which ends soon after its reader has left; false if this one leaves first."""
        while not await _gone(request):
            try:
                return await asyncio.wait_for(self._simulating.acquire(), _TICK_S)
            except TimeoutError:
                continue
        return False


async def _gone(request: Request) -> bool:
    """Whether nobody waits any more: the reader has left, or the server is about to."""
    return request.app.state.ending or await request.is_disconnected()


def _lines(query: Query, numbers: dict[str, Any]) -> Iterator[bytes]:
    """The numbers; then each chart's name and values, or a sentence instead of them."""
    yield _line(numbers)
    for name, compute in CHARTS.items():
        try:
            yield _line({"chart": name, "values": compute(query)})
        except UserError as error:
            yield _line({"chart": name, "values": None, "instead": str(error)})


def _line(content: dict[str, Any]) -> bytes:
    return bytes(JSONResponse(content).body) + b"\n"


async def refused(_: Request, error: Exception) -> Response:
    """Bad input is told in its sentence."""
    message: dict[str, Any] = {"error": str(error)}
    return JSONResponse(message, status_code=400)
