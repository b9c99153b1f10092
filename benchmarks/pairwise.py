"""Work over all pairs of points: the exact denoiser of a data set, and distances between samples."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import torch
from timing import agree, grid, interleaved, say

from refgen import metrics
from refgen.backend import Stream
from refgen.distributions.empirical import Empirical

DATA, QUERIES, N, DIRECTIONS = 10_000, 2_000, 5_000, 128


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The tables, and the ratios that goals are stated for."""
    rounds = 5 if quick else 11
    columns = {f"std {std}": denoiser(std, rounds) for std in (0.05, 0.5)}
    head = f"exact denoiser, {DATA:,} data x {QUERIES:,} queries, ms (times refgen's)"
    tables = [grid(head, columns)]
    ratios = {f"denoiser {name}": timed.ratio for name, timed in columns["std 0.5"].items()}
    distances = [("sliced Wasserstein", sliced)]
    if hasattr(metrics, "mmd"):
        distances.append(("MMD", mmd))
    for name, function in distances:
        found = function(rounds)
        head = f"{name}, {N:,} points, ms (times refgen's)"
        tables.append(grid(head, {f"{DIRECTIONS} directions" if function is sliced else "all pairs": found}))
        ratios |= {f"{name} {who}": timed.ratio for who, timed in found.items()}
    return "\n\n".join(tables), ratios


def drawn(n: int, seed: int, dim: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)


def torch_denoiser(data, x, signal: float, std: float):
    """E[x_0 | x_t = x] as it is usually written."""
    squares = torch.cdist(x, signal * data) ** 2
    return torch.softmax(-squares / (2 * std**2), dim=1) @ data


def torch_denoiser_by_product(data, x, signal: float, std: float):
    """The same, with what all data share left out of the exponent: one matrix product."""
    logits = x @ (data.T * (signal / std**2)) - (signal**2 / (2 * std**2)) * (data**2).sum(dim=1)
    return torch.softmax(logits, dim=1) @ data


@jax.jit
def jax_denoiser(data, x, signal: float, std: float):
    logits = x @ (data.T * (signal / std**2)) - (signal**2 / (2 * std**2)) * (data**2).sum(axis=1)
    return jax.nn.softmax(logits, axis=1) @ data


@partial(jax.jit, static_argnames="rows")
def jax_denoiser_in_blocks(data, x, signal: float, std: float, rows: int = 16):
    return jax.lax.map(lambda some: jax_denoiser(data, some, signal, std), x.reshape(-1, rows, 2)).reshape(
        x.shape
    )


def denoiser(std: float, rounds: int) -> dict:
    say(f"exact denoiser, std {std}")
    signal = math.sqrt(1 - std**2)
    data, x = drawn(DATA, 0), drawn(QUERIES, 1)
    law = Empirical(data)
    t_data, t_x, j_data, j_x = torch.from_numpy(data), torch.from_numpy(x), jnp.asarray(data), jnp.asarray(x)
    work = {
        "refgen": lambda: law.posterior_mean(x, signal, std),
        "PyTorch, cdist and softmax": lambda: torch_denoiser(t_data, t_x, signal, std),
        "PyTorch, one matrix product": lambda: torch_denoiser_by_product(t_data, t_x, signal, std),
        "JAX jit": lambda: jax_denoiser(j_data, j_x, signal, std).block_until_ready(),
        "JAX jit, blocks of 16": lambda: jax_denoiser_in_blocks(j_data, j_x, signal, std).block_until_ready(),
    }
    squares = ((x[:, None].astype(np.float64) - signal * data[None]) ** 2).sum(axis=-1)
    weights = np.exp(-(squares - squares.min(axis=1, keepdims=True)) / (2 * std**2))
    exact = weights @ data / weights.sum(axis=1, keepdims=True)
    for name, function in work.items():
        agree(exact, np.asarray(function()), f"exact denoiser, {name}", 2e-3)
    return interleaved(work, rounds)


def sliced(rounds: int) -> dict:
    say("sliced Wasserstein")
    x, y, directions = drawn(N, 0), drawn(N, 1) + 1, metrics.directions(2, DIRECTIONS, Stream(0))
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
    raise NotImplementedError  # set when metrics.mmd is there
