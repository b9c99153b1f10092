"""The floor: the bare matrix products of a network, which no implementation on this BLAS can beat."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from refgen.threads import run_parts

__all__ = ["bare_products"]


def bare_products(
    rows: int, sizes: list[int], threads: int, gradients: bool = True, times: int = 1
) -> Callable[[], object]:
    """A call that does a network's matrix products, and its gradient's, `times` over; rows shared by threads.

    sizes: widths of the layers, the input's first. float32, into arrays that are there.
    """
    rng = np.random.default_rng(0)

    def drawn(a: int, b: int) -> np.ndarray:
        return rng.standard_normal((a, b), dtype=np.float32)

    weights = [drawn(a, b) for a, b in itertools.pairwise(sizes)]

    def part() -> tuple:
        layers = [drawn(rows // threads, size) for size in sizes]
        return (
            layers,
            [np.empty_like(layer) for layer in layers],
            [np.empty_like(weight) for weight in weights],
        )

    def products(layers: list, out: list, grads: list) -> None:
        for _ in range(times):
            for k, weight in enumerate(weights):
                np.matmul(layers[k], weight, out=out[k + 1])
            for k in reversed(range(len(weights) if gradients else 0)):
                np.matmul(layers[k].T, layers[k + 1], out=grads[k])
                if k:
                    np.matmul(layers[k + 1], weights[k].T, out=out[k])

    parts = [part() for _ in range(threads)]
    return lambda: run_parts(products, parts)
