"""Writing points to a file, in the format that its suffix names."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from refgen.checkpoints import replace_file

__all__ = ["check_suffix", "write_points"]

SUFFIXES = (".csv", ".npy", ".npz", ".png")


def check_suffix(path: Path, dim: int) -> None:
    """Raise ValueError where `write_points` does not know the suffix, or not for points of that dimension;
    before any work is done."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"--out is {str(path)!r}; it must end in {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".png" and dim != 2:
        raise ValueError(f"--out is {str(path)!r}; the points have dimension {dim}, and a picture needs 2")


def write_points(path: Path, points: np.ndarray) -> None:
    """Write points (n, d), whole or not at all. CSV has a header x_1, ..., x_d; NPZ the array `x`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    if suffix == ".png":
        from refgen import plots

        plots.save(plots.cloud(points), path)
        return
    buffer = io.BytesIO()
    if suffix == ".csv":
        header = ",".join(f"x_{i + 1}" for i in range(points.shape[1]))
        np.savetxt(buffer, points, fmt="%.9g", delimiter=",", header=header, comments="")
    elif suffix == ".npy":
        np.save(buffer, points)
    else:
        np.savez(buffer, x=points)
    replace_file(path, lambda file: file.write(buffer.getvalue()))
