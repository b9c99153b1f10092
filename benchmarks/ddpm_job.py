"""The job that refgen, PyTorch and JAX do: DDPM as in Ho et al. 2020, in two dimensions, float32.

T = 1000 levels, beta from 1e-4 to 0.02; sines and cosines of the log-SNR as 64 features; three hidden layers
with SiLU; Adam. The peers take these constants from here and nothing from refgen, so that they start as fast
as they can; `step.py` checks that they are refgen's.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

__all__ = [
    "DIM",
    "FEATURES",
    "FREQUENCIES",
    "LAYERS",
    "LEVELS",
    "LR",
    "T",
    "random_weights",
    "shapes",
    "views",
]

DIM, T, FEATURES, LAYERS, LR = 2, 1000, 64, 3, 2e-3
FREQUENCIES = (2 * np.pi / np.geomspace(100.0, 4.0, FEATURES // 2)).astype(np.float32)


def _levels() -> dict[str, np.ndarray]:
    """What is looked up at t = 0..T, float32, index 0 never asked for."""
    beta = np.concatenate([[0.5], np.linspace(1e-4, 0.02, T)])
    alpha_bar = np.concatenate([[0.5], np.cumprod(1 - beta[1:])])
    noise = np.where(np.arange(T + 1) > 1, np.sqrt(beta), 0.0)  # the last step adds none
    found = {
        "signal": np.sqrt(alpha_bar),
        "std": np.sqrt(1 - alpha_bar),
        "log_snr": np.clip(np.log(alpha_bar / (1 - alpha_bar)), -20, 25),
        "scale": 1 / np.sqrt(1 - beta),  # x_s = scale (x_t - part eps) + noise z
        "part": beta / np.sqrt(1 - alpha_bar),
        "noise": noise,
    }
    angles = found["log_snr"][:, None].astype(np.float32) * FREQUENCIES
    found["features"] = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return {name: array.astype(np.float32) for name, array in found.items()}


LEVELS = _levels()


def shapes(hidden: int) -> list[tuple[int, ...]]:
    """Weights (in, out) and bias (out,) of each layer."""
    widths = [DIM + FEATURES, *[hidden] * LAYERS, DIM]
    return [shape for a, b in itertools.pairwise(widths) for shape in ((a, b), (b,))]


def views(params: np.ndarray, hidden: int) -> list[np.ndarray]:
    """The weights and biases in refgen's flat vector."""
    edges = np.cumsum([0, *(math.prod(shape) for shape in shapes(hidden))])
    return [
        params[a:b].reshape(shape)
        for (a, b), shape in zip(itertools.pairwise(edges), shapes(hidden), strict=True)
    ]


def random_weights(hidden: int, seed: int = 0) -> np.ndarray:
    """A flat vector of normal weights of variance 1 / fan-in, small biases."""
    rng = np.random.default_rng(seed)
    params = rng.standard_normal(sum(map(math.prod, shapes(hidden))), dtype=np.float32)
    for part in views(params, hidden):
        part *= 1 / np.sqrt(len(part)) if part.ndim == 2 else 0.01
    return params
