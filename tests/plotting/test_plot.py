"""Pictures: whole, told apart without colour, and of the data that they were given."""

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from psmodel.errors import BadInput
from psmodel.plotting import charts as plot
from psmodel.scenario import load
from psmodel.whatif.explanations import explain
from psmodel.whatif.plans import plan
from psmodel.whatif.sweeps import grid, sweep

BASE = load("ingress-sharded", workers=20, compute="20 ms")
ROWS = sweep(BASE, grid("shards=1:64:x2", "workers=5,10,20")).to_rows()
PLAN = plan(BASE, grid("shards=1:20:1", "machine=c5.9xlarge,c5n.9xlarge"), ["iteration_time<=0.3s"])
FIGURES: dict[str, Callable[[], Figure]] = {
    "tornado": lambda: plot.tornado(explain(BASE)),
    "pareto": lambda: plot.pareto(PLAN),
    "curves": lambda: plot.curves(ROWS, x="shards", by="workers"),
    "map": lambda: plot.bottleneck_map(BASE),
}


def texts(figure: Figure) -> set[str]:
    return {t.get_text() for t in figure.findobj(Text) if t.get_text()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off(name: str) -> None:
    figure = FIGURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    assert min(box.x0, box.y0) >= -0.02
    assert box.x1 <= figure.get_figwidth() + 0.02
    assert box.y1 <= figure.get_figheight() + 0.02


def test_labels_say_what_colour_says() -> None:
    assert {"workers = 5", "workers = 10", "workers = 20"} <= texts(FIGURES["curves"]())
    assert {"shard ingress", "worker egress"} <= texts(FIGURES["map"]())
    assert "target 300 ms" in texts(FIGURES["pareto"]())
    changes = {gain.change for gain in explain(BASE).gains}
    assert changes <= texts(FIGURES["tornado"]())


def test_lines_are_the_rows() -> None:
    axes = FIGURES["curves"]().axes[0]
    for line, workers in zip(axes.lines, (5, 10, 20), strict=True):
        expected = [(r["shards"], r["iteration_time_s"]) for r in ROWS if r["workers"] == workers]
        assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_picture_is_saved(tmp_path: Path, suffix: str) -> None:
    plot.save(FIGURES["tornado"](), tmp_path / f"t.{suffix}")
    assert (tmp_path / f"t.{suffix}").stat().st_size > 1000


@pytest.mark.parametrize("name", ["t.bmp", "t", "absent/t.png"])
def test_a_bad_name_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=name.partition("/")[0]):
        plot.save(FIGURES["tornado"](), tmp_path / name)


@pytest.mark.parametrize(
    ("axis", "x", "label", "ticks"),
    [
        ("bandwidth=10Gbps:40Gbps:10Gbps", "bandwidth", "bandwidth (bit/s)", {"20 Gbit/s", "40 Gbit/s"}),
        ("compute=0,1s", "compute", "compute (s)", {"0 s", "1 s"}),
        ("compute=1s", "compute", "compute (s)", {"1 s"}),
        ("model_size=8MB,800MB", "model_size", "model size (bytes)", {"10 MB", "100 MB"}),
    ],
)
def test_axes_have_units_and_every_point(axis: str, x: str, label: str, ticks: set[str]) -> None:
    rows = sweep(BASE, grid(axis)).to_rows()
    figure = plot.curves(rows, x=x)
    figure.draw_without_rendering()  # type: ignore[no-untyped-call]
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (label, "iteration time (s)")
    assert ticks <= {text.get_text() for text in axes.get_xticklabels()}
    low, high = axes.get_xlim()
    assert all(low <= row[x] <= high for row in rows)
    bottom, top = axes.get_ylim()
    assert sum(bottom <= at <= top for at in axes.get_yticks()) >= 2


def test_nothing_to_draw_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="no key varies"):
        plot.curves(sweep(BASE, grid()).to_rows(), x="")
