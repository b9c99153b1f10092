"""Where the time of a training step and of a step of sampling goes: its parts, each alone, in turns."""

from __future__ import annotations

import ddpm_job as job
import numpy as np
from floor import bare_products
from timing import interleaved, markdown, say

from refgen import training
from refgen.backend import Stream
from refgen.models import named
from refgen.optimizers import Adam

BATCH, HIDDEN, POINTS = 512, 128, 2000
WIDTHS = [job.DIM + job.FEATURES, *[HIDDEN] * job.LAYERS, job.DIM]
STEPS = 100


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table; no ratios. The parts run on one thread, as refgen's own do beside its network."""
    say("parts of a step")
    rounds = 5 if quick else 15
    model, rng = named("ddpm", hidden=HIDDEN), Stream(0)
    points = np.random.default_rng(0).standard_normal((20_000, job.DIM), dtype=np.float32)
    state = training.start(model, Stream(0), lr=job.LR)
    steps = training.fit(model, points, state, 10**9, BATCH, cool=0)
    vector = np.zeros_like(state.params)
    adam, gradient = Adam.of(vector), np.ones_like(vector)
    step = {
        "a training step, batch 512": lambda: [next(steps) for _ in range(STEPS)],
        "its matrix products": bare_products(BATCH, WIDTHS, threads, times=STEPS),
        "tanh of its activations": tanh(BATCH, STEPS),
        "its noise and times": lambda: [
            (rng.normal(BATCH, 2, dtype=np.float32), rng.integers(1, 1001, BATCH)) for _ in range(STEPS)
        ],
        "Adam": lambda: [adam.update(vector, gradient) for _ in range(STEPS)],
    }
    params = 0.5 * job.random_weights(HIDDEN)
    sampler = {
        "a step of sampling, 2,000 points": lambda: model.sample(params, POINTS, Stream(1), steps=STEPS),
        "its matrix products": bare_products(
            POINTS // 2, [job.DIM, *WIDTHS[1:]], 1, gradients=False, times=2 * STEPS
        ),
        "tanh of its activations": tanh(POINTS // 2, 2 * STEPS),
        "its noise": lambda: rng.normal(STEPS, POINTS, 2, dtype=np.float32),
    }
    rows = []
    for work in (step, sampler):
        found = interleaved(work, rounds, units=STEPS)
        rows += [[name, f"{timed.ms:.3f}", f"{timed.ratio:.0%}"] for name, timed in found.items()]
        *_, whole = rest = [timed.ms for timed in found.values()][::-1]
        left = whole - sum(rest[:-1])
        rows.append(["what is left: other arithmetic, calls", f"{left:.3f}", f"{left / whole:.0%}"])
    return markdown(["part", "ms", "share"], rows), {}


def tanh(rows: int, times: int):
    """NumPy's tanh over the hidden layers, in place, in arrays that are in cache."""
    layers = [np.zeros((rows, HIDDEN), np.float32) + 0.3 for _ in range(job.LAYERS)]
    out = [np.empty_like(layer) for layer in layers]
    return lambda: [np.tanh(a, out=b) for _ in range(times) for a, b in zip(layers, out, strict=True)]
