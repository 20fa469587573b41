"""Sentences that say why runs are suspect, one for all runs of a kind."""

import re
from collections.abc import Sequence

from psmodel.wording import label
from validate.measurements.measurement import Measurement

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MOST_REASONS = 5
"""Different reasons that are named."""


def suspicions(runs: Sequence[Measurement]) -> list[str]:
    """One sentence on all suspect runs: how many, why, and the range of each reason's numbers; none without any."""
    suspect = [m for m in runs if m.suspect]
    if not suspect:
        return []
    # Reasons that differ in their numbers only are one.
    reasons: dict[tuple[str, ...], list[list[float]]] = {}
    for text in (text for m in suspect for text in m.suspect):
        reasons.setdefault(tuple(_NUMBER.split(text)), []).append([float(n) for n in _NUMBER.findall(text)])
    phrases = []
    for words, numbers in reasons.items():
        ranges = [_range(min(column), max(column)) for column in zip(*numbers, strict=True)]
        sentence = "".join(word + span for word, span in zip(words, [*ranges, ""], strict=True))
        phrases.append(f"{label(sentence, 200)} ({len(numbers)} {'run' if len(numbers) == 1 else 'runs'})")
    if len(phrases) > _MOST_REASONS:
        phrases[_MOST_REASONS:] = [f"{len(phrases) - _MOST_REASONS} reasons more"]
    return [f"{len(suspect)} of {len(runs)} runs are suspect: {'; '.join(phrases)}."]


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
