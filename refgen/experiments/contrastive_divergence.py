"""Contrastive divergence on a line, where everything is known by quadrature.           [SYS-6, EBM-4, EBM-14]

A double well, E(x) = a x + b x^2 / 2 + c x^4 / 4, is learned from its own draws: each update lets chains walk
k Metropolis-adjusted Langevin steps from the data. The more steps, the more is seen of the likelihood's
gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as np
from autograd import grad

from refgen import plots
from refgen.backend import Stream
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas import energy, noise_contrastive
from refgen.formulas.gaussian import log_prob_isotropic
from refgen.formulas.probability import kl_discrete
from refgen.optimizers import Adam
from refgen.samplers.mala import adjusted

__all__ = ["TRUTH", "Gradient", "exact", "gradient", "importance", "learned", "nce", "run"]

Array = Any

TRUTH = np.array([0.25, -3.0, 1.0])  # a, b, c: wells of 0.68 and 0.32 of the mass, at -1.77 and 1.69
START = np.array([0.0, 0.5, 0.5])  # one well
LINE = np.linspace(-4, 4, 1601)[:, None]
SPACING = float(LINE[1, 0] - LINE[0, 0])
STEP, RATE = 0.05, 0.15  # of the chains; of gradient descent
KS = (1, 5, 20)
BROAD = 2.0  # std of the noise of nce and of the draws that estimate Z


def well(theta: Array, x: Array) -> Array:
    """E(x) of points (n, 1), as (n,)."""
    x = x[:, 0]
    return theta[0] * x + theta[1] * x**2 / 2 + theta[2] * x**4 / 4


def exact(theta: Array) -> tuple[Array, Array]:
    """Log-density at LINE, (1601,), and log Z, by quadrature."""
    log_z = energy.log_normaliser(well(theta, LINE), float(np.log(SPACING)))
    return energy.log_prob(well(theta, LINE), log_z), log_z


def divergence(theta: Array) -> float:
    """KL of the model from the truth, by quadrature."""
    masses = [np.exp(exact(one)[0]) * SPACING for one in (TRUTH, theta)]
    return float(kl_discrete(*masses))


def data(rng: Stream, n: int) -> Array:
    """Draws of the truth, (n, 1), by inverting its distribution function."""
    below = np.cumsum(np.exp(exact(TRUTH)[0]) * SPACING)
    return np.interp(rng.uniform(n), below, LINE[:, 0] + SPACING / 2)[:, None]


def walked(theta: Array, x: Array, rng: Stream, k: int) -> Array:
    """Where k steps lead from the points x, (n, 1)."""

    def of(x: Array) -> Array:
        return well(theta, x)

    return adjusted(lambda x: (-of(x), energy.score(of, x)), x, rng, STEP, k)[0]


def learned(rng: Stream, k: int, updates: int, n: int) -> tuple[Array, Array]:
    """The parameters after so many updates of CD-k on n fresh points each, and KL after each update."""
    theta, divergences = START, []
    for _ in range(updates):
        x = data(rng, n)
        y = walked(theta, x, rng, k)
        theta = theta - RATE * grad(lambda t: energy.contrastive_loss(well(t, x), well(t, y)))(theta)  # noqa: B023
        divergences.append(divergence(theta))
    return theta, np.array(divergences)


class Gradient(NamedTuple):
    """The gradient from chains, (3,), the exact one, and the standard error of the first."""

    found: Array
    exact: Array
    error: Array

    @property
    def z(self) -> float:
        """The largest departure, in standard errors."""
        return float(np.max(np.abs(self.found - self.exact) / self.error))


def gradient(rng: Stream, theta: Array, k: int, n: int) -> Gradient:
    """The likelihood's gradient at theta for n points of data, the model's term by k steps from them."""
    x = data(rng, n)
    y = walked(theta, x, rng, k)
    mass = np.exp(exact(theta)[0]) * SPACING
    found = grad(lambda t: energy.contrastive_loss(well(t, x), well(t, y)))(theta)
    true = grad(lambda t: energy.contrastive_loss(well(t, x), well(t, LINE), mass))(theta)
    slopes = np.stack([y[:, 0], y[:, 0] ** 2 / 2, y[:, 0] ** 4 / 4])
    return Gradient(found, true, np.std(slopes, axis=1) / np.sqrt(n))


def importance(rng: Stream, theta: Array, n: int) -> tuple[float, float]:
    """log Z from n draws of a broad Gaussian, and its standard error."""
    x = BROAD * rng.normal(n, 1)
    log_q = log_prob_isotropic(x, np.zeros_like(x), BROAD**2)
    estimate = energy.log_normaliser(well(theta, x), -log_q - float(np.log(n)))
    weight = np.exp(-well(theta, x) - log_q - estimate)
    return float(estimate), float(np.std(weight) / np.sqrt(n))


def nce(rng: Stream, updates: int, n: int) -> tuple[Array, float]:
    """The parameters and log Z as noise-contrastive estimation learns them, from fresh points each update."""
    params = np.append(START, 0.0)
    adam = Adam.of(params, 0.03)
    for k in range(updates):
        x, noise = data(rng, n), BROAD * rng.normal(n, 1)

        def loss(p: Array, x: Array = x, noise: Array = noise) -> Array:
            odds = [
                noise_contrastive.log_odds(
                    energy.log_prob(well(p, z), p[3]), log_prob_isotropic(z, np.zeros_like(z), BROAD**2)
                )
                for z in (x, noise)
            ]
            return noise_contrastive.loss(*odds)

        adam.scale = min(1.0, 2 * (1 - k / updates))
        adam.update(params, grad(loss)(params))
    return params[:3], float(params[3])


def run(rng: Stream, say: Callable[..., None], updates: int = 500, n: int = 800) -> Outcome:
    """Learn by CD-1, CD-5 and CD-20; check the gradient of long chains, and what is said of log Z."""
    thetas, curves = {}, {}
    for k in KS:
        say(f"CD-{k}")
        thetas[k], curves[k] = learned(rng.spawn(f"cd {k}"), k, updates, n)
    divergences = {k: float(np.mean(curves[k][-50:])) for k in KS}
    say("gradients of short and of long chains")
    short, long = (gradient(rng.spawn(f"gradient {k}"), thetas[1], k, 4000) for k in (1, 1000))
    say("log Z")
    estimate, error = importance(rng.spawn("importance"), thetas[20], 1000)
    log_z = float(exact(thetas[20])[1])
    theta, said = nce(rng.spawn("nce"), updates, n)
    off = said - float(exact(theta)[1])
    claims = [
        Claim("KL of CD-20 from the data's law", divergences[20], "<=", 5e-3),
        Claim("KL of CD-5 as a share of that of CD-1", divergences[5] / divergences[1], "<=", 1.0),
        Claim("KL of CD-20 as a share of that of CD-5", divergences[20] / divergences[5], "<=", 1.0),
        Claim("gradient of long chains: std errors off", long.z, "<=", 5.0),
        Claim("gradient of CD-1: std errors off", short.z, "<=", 5.0, expected=False),
        Claim("log Z from 1000 draws: std errors off", abs(estimate - log_z) / error, "<=", 5.0),
        Claim("log Z as nce learned it: nats off", abs(off), "<=", 0.1),
    ]
    numbers = dict(
        divergence=divergences,
        theta={k: thetas[k] for k in KS},
        gradient_z=dict(short=short.z, long=long.z),
        log_z=dict(exact=log_z, estimate=estimate, standard_error=error, nce=said, nce_off=off),
        nce_theta=theta,
        nce_divergence=divergence(theta),
    )
    return Outcome(
        "An energy-based model is trained with the gradient of a data term and a model term, the second from "
        "Markov chains; its probabilities are inaccurate, since Z is only estimated: here, in one dimension, "
        f"by {abs(estimate - log_z):.3f} and {abs(off):.3f} nats.",
        claims,
        numbers,
        figure(thetas, curves),
        f"Short chains see little of the gradient: after {updates} updates CD-1 is {divergences[1]:.1e} nats "
        f"from the data's law, CD-5 {divergences[5]:.1e}, CD-20 {divergences[20]:.1e}. What is said of log Z "
        f"is off by {abs(estimate - log_z):.3f} nats (1000 draws) and {abs(off):.3f} (nce), with it every "
        "probability.",
        "CD-k with Metropolis' test has the right law as its fixed point where the family holds it: k sets "
        "how fast it is reached, and with how much noise. Before, it is not the likelihood's gradient.",
    )


def figure(thetas: dict[int, Array], curves: dict[int, Array]) -> Any:
    """The densities learned by k beside the truth, and the divergence by updates."""
    picture, axes = plots.chart(columns=2, width=9.0)
    x = LINE[:, 0]
    axes[0].fill_between(x, np.exp(exact(TRUTH)[0]), color=plots.EXACT, alpha=0.25, lw=0, label="data")
    styles = {1: ":", 5: "--", 20: "-"}
    for k, theta in thetas.items():
        axes[0].plot(x, np.exp(exact(theta)[0]), styles[k], color=plots.LEARNED, label=f"CD-{k}")
        axes[1].semilogy(
            np.arange(1, len(curves[k]) + 1), curves[k], styles[k], color=plots.LEARNED, label=f"CD-{k}"
        )
    axes[0].set(xlim=(-3.5, 3.5), xlabel="x", title="density learned by CD-k and that of the data")
    axes[1].set(xlabel="updates", title="KL from the data's law, nats")
    for ax in axes:
        ax.legend(frameon=False)
    return picture
