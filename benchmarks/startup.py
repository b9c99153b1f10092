"""What `refgen --help` takes beyond Python's own start."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from timing import interleaved, markdown, say

REFGEN = str(Path(sys.executable).parent / "refgen")


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table; the ratio is in seconds beyond Python's own start."""
    say("start-up")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "refgen --help": [REFGEN, "--help"],
        "refgen train --help": [REFGEN, "train", "--help"],
        "refgen datasets": [REFGEN, "datasets"],
        "refgen equations POST-5/mean": [REFGEN, "equations", "POST-5/mean"],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
    }
    if importlib.util.find_spec("torch"):
        commands["python -c 'import torch'"] = [sys.executable, "-c", "import torch"]
    work = {
        name: lambda command=command: subprocess.run(command, capture_output=True, check=True)
        for name, command in commands.items()
    }
    found = interleaved(work, rounds=5 if quick else 15)
    own = found["python -c pass"].ms
    rows = [[f"`{name}`", f"{timed.ms:.0f}", f"{timed.ms - own:.0f}"] for name, timed in found.items()]
    ratios = {"--help seconds": (found["refgen --help"].ms - own) / 1000}
    return markdown(["command", "ms", "beyond Python's start"], rows), ratios
