"""Runs the example notebook on Fashion-MNIST."""

import os
import pathlib
import time

import nbclient
import nbformat

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "examples" / "python" / "first_steps.ipynb"


def test_first_steps(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "commit the notebook without outputs"
    begin = time.monotonic()
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    seconds = time.monotonic() - begin
    printed = "".join(output["text"] for cell in notebook.cells for output in cell.get("outputs", [])
                      if output["output_type"] == "stream" and output["name"] == "stdout")
    assert "epoch 3/3  train loss" in printed, "progress lines appear in the notebook"
    results = [output["data"]["text/plain"] for cell in notebook.cells for output in cell.get("outputs", [])
               if output["output_type"] == "execute_result"]
    assert any("all agree" in text for text in results)
    accuracy = next(float(text) for text in results if text.startswith("0."))
    assert accuracy > 0.75
    print(f"{seconds:.0f} s")
    assert os.environ.get("CI") or seconds < 60
