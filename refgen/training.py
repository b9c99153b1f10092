"""Training: a generator of states. A state that is saved and loaded continues to the same numbers, bit for
bit.

A model is known only by what it offers: `init(rng) -> params`, one flat vector; `loss(params, x, rng) ->
scalar`; and, where one Adam step on the loss is not what it needs, `update(state, batch, rng)`, which
changes the state in place and sets `state.loss`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from autograd.core import make_vjp

from refgen.backend import CPU, Device, Stream, to_host
from refgen.optimizers import Adam
from refgen.training_defaults import BATCH, COOL, EMA, LR

__all__ = ["Batches", "State", "fit", "gradient_step", "start"]

Array = Any

BLOCK = 100  # steps whose batches are drawn at once


@dataclass
class State:
    """All that training goes on from. Change it in place; `to_arrays` and `from_arrays` save and load it.

    params: what is being trained. ema: its moving average, which samples better. rng: noise, times and
    what else a loss draws. batches: where the data stand (`Batches.state`; "" before the first step).
    loss: of the last step. total: sum of the losses after step `since`, which a reader may set to 0 and
    the step. Both are Python floats on the host and 0-d arrays elsewhere, which wait there until somebody
    reads them. row_loss: the mean at the last reading, for showing, not saved. extra: a model's own arrays,
    by name.
    """

    params: Array
    ema: Array
    adam: Adam
    rng: Stream
    batches: str = ""
    step: int = 0
    loss: Any = math.nan
    total: Any = 0.0
    since: int = 0
    row_loss: float = math.nan
    extra: dict[str, Array] = field(default_factory=dict)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything as plain arrays of the host, by name; none needs pickle."""
        adam = [self.adam.step, self.adam.lr, self.adam.beta1, self.adam.beta2, self.adam.eps]
        rng = [str(self.rng.seed), *self.rng.path]
        return {
            "params": to_host(self.params),
            "ema": to_host(self.ema),
            "adam_m": to_host(self.adam.m),
            "adam_v": to_host(self.adam.v),
            "adam": np.array(adam, np.float64),
            "rng": np.array(rng),
            "rng_state": np.array(self.rng.state),
            "batches": np.array(self.batches),
            "step": np.array(self.step),
            "losses": np.array([float(self.loss), float(self.total), self.since]),
            **{f"extra.{name}": to_host(array) for name, array in self.extra.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], device: Device = CPU) -> State:
        """The state that `to_arrays` gave, on a device, which need not be the one it came from.

        Raises ValueError where arrays are missing or do not fit together.
        """
        try:
            step, lr, beta1, beta2, eps = arrays["adam"].tolist()
            seed, *path = arrays["rng"].tolist()
            rng = Stream(int(seed), *path, device=device)
            rng.restore(str(arrays["rng_state"]))
            loss, total, since = arrays["losses"].tolist()
            params, ema, m, v = (
                device.xp.array(arrays[name]) for name in ("params", "ema", "adam_m", "adam_v")
            )
            batches, count = str(arrays["batches"]), int(arrays["step"])
        except KeyError as error:
            raise ValueError(f"not a training state: it has no {error}") from None
        except (TypeError, AttributeError) as error:
            raise ValueError(f"not a training state: {error}") from None
        if params.ndim != 1 or not params.shape == ema.shape == m.shape == v.shape:
            raise ValueError("not a training state: params, ema and Adam's moments differ in shape")
        extra = {
            name[6:]: device.xp.array(array) for name, array in arrays.items() if name.startswith("extra.")
        }
        adam = Adam(m, v, int(step), lr, beta1, beta2, eps)
        return cls(params, ema, adam, rng, batches, count, loss, total, int(since), extra=extra)


def start(model: Any, rng: Stream, lr: float = LR) -> State:
    """The state before the first step, on rng's device; its streams are sub-streams of rng."""
    params = model.init(rng.spawn("init"))
    return State(params, params.copy(), Adam.of(params, lr), rng.spawn("loss"))


