"""Runs notebooks on this very interpreter, and keeps their files free of what a run leaves in them."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

FOLDER = Path(__file__).parent
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def paths() -> list[Path]:
    """All notebooks, in the order in which they are meant to be read."""
    return sorted(FOLDER.glob("[0-9]-*.ipynb"))


def opening_of(path: Path) -> Path:
    """Where the picture lies that a notebook opens with: the last one that it draws."""
    return path.parent / "opening" / f"{path.stem}.png"


def read(path: Path) -> NotebookNode:
    """A notebook, checked against the format's schema."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def stripped(notebook: NotebookNode) -> str:
    """The notebook's file as it is kept: sources and cell ids alone, written the one way there is."""
    bare_notebook = NotebookNode(cells=[], metadata=_METADATA, nbformat=4, nbformat_minor=5)
    for cell in notebook.cells:
        bare = NotebookNode(cell_type=cell.cell_type, id=cell.id, metadata={}, source=cell.source)
        if cell.cell_type == "code":
            bare |= {"execution_count": None, "outputs": []}
        bare_notebook.cells.append(bare)
    text: str = nbformat.writes(bare_notebook)
    return text.rstrip("\n") + "\n"


class ThisInterpreter(AsyncKernelManager):  # type: ignore[misc]
    """A kernel that needs no kernel specification in anybody's home."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )


def execute(notebook: NotebookNode, *, timeout: float = 180.0) -> NotebookNode:
    """Run all cells in the notebooks' own folder, as Jupyter would; gives the notebook with its outputs.

    Jupyter's and IPython's own files go into a temporary folder, and the kernel is reached by Unix sockets
    there: nothing listens beyond loopback, and nothing of theirs in the home is read or written.

    Parameters
    ----------
    timeout
        Seconds that one cell may take.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises.
    """
    with tempfile.TemporaryDirectory(prefix="nb", dir="/tmp") as folder:  # short: sockets lie in it
        sockets = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_manager_class=ThisInterpreter,
            resources={"metadata": {"path": str(FOLDER)}},
            config=Config(ThisInterpreter=sockets),
        )
        own = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        executed: NotebookNode = client.execute(env=os.environ | dict.fromkeys(own, folder))
    return executed


def errors(notebook: NotebookNode) -> list[str]:
    """What went wrong in an executed notebook, also inside its widgets, which swallow exceptions."""
    return [
        f"{output['ename']}: {output['evalue']}"
        for output in _outputs(notebook)
        if output.get("output_type") == "error"
    ]


def pictures(notebook: NotebookNode, *, of_widgets: bool = True) -> list[str]:
    """All PNG pictures of an executed notebook, base64; those inside its widgets last."""
    outputs = (
        _outputs(notebook) if of_widgets else (o for cell in notebook.cells for o in cell.get("outputs", []))
    )
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def _outputs(notebook: NotebookNode) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])
    for state in notebook.metadata.get("widgets", {}).values():
        for widget in state.get("state", {}).values():
            yield from widget["state"].get("outputs", [])
