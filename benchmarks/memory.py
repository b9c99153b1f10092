"""Peak memory, each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from timing import markdown, say

SAMPLES, DATA, QUERIES = 10**6, 100_000, 2_000

IMPORTS = """
import numpy as np
from refgen.backend import Stream
from refgen.distributions.empirical import Empirical
from refgen.models import named
model = named("ddpm")
"""
POINTS = f"""
data, x = (np.random.default_rng(0).standard_normal((n, 2), dtype="f4") for n in ({DATA}, {QUERIES}))
"""
CASES = {
    "refgen, imported": IMPORTS,
    f"refgen, {SAMPLES:,} samples, 5 steps": IMPORTS
    + f"model.sample(model.init(Stream(0)), {SAMPLES}, Stream(1), steps=5)",
    f"`refgen sample --n {SAMPLES} --steps 5 --out x.npy`": """
import os, sys
from refgen.cli import main
main(["sample", "RUN", "--n", "SAMPLES", "--steps", "5", "--out", "x.npy"], standalone_mode=False)
""".replace("SAMPLES", str(SAMPLES)),
    f"refgen, exact denoiser, {DATA:,} data, {QUERIES:,} queries": IMPORTS
    + POINTS
    + "Empirical(data).posterior_mean(x, 0.9, 0.4)",
    f"refgen, its exact score, {DATA:,} data, {QUERIES:,} queries": IMPORTS
    + POINTS
    + "Empirical(data).diffused(0.9, 0.4).score(x)",
    "PyTorch, imported": "import torch",
    f"PyTorch, the denoiser by cdist and softmax, {DATA:,} data, {QUERIES:,} queries": f"""
import numpy as np, torch
{POINTS}
data, x = torch.from_numpy(data), torch.from_numpy(x)
torch.softmax(-torch.cdist(x, 0.9 * data) ** 2 / 0.32, dim=1) @ data
""",
}
PEAK = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table; ratios are in GiB."""
    say("peak memory")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        train = ["train", "ddpm", "--data", "moons", "--steps", "20", "--out", "RUN"]
        refgen = str(Path(sys.executable).parent / "refgen")
        subprocess.run([refgen, *train], cwd=folder, check=True, capture_output=True)
        for name, code in CASES.items():
            command = [sys.executable, "-c", code + PEAK]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name} failed: {done.stderr[-1000:]}")
            found[name] = int(done.stdout.split()[-1]) / 1024  # kB to MiB
    rows = [[name, f"{peak:.0f}"] for name, peak in found.items()]
    ours = [peak for name, peak in found.items() if "refgen" in name]
    return markdown(["job", "peak MiB"], rows), {"largest memory GiB": max(ours) / 1024}
