"""A Python as a cluster's hosts have it that were never told of this project."""

import subprocess
import sys
from pathlib import Path

_LOOK = """
import ray
from importlib.metadata import distribution
try:
    distribution("psmodel")
except ImportError:
    import psmodel
"""


def bare_python(folder: Path, like: Path = Path(sys.executable)) -> None:
    """Make one that finds all that `like` has installed, but for psmodel, of which it knows nothing.

    Parameters
    ----------
    like
        A virtual environment's Python.
    """
    subprocess.run([like, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (installed,) = like.parents[1].glob("lib/python3*/site-packages")
    for entry in installed.iterdir():
        if "psmodel" not in entry.name and entry.name not in ("__pycache__", "_virtualenv.pth"):
            (site / entry.name).symlink_to(entry)
    ran = subprocess.run([folder / "bin/python", "-c", _LOOK], capture_output=True, text=True, cwd=folder)
    assert "No module named 'psmodel'" in ran.stderr, ran.stderr
