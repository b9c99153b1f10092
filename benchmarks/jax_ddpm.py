"""The job in JAX: one jitted step, many steps in one lax.scan, and sampling by lax.scan; as usually written
or tuned (features from a table)."""

from __future__ import annotations

from functools import partial
from typing import Any

import ddpm_job as job
import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["JaxDDPM"]

LEVELS = {name: jnp.asarray(array) for name, array in job.LEVELS.items()}
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def mlp(params: list, x: Any) -> Any:
    """Hidden layers from the first product on."""
    for weight, bias in zip(params[::2], params[1::2], strict=True):
        x = jax.nn.silu(x) @ weight + bias
    return x


def predict(params: list, x: Any, t: Any, tuned: bool) -> Any:
    if tuned:
        features = LEVELS["features"][t]
    else:
        angles = LEVELS["log_snr"][t][:, None] * job.FREQUENCIES
        features = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=1)
    return mlp(params[2:], jnp.concatenate([x, features], axis=1) @ params[0] + params[1])


def loss(params: list, points: Any, batch: int, key: Any, tuned: bool) -> Any:
    rows, times, noises = jax.random.split(key, 3)
    x = points[jax.random.randint(rows, (batch,), 0, len(points))]
    t = jax.random.randint(times, (batch,), 1, job.T + 1)
    noise = jax.random.normal(noises, x.shape)
    x_t = LEVELS["signal"][t][:, None] * x + LEVELS["std"][t][:, None] * noise
    return jnp.mean(jnp.sum((predict(params, x_t, t, tuned) - noise) ** 2, axis=1))


def one_step(state: tuple, points: Any, batch: int, tuned: bool) -> tuple:
    params, m, v, k = state
    key = jax.random.fold_in(jax.random.key(0), k)
    value, gradient = jax.value_and_grad(loss)(params, points, batch, key, tuned)
    k = k + 1
    m = jax.tree.map(lambda a, g: BETA1 * a + (1 - BETA1) * g, m, gradient)
    v = jax.tree.map(lambda a, g: BETA2 * a + (1 - BETA2) * g * g, v, gradient)
    size, spread = job.LR / (1 - BETA1**k), 1 / jnp.sqrt(1 - BETA2**k)
    params = jax.tree.map(lambda p, a, b: p - size * a / (jnp.sqrt(b) * spread + EPS), params, m, v)
    return (params, m, v, k), value


step = partial(jax.jit, static_argnames=("batch", "tuned"), donate_argnums=0)(one_step)


@partial(jax.jit, static_argnames=("batch", "tuned", "count"), donate_argnums=0)
def scan(state: tuple, points: Any, batch: int, tuned: bool, count: int) -> tuple:
    return jax.lax.scan(lambda s, _: one_step(s, points, batch, tuned), state, length=count)


@partial(jax.jit, static_argnames=("tuned", "noisy"))
def sample(params: list, x: Any, key: Any, tuned: bool, noisy: bool) -> Any:
    def move(x: Any, level: tuple) -> tuple:
        t, offset, scale, part, noise, key = level
        if tuned:
            eps = mlp(params[2:], x @ params[0][: job.DIM] + offset)
        else:
            eps = predict(params, x, jnp.full(len(x), t), False)
        x = scale * (x - part * eps)
        return (x + noise * jax.random.normal(key, x.shape) if noisy else x), None

    t = jnp.arange(job.T, 0, -1)
    # The features of a step are the same for all points: their product with the weights is a table.
    offsets = LEVELS["features"][t] @ params[0][job.DIM :] + params[1]
    levels = (LEVELS[name][t] for name in ("scale", "part", "noise"))
    return jax.lax.scan(move, x, (t, offsets, *levels, jax.random.split(key, job.T)))[0]


class JaxDDPM:
    """The network, its training step and its sampler. tuned, scanned: see above."""

    def __init__(self, params: np.ndarray, hidden: int = 128, tuned: bool = False, scanned: bool = False):
        self.tuned, self.scanned, self.key = tuned, scanned, 0
        weights = [jnp.array(part) for part in job.views(params, hidden)]
        zeros = [[jnp.zeros_like(part) for part in weights] for _ in range(2)]
        self.state: tuple = (weights, *zeros, jnp.zeros((), jnp.int32))

    def steps(self, points: Any, batch: int, count: int) -> float:
        """So many training steps on rows drawn from points; the mean loss."""
        if self.scanned:
            self.state, losses = scan(self.state, points, batch, self.tuned, count)
            return float(losses.mean())
        total = jnp.zeros(())
        for _ in range(count):
            self.state, value = step(self.state, points, batch, self.tuned)
            total += value
        return float(total) / count

    def sample(self, n: int, x: Any = None) -> np.ndarray:
        """n points by the ancestral sampler. x: where it starts; it then adds no noise, for a comparison."""
        self.key += 1
        start, rest = jax.random.split(jax.random.key(self.key))
        begin = jax.random.normal(start, (n, job.DIM)) if x is None else jnp.asarray(x)
        return np.asarray(sample(self.state[0], begin, rest, self.tuned, x is None))