class Batches:
    """Batches of float32 points, drawn a hundred at once from a distribution or from the rows of an array.

    data: something with `sample(rng, n)`, or points (n, d), which are moved to rng's device once and of which
    rows are drawn with replacement.
    `state` is the stream's state at the beginning of the block and the place in it. Raises ValueError
    where the points are not (n, d), n >= 1, or not finite, or batch < 1.
    """

    def __init__(self, data: Any, batch: int, rng: Stream, state: str = ""):
        if batch < 1:
            raise ValueError(f"batch is {batch}; it must be >= 1")
        self.data, self.batch, self.rng, self.place = data, batch, rng, 0
        if not hasattr(data, "sample"):
            points = np.asarray(to_host(data), np.float32)
            if points.ndim != 2 or len(points) == 0 or not np.all(np.isfinite(points)):
                raise ValueError(f"data has shape {points.shape}; it must be (n, d), n >= 1, all finite")
            self.data = rng.xp.asarray(points)
        if state:
            place, _, stream = state.partition(" ")
            self.rng.restore(stream)
            self.place = int(place)
        self._draw()

    def _draw(self) -> None:
        self._at_beginning = self.rng.state
        n = BLOCK * self.batch
        if hasattr(self.data, "sample"):
            self._block = self.data.sample(self.rng, n).astype(np.float32)
        else:
            self._block = self.data[self.rng.integers(0, len(self.data), n)]

    @property
    def state(self) -> str:
        return f"{self.place} {self._at_beginning}"

    def next(self) -> Array:
        """The next batch, (batch, d) float32."""
        if self.place == BLOCK:
            self._draw()
            self.place = 0
        self.place += 1
        return self._block[(self.place - 1) * self.batch : self.place * self.batch]


def gradient_step(model: Any, state: State, batch: Array, rng: Stream) -> None:
    """One Adam step on the model's loss, in place: what a model without an `update` of its own does."""
    backward, loss = make_vjp(lambda params: model.loss(params, batch, rng), state.params)
    state.adam.update(state.params, backward(np.ones_like(loss)))
    # In float64, since many are added up. To read a loss that is not on the host would be to wait for it.
    state.loss = float(loss) if rng.device is CPU else loss.astype(np.float64)


def fit(
    model: Any, data: Any, state: State, steps: int, batch: int = BATCH, ema: float = EMA, cool: float = COOL
) -> Iterator[State]:
    """Train until `state.step` is `steps`; yields the state, the same object, after every step.

    data: see `Batches`. ema: how much of the moving average is kept. Step k keeps min(ema, k / (k + 10)),
    at first an average of about the last tenth of the steps, and ema itself from step 10 ema / (1 - ema) on:
    9990 for 0.999. cool: the last fraction of the steps over which the learning rate falls to zero along a
    straight line. Stop whenever; save only between two steps. Raises ValueError for an option out of range,
    FloatingPointError where the loss is no longer finite; elsewhere than on the host that is looked at every
    hundred steps, and at the last.
    """
    for name, value in [("ema", ema), ("cool", cool)]:
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}; it must lie in [0, 1)")
    update = getattr(model, "update", None) or partial(gradient_step, model)
    batches = Batches(data, batch, state.rng.spawn("data"), state.batches)
    return _steps(update, batches, state, steps, ema, cool)


def _steps(
    update: Callable, batches: Batches, state: State, steps: int, ema: float, cool: float
) -> Iterator[State]:
    while state.step < steps:
        state.adam.scale = min(1.0, (steps - state.step) / (cool * steps)) if cool else 1.0
        update(state, batches.next(), state.rng)
        state.step += 1
        due = state.rng.device is CPU or state.step % BLOCK == 0 or state.step == steps
        if due and not math.isfinite(state.loss):
            raise FloatingPointError(
                f"the loss is {float(state.loss)} at step {state.step}; try a smaller lr"
            )
        keep = min(ema, state.step / (state.step + 10))
        move = state.params - state.ema
        move *= 1 - keep
        state.ema += move
        state.total += state.loss
        state.batches = batches.state
        yield state
