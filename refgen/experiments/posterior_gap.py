"""A bound that rises, and a gap that need not fall.                                       [EXP-26, ELBO-5]

A linear variational autoencoder, of which bound, likelihood and gap are known in closed form: trained by
gradient ascent, encoder and decoder apart and together, and pushed at random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd import grad
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.distributions import Gaussian
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas import latent, latent_linear

__all__ = ["measured", "pushed", "run", "trained_in_turns"]

Array = Any

LAW = Gaussian([0.0, 0.0], [[1.5, 0.6], [0.6, 0.8]])
# Weight, bias and log-variance of the decoder; weights, bias and log-variance of the encoder.
DECODER, ENCODER = onp.array([0.3, -0.5, 0.4, -0.4, 0.0]), onp.array([-0.5, 0.6, 0.5, 0.5])
PHASES = (("encoder alone", (0, 1), 90), ("decoder alone", (1, 0), 90), ("both", (1, 1), 420))
STEP = 0.07


def measured(decoder: Array, encoder: Array, x: Array) -> tuple[Array, Array, Array]:
    """Mean log p(x), mean bound and mean gap at points x, (n, 2), each in closed form and by itself.

    decoder: (5,), encoder: (4,), as above.
    """
    weight, bias, var = decoder[:2].reshape(2, 1), decoder[2:4], np.exp(decoder[4])
    q = x @ encoder[:2].reshape(2, 1) + encoder[2], np.exp(encoder[3]).reshape(1, 1)
    own = weight, bias, var
    each = (
        latent_linear.log_likelihood(x, *own),
        latent_linear.elbo(x, *q, *own),
        latent_linear.gap(x, *q, *own),
    )
    return np.mean(each[0]), np.mean(each[1]), np.mean(each[2])


def trained_in_turns(x: Array, phases: Any = PHASES, step: float = STEP) -> onp.ndarray:
    """log p, bound and gap before and after every step of gradient ascent on the bound, (steps + 1, 3).

    phases: (name, (how far the decoder moves, the encoder), steps) each.
    """
    slope = grad(lambda both: measured(both[0], both[1], x)[1])
    own = (DECODER, ENCODER)
    found = [measured(*own, x)]
    for _, moves, steps in phases:
        for _ in range(steps):
            up = slope(own)
            own = tuple(part + step * move * g for part, move, g in zip(own, moves, up, strict=True))
            found.append(measured(*own, x))
    return onp.array(found)


def pushed(x: Array, rng: Stream, n: int, size: float) -> dict[str, onp.ndarray]:
    """Changes of log p, bound and gap, (n, 3), by n random pushes of the decoder alone, the encoder alone.

    Each from random parameters; size: std of a push in each parameter.
    """
    found: dict[str, list] = {"decoder": [], "encoder": []}
    for name, rows in found.items():
        own = rng.spawn(name)
        for _ in range(n):
            decoder, encoder = 0.7 * own.normal(5), 0.7 * own.normal(4)
            before = onp.array(measured(decoder, encoder, x))
            if name == "decoder":
                decoder = decoder + size * own.normal(5)
            else:
                encoder = encoder + size * own.normal(4)
            rows.append(onp.array(measured(decoder, encoder, x)) - before)
    return {name: onp.array(rows) for name, rows in found.items()}


def run(
    rng: Stream, say: Callable[..., None], n: int = 200, pushes: int = 2000, size: float = 0.1
) -> Outcome:
    """Training in three phases, and so many random pushes."""
    x = LAW.sample(rng.spawn("data"), n)
    say("training")
    path = trained_in_turns(x)
    say("random pushes")
    moves = pushed(x, rng.spawn("pushes"), pushes, size)
    ends = onp.cumsum([0, *(steps for _, _, steps in PHASES)])
    rises = onp.diff(path, axis=0)
    both = [int(onp.sum((part[:, 1] > 0) & (part[:, 2] > 0))) for part in onp.split(rises, ends[1:-1])]
    up = moves["decoder"][moves["decoder"][:, 1] > 0]
    falls = latent.gap_falls(up[:, 1], up[:, 0])
    every = onp.concatenate([rises, *moves.values()])
    worst = float(-onp.min(rises[:, 1]))
    centred = x - x.mean(axis=0)
    values = onp.linalg.eigvalsh(centred.T @ centred / n)[::-1]
    short = float(latent_linear.best_likelihood(values, 1) - path[-1, 1])
    balance = float(onp.max(abs(every[:, 0] - every[:, 1] - every[:, 2])))
    encoder_pushes = moves["encoder"]
    claims = [
        Claim("log p less bound less gap, largest change", balance, "<=", 1e-11),
        Claim(
            "encoder pushed: change of bound and gap together",
            float(onp.max(abs(encoder_pushes[:, 1] + encoder_pushes[:, 2]))),
            "<=",
            1e-11,
        ),
        Claim("training: largest fall of the bound in a step", worst, "<=", 1e-9),
        Claim("training the encoder alone: steps with a wider gap", both[0], "<=", 0),
        Claim("training the decoder alone: steps with a higher bound and a wider gap", both[1], ">=", 1),
        Claim("training both: steps with a higher bound and a wider gap", both[2], ">=", 1),
        Claim("decoder pushed: both rise, times", int(onp.sum(~falls)), ">=", 1),
        Claim("decoder pushed, bound rises: share with less gap", float(falls.mean()), ">=", 1, 0, False),
        Claim("best log p less the bound at the end, nats", short, "<=", 0.02),
    ]
    numbers = {
        "steps": dict(zip([name for name, _, _ in PHASES], both, strict=True)),
        "pushes": {"all": pushes, "size": size, "bound rises": len(up), "both rise": int(onp.sum(~falls))},
        "gap after each phase": path[ends, 2],
        "bound after each phase": path[ends, 1],
        "log p after each phase": path[ends, 0],
    }
    return Outcome(
        "Raising the bound over the encoder brings q(z | x) nearer the posterior, over the decoder it raises "
        "log p(x); so training shrinks the gap.",
        claims,
        numbers,
        figure_of(path, ends, moves),
        "With the decoder held, the gap falls by exactly what the bound rises. With the decoder moving, "
        "bound and gap can rise together.",
        "The first half holds with the decoder held fixed alone: a better decoder may leave its encoder "
        "behind.",
    )


def figure_of(path: onp.ndarray, ends: onp.ndarray, moves: dict[str, onp.ndarray]) -> Figure:
    """Bound below log p by phase of training, the gap, and what random pushes do to both."""
    figure, axes = plots.chart(3, width=10.5, height=3.5)
    steps = onp.arange(len(path))
    for ax in axes[:2]:
        for (name, _, _), start, end in zip(PHASES, ends[:-1], ends[1:], strict=True):
            if name == "decoder alone":
                ax.axvspan(start, end, color="#eeeeee", linewidth=0)
        ax.set(xlabel="step of gradient ascent on the bound", xlim=(0, len(path) - 1))
    axes[0].plot(steps, path[:, 0], color=plots.EXACT, label="log p(x)")
    axes[0].plot(steps, path[:, 1], color=plots.LEARNED, label="bound")
    axes[0].fill_between(steps, path[:, 1], path[:, 0], color=plots.LEARNED, alpha=0.15, linewidth=0)
    axes[0].legend(loc="lower right", fontsize=8)
    axes[0].set_title("mean over the data, nats", fontsize=9)
    axes[1].plot(steps, path[:, 2], color=plots.INK)
    top = 4 * float(onp.max(path[:, 2]))  # with room for the names of the phases
    axes[1].set(yscale="log", ylim=(float(onp.min(path[:, 2])) / 2, top))
    axes[1].set_title("the gap, KL of q(z | x) from the posterior", fontsize=9)
    for (name, _, _), start, end in zip(PHASES, ends[:-1], ends[1:], strict=True):
        axes[1].text(
            (start + end) / 2,
            0.97,
            name.replace(" ", "\n"),
            fontsize=7.5,
            ha="center",
            va="top",
            transform=axes[1].get_xaxis_transform(),
        )
    decoder, encoder = moves["decoder"], moves["encoder"]
    both = (decoder[:, 1] > 0) & (decoder[:, 2] > 0)
    reach = float(onp.quantile(abs(decoder[:, 1:]), 0.97))
    axes[2].scatter(*decoder[~both, 1:].T, s=5, color=plots.DATA, alpha=0.4, linewidths=0)
    axes[2].scatter(*decoder[both, 1:].T, s=7, color=plots.LEARNED, linewidths=0, label="decoder: both rise")
    axes[2].scatter(*encoder[:, 1:].T, s=5, color=plots.EXACT, linewidths=0, label="encoder")
    axes[2].axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes[2].axvline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes[2].set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="change of the bound")
    axes[2].legend(loc="upper right", fontsize=8, handletextpad=0.2)
    axes[2].set_title("random pushes: change of the gap", fontsize=9)
    return figure
