"""The smallest adversarial network: a linear generator, a quadratic discriminator, a Gaussian.     [SYS-5]

The log-ratio of two Gaussians is a quadratic, so the best discriminator is in the family at every moment, and
the end of the game is known: G(z) = A z + b with A A^T the covariance of the data and b their mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as np
from autograd import grad

from refgen import plots
from refgen.backend import Stream
from refgen.distributions.gaussian import Gaussian
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas import adversarial, noise_contrastive
from refgen.formulas.elementary import sigmoid
from refgen.optimizers import Adam

__all__ = ["LAW", "Game", "best", "errors", "logits", "play", "run"]

Array = Any

LAW = Gaussian([1.0, -0.5], [[1.5, 0.8], [0.8, 0.9]])
START = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])  # A = I, row by row, and b = 0
RATE, MOMENTA = 0.02, (0.5, 0.9)


class Game(NamedTuple):
    """One game: errors of mean and covariance of the averaged generator, and at every tenth update those of
    the generator of that moment, (m, 2)."""

    mean: float
    cov: float
    path: Array


def generated(generator: Array, z: Array) -> Array:
    """A z + b, (n, 2)."""
    return z @ np.reshape(generator[:4], (2, 2)).T + generator[4:]


def logits(discriminator: Array, x: Array) -> Array:
    """A quadratic of points (n, 2), as (n,)."""
    u, v = x[:, 0], x[:, 1]
    return np.stack([u, v, u**2, u * v, v**2, np.ones_like(u)], axis=1) @ discriminator


def best(generator: Array) -> Array:
    """The quadratic of the best discriminator for a generator: log p - log q."""
    A, b = np.reshape(generator[:4], (2, 2)), generator[4:]
    coefficients = 0.0
    for mean, cov, sign in [(LAW.mean, LAW.cov, 1.0), (b, A @ A.T, -1.0)]:
        P = np.linalg.inv(cov)
        constant = -mean @ P @ mean / 2 - np.linalg.slogdet(cov)[1] / 2
        square = -P[0, 0] / 2, -P[0, 1], -P[1, 1] / 2
        coefficients = coefficients + sign * np.array([*(P @ mean), *square, constant])
    return coefficients


def errors(generator: Array) -> tuple[float, float]:
    """How far off the mean is, in length, and the covariance, in shares of its norm."""
    A = np.reshape(generator[:4], (2, 2))
    off = A @ A.T - LAW.cov
    return float(np.linalg.norm(generator[4:] - LAW.mean)), float(
        np.linalg.norm(off) / np.linalg.norm(LAW.cov)
    )


def play(rng: Stream, momentum: float, updates: int, n: int = 256) -> Game:
    """One game of alternating steps of Adam; the last fifth of the generators is averaged."""
    players = START.copy(), np.zeros(6)
    ours, theirs = (Adam.of(player, RATE, beta1=momentum, beta2=0.99) for player in players)
    generator, discriminator = players
    average, path, last = np.zeros(6), [], max(1, updates // 5)
    for k in range(updates):
        x, y = LAW.sample(rng, n), generated(generator, rng.normal(n, 2))
        z = rng.normal(n, 2)

        def lost(d: Array, x: Array = x, y: Array = y) -> Array:
            return noise_contrastive.loss(logits(d, x), logits(d, y))

        def lost_by_generator(g: Array, z: Array = z) -> Array:
            return np.mean(adversarial.nonsaturating_loss(logits(discriminator, generated(g, z))))

        ours.scale = theirs.scale = min(1.0, 2 * (1 - k / updates))
        theirs.update(discriminator, grad(lost)(discriminator))
        ours.update(generator, grad(lost_by_generator)(generator))
        if k >= updates - last:
            average += generator / last
        if k % 10 == 9:
            path.append(errors(generator))
    return Game(*errors(average), np.array(path))


def run(rng: Stream, say: Callable[..., None], updates: int = 1500, seeds: int = 4) -> Outcome:
    """The best discriminator in the family, then games with little and with much momentum."""
    x = LAW.sample(rng.spawn("places"), 1000)
    generator = np.array([0.7, 0.2, -0.1, 0.5, 0.3, 0.4])
    A = generator[:4].reshape(2, 2)
    exact = adversarial.optimal_discriminator(LAW.log_prob(x), Gaussian(generator[4:], A @ A.T).log_prob(x))
    off = float(np.max(np.abs(sigmoid(logits(best(generator), x)) - exact)))
    games: dict[float, list[Game]] = {momentum: [] for momentum in MOMENTA}
    for momentum, found in games.items():
        for seed in range(seeds):
            say("games", sum(map(len, games.values())), 2 * seeds)
            found.append(play(rng.spawn(f"game {seed}"), momentum, updates))
    little = games[MOMENTA[0]]
    worst = {name: max(getattr(game, name) for game in little) for name in ("mean", "cov")}
    # Before the rate is lowered: the mean error of the covariance at a moment.
    wide = [float(np.mean([g.path[: len(g.path) // 2, 1] for g in found])) for found in games.values()]
    claims = [
        Claim("best quadratic against p / (p + q), largest", off, "<=", 1e-10),
        Claim(f"mean, little momentum, worst of {seeds}", worst["mean"], "<=", 0.1),
        Claim("its covariance, relative, worst", worst["cov"], "<=", 0.15),
        Claim("how far games go round: much over little", wide[1] / wide[0], ">=", 1.5),
    ]
    numbers = dict(
        best_off=off,
        round=dict(zip(MOMENTA, wide, strict=True)),
        games=[
            dict(momentum=momentum, mean=[g.mean for g in found], cov=[g.cov for g in found])
            for momentum, found in games.items()
        ],
    )
    return Outcome(
        "A GAN learns to sample by a game against a discriminator.",
        claims,
        numbers,
        figure(games),
        f"No game settles: it goes round the data's mean and covariance, with little momentum in circles of "
        f"{wide[0]:.2f}, with the usual 0.9 of {wide[1]:.2f} (relative error of the covariance). With "
        "little, the average over the last fifth is right.",
    )


def figure(games: dict[float, list[Game]]) -> Any:
    """The error of the covariance along each game, by momentum."""
    picture, axes = plots.chart(columns=2, width=9.0, height=3.0)
    for ax, (momentum, found) in zip(axes, games.items(), strict=True):
        for game in found:
            ax.semilogy(10 * np.arange(1, len(game.path) + 1), game.path[:, 1], color=plots.LEARNED, lw=0.7)
        ax.set(
            ylim=(5e-3, 3), xlabel="updates", title=f"momentum {momentum}: relative error of the covariance"
        )
    return picture
