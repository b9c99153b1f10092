"""The end-to-end job as a program of PyTorch or JAX alone: train, sample, one PNG.

python benchmarks/peer_run.py torch|torch-tuned|jax-tuned POINTS.npy OUT.png STEPS N
"""

from __future__ import annotations

import sys

import ddpm_job as job
import numpy as np

HIDDEN, BATCH = 128, 512


def picture(points: np.ndarray, path: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5))
    FigureCanvasAgg(figure)
    figure.add_subplot().scatter(*points.T, s=4, alpha=0.4)
    figure.savefig(path, dpi=150)


def main() -> None:
    library, data, out, steps, n = sys.argv[1:]
    points, params = np.load(data).astype(np.float32), job.random_weights(HIDDEN)
    if library.startswith("torch"):
        import torch
        from torch_ddpm import TorchDDPM

        model, rows = TorchDDPM(params, HIDDEN, tuned=library == "torch-tuned"), torch.from_numpy(points)
    else:
        import jax.numpy as jnp
        from jax_ddpm import JaxDDPM

        model, rows = JaxDDPM(params, HIDDEN, tuned=True, scanned=True), jnp.asarray(points)
    for _ in range(int(steps) // 100):
        model.steps(rows, BATCH, 100)
    samples = np.asarray(model.sample(int(n)))
    picture(samples, out)
    np.save(out.replace(".png", ".npy"), samples)


if __name__ == "__main__":
    main()
