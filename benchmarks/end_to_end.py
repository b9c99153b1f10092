"""The whole job as a user runs it, each side a program of its own: 5,000 training steps on moons, 2,000
samples, one PNG."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from timing import interleaved, markdown, say

from refgen import distributions, metrics
from refgen.backend import Stream

FILES = ["refgen", "torch", "torch-tuned", "jax-tuned"]
N, HERE = 2000, Path(__file__).parent
REFGEN = Path(sys.executable).parent / "refgen"


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table, and the ratios that goals are stated for."""
    steps, law = 500 if quick else 5000, distributions.load("moons").standardised()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "points.npy", law.sample(Stream(0), 20_000).astype(np.float32))
        count = iter(range(1000))

        def refgen() -> None:
            run = str(folder / f"run{next(count)}")
            train = [
                "train",
                "ddpm",
                "--data",
                str(folder / "points.npy"),
                "--steps",
                str(steps),
                "--out",
                run,
            ]
            call(str(REFGEN), *train)
            call(str(REFGEN), "sample", run, "--n", str(N), "--out", str(folder / "refgen.png"))

        def peer(library: str) -> None:
            program = [sys.executable, str(HERE / "peer_run.py"), library, str(folder / "points.npy")]
            call(*program, str(folder / f"{library}.png"), str(steps), str(N))

        say(f"end to end, {steps} steps")
        work = {
            "refgen": refgen,
            "PyTorch eager": lambda: peer("torch"),
            "PyTorch eager, tuned": lambda: peer("torch-tuned"),
            "JAX scan, tuned": lambda: peer("jax-tuned"),
        }
        found = interleaved(work, rounds=1 if quick else 3, warm=0)
        call(str(REFGEN), "sample", str(folder / "run0"), "--n", str(N), "--out", str(folder / "refgen.npy"))
        theta, exact = metrics.directions(2, 128, Stream(0)), law.sample(Stream(1), N).astype(np.float32)
        rows = [
            [who, f"{timed.ms / 1000:.1f}", f"{timed.ratio:.2f}", f"{distance:.3f}"]
            for (who, timed), file in zip(found.items(), FILES, strict=True)
            for distance in [metrics.sliced_wasserstein(np.load(folder / f"{file}.npy"), exact, theta)]
        ]
    header = [f"{steps:,} steps, {N:,} samples, a PNG", "s", "times refgen's", "distance to the truth"]
    return markdown(header, rows), {f"end to end {who}": timed.ratio for who, timed in found.items()}


def call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stderr[-1000:]}")
