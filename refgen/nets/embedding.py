"""How a network is told the noise level: sines and cosines of the log-SNR."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd.tracer import isbox

from refgen.autodiff import array_module

__all__ = ["HIGHEST", "LOWEST", "embedding", "frequencies"]

Array = Any

LOWEST, HIGHEST = -20.0, 25.0  # beyond these log-SNRs nothing about the noise level matters any more


def frequencies(width: int, shortest: float = 4.0, longest: float = 100.0) -> onp.ndarray:
    """width / 2 angular frequencies, wavelengths spaced evenly in the logarithm; float32.

    A denoiser changes on a scale of a few units of log-SNR and the whole range is about 45, hence the ends.
    width: an even number >= 2, else ValueError.
    """
    if width < 2 or width % 2:
        raise ValueError(f"width is {width}; an embedding of sines and cosines needs an even number >= 2")
    wavelengths = onp.geomspace(longest, shortest, width // 2)
    return (2 * math.pi / wavelengths).astype(onp.float32)


@cache
def _frequencies(width: int, dtype: Any, xp: Any) -> Array:
    """The frequencies where xp makes its arrays, moved there once."""
    return xp.asarray(frequencies(width).astype(dtype))


def embedding(log_snr: Array, width: int, dtype: Any = onp.float32, xp: Any = onp) -> Array:
    """Sinusoidal features of the log-SNR, clipped to [-20, 25].

    log_snr: a number or an array (n,) or (n, 1). Returns (1, width) for a number, made by xp, else
    (n, width), where the array is.
    """
    if isinstance(log_snr, int | float):
        column = min(max(float(log_snr), LOWEST), HIGHEST)
    else:
        xp = array_module(log_snr)
        if not isbox(log_snr):
            log_snr = xp.asarray(log_snr, dtype)
        column = np.reshape(np.clip(log_snr, LOWEST, HIGHEST), (-1, 1))
    angles = np.reshape(column * _frequencies(width, onp.dtype(dtype), xp), (-1, width // 2))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
