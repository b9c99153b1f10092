"""The exact denoiser of a data set: a softmax over all data for every query."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import torch
from timing import agree, interleaved, markdown, say

from refgen.distributions.empirical import Empirical

DATA, QUERIES = 10_000, 2_000


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table, and the ratios that goals are stated for."""
    columns = {std: denoiser(std, 5 if quick else 11) for std in (0.05, 0.5)}
    rows = []
    for name in columns[0.5]:
        cells = [(found[name][0], f"{found[name][1]:.0e}") for found in columns.values()]
        rows.append([name, *(cell for pair in cells for cell in pair)])
    head = [f"{DATA:,} data, {QUERIES:,} queries, ms (times refgen's)"]
    head += [cell for std in columns for cell in (f"std {std}", "largest error")]
    return markdown(head, rows), {
        f"denoiser {name}": timed.ratio for name, (timed, _) in columns[0.5].items()
    }


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
    """Times, and the largest error against float64, by name."""
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
    errors = {}
    for name, function in work.items():
        answer = np.asarray(function())
        agree(exact, answer, f"exact denoiser, {name}", 2e-3)
        errors[name] = float(np.abs(answer - exact).max())
    return {name: (timed, errors[name]) for name, timed in interleaved(work, rounds).items()}
