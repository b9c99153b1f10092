"""How refgen's cost grows: time against size, and the slope of its logarithm against the size's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from timing import interleaved, markdown, say, slope

from refgen import metrics, training
from refgen.backend import Stream
from refgen.distributions.empirical import Empirical
from refgen.models import named


def points(n: int, dim: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)


def stepping(batch: int = 512, hidden: int = 128, dim: int = 2, layers: int = 3, steps: int = 20) -> Callable:
    """A call of so many training steps."""
    model = named("ddpm", hidden=hidden, dim=dim, layers=layers)
    fitting = training.fit(model, points(20_000, dim), training.start(model, Stream(0)), 10**9, batch, cool=0)
    return lambda: [next(fitting) for _ in range(steps)]


def sampling(n: int = 2000, steps: int = 100, dim: int = 2) -> Callable:
    model = named("ddpm", dim=dim)
    params = model.init(Stream(0))
    return lambda: model.sample(params, n, Stream(1), steps=steps)


def denoising(data: int = 10_000, queries: int = 500, dim: int = 2) -> Callable:
    law, x = Empirical(points(data, dim)), points(queries, dim, 1)
    return lambda: law.posterior_mean(x, 0.9, 0.4)


def sliced(n: int = 5000, directions: int = 128) -> Callable:
    x, y, theta = points(n), points(n, 2, 1), metrics.directions(2, directions, Stream(0))
    return lambda: metrics.sliced_wasserstein(x, y, theta)


def mmd(n: int) -> Callable:
    x, y = points(n), points(n, 2, 1)
    return lambda: metrics.mmd(x, y)


# What is done, what grows, and the call for a size.
GROWTHS: list[tuple[str, str, list[int], Callable[[int], Callable]]] = [
    ("20 training steps", "batch", [128, 512, 2048, 8192], lambda n: stepping(batch=n)),
    ("20 training steps", "width", [64, 128, 256, 512], lambda n: stepping(hidden=n)),
    ("20 training steps", "hidden layers", [2, 4, 8], lambda n: stepping(layers=n)),
    ("20 training steps", "dimension of the data", [2, 8, 32, 128], lambda n: stepping(dim=n)),
    ("training, batch 512", "steps", [25, 100, 400], lambda n: stepping(steps=n)),
    ("sampling, 100 steps", "points", [500, 2000, 8000, 32_000], lambda n: sampling(n=n)),
    ("sampling, 2,000 points", "steps", [25, 50, 100, 200], lambda n: sampling(steps=n)),
    ("sampling, 100 steps", "dimension", [2, 8, 32, 128], lambda n: sampling(dim=n)),
    ("exact denoiser, 500 queries", "data", [2000, 8000, 32_000, 128_000], lambda n: denoising(data=n)),
    ("exact denoiser, 10,000 data", "queries", [250, 1000, 4000], lambda n: denoising(queries=n)),
    ("exact denoiser, 10,000 x 500", "dimension", [2, 8, 32, 128], lambda n: denoising(dim=n)),
    ("sliced Wasserstein, 128 directions", "points", [1000, 4000, 16_000, 64_000], lambda n: sliced(n=n)),
    ("MMD", "points", [1000, 2000, 4000, 8000], lambda n: mmd(n)),
    ("sliced Wasserstein, 5,000 points", "directions", [32, 128, 512], lambda n: sliced(directions=n)),
]


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table; no ratios."""
    rows = []
    for job, what, sizes, of_size in GROWTHS:
        sizes = sizes[:3] if quick else sizes
        say(f"growth: {job} against {what}")
        work: dict[str, Callable[[], object]] = {str(n): of_size(n) for n in sizes}
        found = interleaved(work, rounds=3 if quick else 7)
        costs = [timed.ms for timed in found.values()]
        shown = ", ".join(f"{n:,}: {cost:.3g}" for n, cost in zip(sizes, costs, strict=True))
        rows.append([job, what, shown, f"{slope(sizes, costs):.2f}", f"{slope(sizes[-2:], costs[-2:]):.2f}"])
    return markdown(["job", "what grows", "size: ms", "slope", "of the last two"], rows), {}
