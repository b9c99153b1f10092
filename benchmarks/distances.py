"""Distances between two samples of 5,000 points: sliced Wasserstein, and the maximum mean discrepancy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import torch
from timing import agree, grid, interleaved, say

from refgen import metrics
from refgen.backend import Stream

N, DIRECTIONS = 5_000, 128


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The tables, and the ratios that goals are stated for."""
    rounds = 5 if quick else 11
    found = {"sliced Wasserstein": sliced(rounds), "MMD": mmd(rounds)}
    notes = {"sliced Wasserstein": f"{DIRECTIONS} directions", "MMD": "one Gaussian kernel"}
    tables = [
        grid(f"{name}, {N:,} points, ms (times refgen's)", {notes[name]: timed})
        for name, timed in found.items()
    ]
    ratios = {f"{name} {who}": one.ratio for name, timed in found.items() for who, one in timed.items()}
    return "\n\n".join(tables), ratios


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Two samples, (N, 2) float32, whose means differ by (1, 1)."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, 2), dtype=np.float32), rng.standard_normal((N, 2), dtype=np.float32) + 1


def sliced(rounds: int) -> dict:
    say("sliced Wasserstein")
    (x, y), directions = samples(), metrics.directions(2, DIRECTIONS, Stream(0))
    narrow = directions.astype(np.float32)
    t_x, t_y, t_d = (torch.from_numpy(array.copy()) for array in (x, y, narrow))
    j_x, j_y, j_d = (jnp.asarray(array) for array in (x, y, narrow))

    def by_rows(points):
        return (t_d.T @ points.T).sort(dim=1).values

    @jax.jit
    def in_jax(x, y, d):
        return jnp.abs(jnp.sort(d.T @ x.T, axis=1) - jnp.sort(d.T @ y.T, axis=1)).mean()

    def as_usual():
        return ((t_x @ t_d).sort(dim=0).values - (t_y @ t_d).sort(dim=0).values).abs().mean()

    work = {
        "refgen": lambda: metrics.sliced_wasserstein(x, y, directions),
        "PyTorch": as_usual,
        "PyTorch, sorted along rows": lambda: (by_rows(t_x) - by_rows(t_y)).abs().mean(),
        "JAX jit": lambda: in_jax(j_x, j_y, j_d).block_until_ready(),
    }
    for name, function in work.items():
        agree([work["refgen"]()], [float(function())], f"sliced Wasserstein, {name}")
    return interleaved(work, rounds)


def mmd(rounds: int) -> dict:
    say("MMD")
    x, y = samples()
    t_x, t_y, j_x, j_y = torch.from_numpy(x), torch.from_numpy(y), jnp.asarray(x), jnp.asarray(y)

    def in_torch(kernel_sum):
        within = (kernel_sum(t_x, t_x) + kernel_sum(t_y, t_y) - 2 * N) / (N * (N - 1))
        return within - 2 * kernel_sum(t_x, t_y) / N**2

    def by_cdist(a, b):
        return torch.exp(-(torch.cdist(a, b) ** 2) / 2).sum(dtype=torch.float64)

    def by_product(a, b):
        half_squares = (b**2).sum(dim=1) / 2
        return torch.addmm(-half_squares, a, b.T).sub_((a**2).sum(dim=1)[:, None] / 2).exp_().sum()

    def row_sum(a, b):
        return jnp.exp(-((a - b) ** 2).sum(axis=-1) / 2).sum()

    @jax.jit
    def in_jax(x, y):
        def kernel_sum(a, b):  # a row at a time in cache, vectorised over 50
            return jax.lax.map(lambda row: row_sum(row, b), a, batch_size=50).sum()

        within = (kernel_sum(x, x) + kernel_sum(y, y) - 2 * N) / (N * (N - 1))
        return within - 2 * kernel_sum(x, y) / N**2

    work = {
        "refgen": lambda: metrics.mmd(x, y),
        "PyTorch": lambda: in_torch(by_cdist),
        "PyTorch, one matrix product": lambda: in_torch(by_product),
        "JAX jit, blocks of 50": lambda: in_jax(j_x, j_y).block_until_ready(),
    }
    for name, function in work.items():
        agree([work["refgen"]()], [float(function())], f"MMD, {name}")
    return interleaved(work, rounds)
