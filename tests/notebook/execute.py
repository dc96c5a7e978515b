"""Executes a notebook with a real kernel and keeps what it shows: execute.py NOTEBOOK FOLDER.

Writes the executed notebook, its pictures, and `said.txt` with everything it printed.
"""

import base64
import pathlib
import sys

import nbformat
from nbclient import NotebookClient


def main() -> None:
    source, folder = map(pathlib.Path, sys.argv[1:])
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    try:
        client.execute()
    finally:
        nbformat.write(notebook, folder / source.name)
    said, pictures = [], 0
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        said.append(output.get("text", ""))
        data = output.get("data", {})
        if "image/png" in data:
            (folder / f"chart-{pictures}.png").write_bytes(base64.b64decode(data["image/png"]))
            pictures += 1
    (folder / "said.txt").write_text("".join(said))


main()
