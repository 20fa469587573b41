"""Parse a row of a store; everything is checked before it is used."""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psmodel.scenario import Scenario
from psmodel.wording import label
from validate.measurements.measurement import Measurement
from validate.measurements.record_check import most_bytes

_SHOWN = 3
"""Damaged rows that a sentence lists."""


class Damaged(Exception):
    """A row that cannot be read; the message says why."""


def damage_of(damaged: Sequence[tuple[str, str]], path: Path) -> tuple[str, ...]:
    """A sentence on entries of a file that are left out, given which and why; none if there are none."""
    if not damaged:
        return ()
    some = "; ".join(f"{which}: {label(reason, 200)}" for which, reason in damaged[:_SHOWN])
    more = f"; and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
    verb = "run is" if len(damaged) == 1 else "runs are"
    return (f"{len(damaged)} {verb} left out that cannot be read in {path} ({some}{more})",)


def checksum_of(record: str, samples: bytes) -> str:
    """Of what a row holds, SHA-256."""
    return hashlib.sha256(record.encode() + b"\0" + samples).hexdigest()


def measurement_of(record: Any, samples: Any, checksum: str | None) -> Measurement:
    """What a row holds.

    Raises
    ------
    Damaged
        If it holds no whole run.
    """
    # We write nothing but ASCII; other letters are bytes that something has changed.
    if not record.isascii():
        raise Damaged("its record has been changed")
    if checksum is not None and checksum != checksum_of(record, samples):
        raise Damaged("its checksum is another one: something has changed it")
    try:
        values = json.loads(record)
        scenario = values.get("scenario") if isinstance(values, dict) else None
        if not isinstance(scenario, dict):
            raise Damaged("its record is no JSON object with a scenario")
        arrays = _unpacked(samples, most_bytes(Scenario.from_json(scenario)))
        return Measurement.from_record(values, arrays)
    except (ValueError, RecursionError, EOFError, OSError, MemoryError, KeyError) as error:
        raise Damaged(str(error) or type(error).__name__) from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, struct.error) as error:
        raise Damaged(f"its samples cannot be unpacked: {error}") from None


def _unpacked(samples: bytes, most: int) -> dict[str, NDArray[Any]]:
    """Name → array of what `Store.add` packed; nothing that unpacks to more than such a run has is unpacked."""
    with zipfile.ZipFile(io.BytesIO(samples)) as packed:
        if any(about.file_size > most for about in packed.infolist()):
            raise ValueError("its samples are more than its scenario makes")
    with np.load(io.BytesIO(samples), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
