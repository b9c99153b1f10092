"""What a training step of score matching costs as the dimension grows: implicit, sliced and denoising.

One network per dimension and one training step, the gradient by the parameters included; only the objective
differs. The trace of the Jacobian is taken by generic reverse passes: nothing knows the network.
Source: Song et al. 2019, figure 1; Dong-A notes, 'Results: Sliced Score Matching for EBMs'.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.core import make_vjp
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.experiments.outcome import Claim, Outcome
from refgen.models.score_objectives import OBJECTIVES, score_loss
from refgen.nets.derivatives import counted_passes, watched
from refgen.nets.mlp import MLP

__all__ = ["LABELS", "measure", "passes", "peak_memory", "run", "slopes", "training_step"]

Array = Any

DIMS = (8, 16, 32, 64, 128, 256, 512)
BATCH, HIDDEN, LAYERS, STD = 32, 128, 2, 0.05
LABELS = {"implicit": "SM", "sliced": "SSM", "denoising": "DSM"}
COLOURS = {"implicit": plots.LEARNED, "sliced": plots.EXACT, "denoising": plots.INK}


def training_step(objective: str, dim: int, rng: Stream, batch: int = BATCH) -> Callable[[], Array]:
    """A function that takes the gradient of one training step of a network of so many dimensions.

    objective: one of `OBJECTIVES`. The weights and the batch are drawn from rng now, noise and projections at
    each call.
    """
    net = MLP(dim, dim, hidden=HIDDEN, layers=LAYERS)
    params, x = net.init(rng, last=1.0), rng.normal(batch, dim, dtype=np.float32)

    def score(weights: Array, z: Array) -> Array:
        # The trace and its estimate watch their own passes; here it is to be seen that there are none.
        return net(weights, watched(z) if objective == "denoising" else z)

    def step() -> Array:
        back, loss = make_vjp(lambda p: score_loss(objective, lambda z: score(p, z), x, rng, STD), params)
        return back(np.ones_like(loss))

    return step


def passes(dims: tuple[int, ...], rng: Stream, batch: int = 2) -> dict[str, list[int]]:
    """How many reverse passes by x one step takes, for each objective and dimension."""
    counts: dict[str, list[int]] = {objective: [] for objective in OBJECTIVES}
    for objective in OBJECTIVES:
        for dim in dims:
            step = training_step(objective, dim, rng, batch)
            with counted_passes() as count:
                step()
            counts[objective].append(count.passes)
    return counts


def measure(
    dims: tuple[int, ...],
    rng: Stream,
    rounds: int = 3,
    at_least: float = 0.02,
    say: Callable[..., None] = print,
) -> dict[str, list[float]]:
    """Seconds of one step for each objective and dimension: the median over rounds.

    In each round every step is timed once, so that a slow spell of the machine meets all of them. A step
    shorter than `at_least` seconds is repeated until so much time has passed.
    """
    steps = {(objective, dim): training_step(objective, dim, rng) for objective in OBJECTIVES for dim in dims}
    found: dict[tuple[str, int], list[float]] = {key: [] for key in steps}
    for number in range(rounds):
        for key, step in steps.items():
            if number == 0 and key[1] < max(dims):
                step()  # the first call pays for what is made once
            began, repeats = time.perf_counter(), 0
            while repeats == 0 or time.perf_counter() - began < at_least:
                step()
                repeats += 1
            found[key].append((time.perf_counter() - began) / repeats)
        say("timing the steps", number + 1, rounds)
    return {o: [float(np.median(found[o, dim])) for dim in dims] for o in OBJECTIVES}


def slopes(dims: tuple[int, ...], seconds: dict[str, list[float]]) -> dict[str, float]:
    """By which power of the dimension the time grows: least squares on both logarithms."""
    return {o: float(np.polyfit(np.log(dims), np.log(seconds[o]), 1)[0]) for o in seconds}


def peak_memory(objective: str, dim: int, rng: Stream) -> float:
    """MiB that one step holds at its peak, its own parameters and batch left out."""
    step = training_step(objective, dim, rng)
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def _figure(dims: tuple[int, ...], seconds: Any, counts: Any, power: dict[str, float]) -> Figure:
    figure, (left, right) = plots.chart(2, width=9.0, height=3.8)
    for o, label in LABELS.items():
        style = dict(color=COLOURS[o], marker="o", markersize=4, linewidth=1.8)
        milliseconds = 1000 * np.array(seconds[o])
        left.loglog(dims, milliseconds, **style)
        words = dict(xytext=(-6, 7), textcoords="offset points", color=COLOURS[o], ha="right")
        left.annotate(f"{label}, slope {power[o]:.2f}", (dims[3], milliseconds[3]), **words)
        right.plot(dims, counts[o], **style)
        each = {"implicit": "d", "sliced": "1", "denoising": "0"}[o]
        right.annotate(f"{label}: {each}", (dims[-2], counts[o][-2]), **words)
    left.set(xlabel="dimension d of the data", ylabel="milliseconds", title="time per training iteration")
    right.set_xscale("log")
    right.set_yscale("symlog", linthresh=1)
    right.set(xlabel="dimension d of the data", ylim=(-0.5, 1000), title="reverse passes by x per iteration")
    for ax in (left, right):
        ax.set_xticks(dims, [str(d) for d in dims], minor=False)
        ax.minorticks_off()
        ax.grid(color="#eeeeee")
    right.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    return figure


def run(rng: Stream, say: Callable[..., None]) -> Outcome:
    """Count, time and weigh one step in 8 to 512 dimensions."""
    say("counting reverse passes")
    counts = passes(DIMS, rng.spawn("passes"))
    seconds = measure(DIMS, rng.spawn("times"), say=say)
    say("weighing the largest step")
    memory = {o: peak_memory(o, DIMS[-1], rng.spawn(f"memory {o}")) for o in OBJECTIVES}
    power = slopes(DIMS, seconds)
    expected = {"implicit": DIMS, "sliced": (1,) * len(DIMS), "denoising": (0,) * len(DIMS)}
    wrong = {o: int(np.sum(np.array(counts[o]) != expected[o])) for o in OBJECTIVES}
    ratio = seconds["implicit"][-1] / seconds["sliced"][-1]
    claims = [
        Claim("dimensions where SM takes other than d reverse passes", wrong["implicit"], "==", 0),
        Claim("dimensions where SSM takes other than 1", wrong["sliced"], "==", 0),
        Claim("dimensions where DSM takes other than 0", wrong["denoising"], "==", 0),
        Claim("slope of SM's time less that of SSM's", power["implicit"] - power["sliced"], ">=", 0.7),
        Claim("slope of SM's time less that of DSM's", power["implicit"] - power["denoising"], ">=", 0.7),
        Claim(f"time of SM over that of SSM, d = {DIMS[-1]}", ratio, ">=", DIMS[-1] / 8),
        *[
            Claim(f"time of {LABELS[o]} at d = {DIMS[-1]} over d = {DIMS[0]}", t[-1] / t[0], ">=", 1.0)
            for o, t in seconds.items()
        ],
        Claim("peak memory of an SM step there, GiB", memory["implicit"] / 1024, "<=", 4.0),
    ]
    setting = dict(batch=BATCH, hidden=HIDDEN, layers=LAYERS, std=STD, dims=list(DIMS))
    numbers = dict(setting=setting, passes=counts, seconds=seconds, slopes=power, peak_MiB=memory)
    return Outcome(
        "When the dimension grows, every objective takes more time for a training iteration; score matching "
        "scales worst, sliced and denoising score matching far better.",
        claims,
        numbers,
        _figure(DIMS, seconds, counts, power),
        f"Score matching takes a reverse pass for every dimension, so its time grows like d^"
        f"{power['implicit']:.1f}; at d = {DIMS[-1]} one of its steps takes as long as {ratio:.0f} steps of "
        f"sliced score matching and {memory['implicit'] / memory['sliced']:.0f} times the memory.",
        "The hidden layers are equally wide in all dimensions, so the network itself grows little: the "
        "slopes of SSM and DSM say how much, and the difference to SM's is the price of the trace.",
    )
