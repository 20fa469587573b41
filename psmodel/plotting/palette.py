"""The one palette of pages, reports and pictures, as numbers and as style sheet; nothing here draws.

Hues are those of Okabe & Ito (2008), "Color Universal Design", which colour-blind readers tell apart. What colour says,
a marker, a dash, a hatch or a label says too.
"""

from collections.abc import Mapping

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#767676"
INK, MUTED, SILVER, FAINT = "#1A1A1A", "#5F5F5F", "#BBBBBB", "#EEEEEE"
"""On paper: text and frames, what stands back, quiet areas, bands behind the data."""
PREDICTED, MEASURED = BLUE, VERMILION

PHASES: Mapping[str, str] = {
    "pull": SKY,
    "compute": GREEN,
    "push": ORANGE,
    "wait": SILVER,
    "update": PURPLE,
}
"""Phase of an iteration → colour of its bars, wherever there are any."""
HATCHES: Mapping[str, str] = {"pull": "\\\\\\\\", "push": "////", "wait": "....", "update": "xxxx"}
"""Phase → Matplotlib's hatch; computing has none."""
METRICS: Mapping[str, tuple[str, str]] = {
    "iteration_time_s": (BLUE, "o"),
    "push_time_s": (PHASES["push"], "s"),
    "pull_time_s": (PHASES["pull"], "^"),
    "ingress_time_s": (PURPLE, "D"),
    "recovery_time_s": (VERMILION, "v"),
}
"""Metric → colour and marker of its points."""
FILLS = (
    (BLUE, ""), (ORANGE, "//"), (GREEN, ".."), (PURPLE, "xx"), (SKY, "\\\\"), (YELLOW, "--"), (GREY, "++"),
)  # fmt: skip
"""Areas that are told apart, the most important first: colour and hatch."""

THEMES: Mapping[str, Mapping[str, str]] = {
    "light": {
        "back": "#F6F7F8", "card": "#FFFFFF", "text": INK, "quiet": "#565B61", "line": "#D5D9DD", "grid": "#E6E8EA",
        "accent": BLUE, "on-accent": "#FFFFFF", "bad": "#A33B00", "good": "#00704F", "tint": "#EAF3F9",
        "first": BLUE, "second": PURPLE, "measured": VERMILION,
    },
    "dark": {
        "back": "#141618", "card": "#1E2124", "text": "#ECEEF0", "quiet": "#A9B0B7", "line": "#3A3F44",
        "grid": "#2E3236", "accent": SKY, "on-accent": "#10202B", "bad": "#FF9D66", "good": "#3DDBA6",
        "tint": "#22303A", "first": SKY, "second": PURPLE, "measured": ORANGE,
    },
}  # fmt: skip
"""Theme → the colours of a page: grounds, text, lines, and what stands for good, bad and the first two curves."""
_ON_PAPER: Mapping[str, str] = {
    INK: "text", "#000000": "text", MUTED: "quiet", FAINT: "grid", "#FFFFFF": "card",
}  # fmt: skip


def css() -> str:
    """The palette as custom properties of a page, with what a dark screen has instead."""
    hues = {
        "blue": BLUE, "orange": ORANGE, "green": GREEN, "vermilion": VERMILION, "purple": PURPLE, "sky": SKY,
        "yellow": YELLOW, "grey": GREY, **{f"phase-{phase}": colour for phase, colour in PHASES.items()},
    }  # fmt: skip
    light, dark = (
        " ".join(f"--{name}: {colour};" for name, colour in colours.items())
        for colours in ({**hues, **THEMES["light"]}, THEMES["dark"])
    )
    return f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def on_a_page(svg: str) -> str:
    """A picture's grounds, text and lines in the colours of the page that it stands in, light or dark."""
    for colour, name in _ON_PAPER.items():
        code = colour.lower()  # as Matplotlib writes it
        svg = svg.replace(f": {code}", f": var(--{name}, {code})")
    return svg
