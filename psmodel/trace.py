"""Spans of a run, simulated or real, as a Chrome trace that Perfetto opens.

Format: "Trace Event Format" (Google, 2016), a strict subset: complete (``X``) events where a row does one thing
at a time, async (``b``/``e``) events where spans may overlap, and metadata (``M``) that names the rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Span:
    """Something that lasted.

    Attributes
    ----------
    row
        Where it belongs: ``worker-3``, ``shard-0`` or a link such as ``shard-0.down``.
    start_s, end_s
        Seconds since the start of the run.
    overlapping
        True if spans of this row may lie over each other (transfers on a link).
    """

    row: str
    name: str
    start_s: float
    end_s: float
    overlapping: bool = False
    args: Mapping[str, Any] = field(default_factory=dict)


_GROUPS = ("worker", "shard", "link")


def _group(span: Span) -> int:
    if span.overlapping:
        return _GROUPS.index("link")
    return _GROUPS.index("worker" if span.row.startswith("worker") else "shard")


def _natural(row: str) -> tuple[Any, ...]:
    return tuple(int(part) if part.isdigit() else part for part in row.replace(".", "-").split("-"))


def _title(row: str, alike: Mapping[str, tuple[int, int]]) -> str:
    """
    >>> _title("worker-0.up", {"worker-0.up": (0, 100)})
    'worker-0…99.up (100 alike)'
    """
    first, count = alike.get(row, (0, 1))
    if count == 1:
        return row
    role, _, rest = row.partition("-")
    _, dot, way = rest.partition(".")
    return f"{role}-{first}…{first + count - 1}{dot}{way} ({count} alike)"


def chrome_trace(
    spans: Iterable[Span],
    metadata: Mapping[str, Any] | None = None,
    alike: Mapping[str, tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """The JSON object of a trace: one process per kind (workers, shards, links), one thread per row.

    Parameters
    ----------
    alike
        Row → the first and the number of those to which the very same happens, where one row stands for them.
    """
    spans = list(spans)
    alike = alike or {}
    rows = sorted({(_group(s), s.row) for s in spans}, key=lambda r: (r[0], _natural(r[1])))
    thread = {row: index for index, row in enumerate(rows, start=1)}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": g + 1, "tid": 0, "args": {"name": f"{kind}s"}}
        for g, kind in enumerate(_GROUPS)
        if any(row[0] == g for row in rows)
    ]
    events += [
        {
            "ph": "M",
            "name": "thread_name",
            "pid": g + 1,
            "tid": thread[g, row],
            "args": {"name": _title(row, alike)},
        }
        for g, row in rows
    ]
    for number, span in enumerate(spans):
        g = _group(span)
        common = {"name": span.name, "cat": _GROUPS[g], "pid": g + 1, "tid": thread[g, span.row]}
        start, end = span.start_s * 1e6, span.end_s * 1e6
        if span.overlapping:
            events.append({"ph": "b", "id": number, "ts": start, "args": dict(span.args), **common})
            events.append({"ph": "e", "id": number, "ts": end, **common})
        else:
            events.append({"ph": "X", "ts": start, "dur": end - start, "args": dict(span.args), **common})
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": dict(metadata or {})}
