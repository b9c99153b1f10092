"""Cards of the proof of denoising score matching: its cross term, line by line (DSM-4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, reals
from refgen.derivations import line
from refgen.formulas import denoising
from refgen.sources import SONG_NOTES, VINCENT_2011


class Setting(NamedTuple):
    """Data x (n,) with masses p, noisy points (m,) that are step apart, a model's score s there."""

    law: line.Law
    x: np.ndarray
    p: np.ndarray
    noisy: np.ndarray
    step: float
    std: float
    model: Callable[[Any], Any]

    @property
    def s(self):
        return self.model(self.noisy)

    @property
    def kernel(self):
        """q(noisy|x), (n, m)."""
        return kernel(self.noisy, self.x[:, None], self.std)

    @property
    def target(self):
        """The score of the kernel, (n, m), by differentiating its log."""
        log_kernel = lambda z: -0.5 * ((z - self.x[:, None]) / self.std) ** 2  # noqa: E731
        return elementwise_grad(log_kernel)(np.broadcast_to(self.noisy, self.kernel.shape))


def kernel(noisy, x, std):
    return anp.exp(-0.5 * ((noisy - x) / std) ** 2) / np.sqrt(2 * np.pi * std**2)


def density(z, law):
    return anp.exp(line.log_density(z, law))


def by_the_score(at):
    noisy_law = line.noisy(at.law, 1.0, at.std)
    return -at.step * np.sum(density(at.noisy, noisy_law) * line.score(at.noisy, noisy_law) * at.s)


def by_the_quotient(at):
    q = density(at.noisy, noisy_law := line.noisy(at.law, 1.0, at.std))
    quotient = elementwise_grad(density)(at.noisy, noisy_law) / np.where(q > 0, q, 1.0)
    return -at.step * np.sum(q * quotient * at.s)


def by_the_gradient(at):
    return -at.step * np.sum(elementwise_grad(density)(at.noisy, line.noisy(at.law, 1.0, at.std)) * at.s)


def by_the_gradient_of_the_integral(at):
    moved = at.p @ np.exp(-0.5 * ((at.noisy + 1e-30j - at.x[:, None]) / at.std) ** 2)
    slope = np.imag(moved) / 1e-30 / np.sqrt(2 * np.pi * at.std**2)
    return -at.step * np.sum(slope * at.s)


def by_the_integral_of_the_gradient(at):
    slope = elementwise_grad(kernel)(np.broadcast_to(at.noisy, at.kernel.shape), at.x[:, None], at.std)
    return -at.step * np.sum((at.p @ slope) * at.s)


def by_the_score_of_the_kernel(at):
    return -at.step * np.sum((at.p @ (at.kernel * at.target)) * at.s)


def by_the_double_integral(at):
    return -at.p @ (at.kernel * at.target * at.s).sum(1) * at.step


def by_the_noise(at):
    eps, weights = np.polynomial.hermite_e.hermegauss(60)
    s = at.model(at.x[:, None] + at.std * eps)
    return at.p @ (s @ (weights / np.sum(weights) * eps)) / at.std


LINES = [
    (
        by_the_score,
        r"-\int q_\sigma(\tilde x)\,\nabla\log q_\sigma(\tilde x)^\top s\,d\tilde x",
        "the score itself",
    ),
    (
        by_the_quotient,
        r"-\int q_\sigma(\tilde x)\,\frac{\nabla q_\sigma(\tilde x)}{q_\sigma(\tilde x)}^\top s\,d\tilde x",
        "the gradient over the density",
    ),
    (by_the_gradient, r"-\int\nabla q_\sigma(\tilde x)^\top s\,d\tilde x", "the density cancels"),
    (
        by_the_gradient_of_the_integral,
        r"-\int\Big(\nabla\!\int p(x)q_\sigma(\tilde x\mid x)dx\Big)^\top s\,d\tilde x",
        "the noisy density as an integral",
    ),
    (
        by_the_integral_of_the_gradient,
        r"-\int\Big(\int p(x)\nabla q_\sigma(\tilde x\mid x)dx\Big)^\top s\,d\tilde x",
        "differentiated under the integral",
    ),
    (
        by_the_score_of_the_kernel,
        r"-\int\Big(\int p\,q_\sigma(\tilde x\mid x)\nabla\log q_\sigma(\tilde x\mid x)dx\Big)^\top s",
        "the kernel's own score",
    ),
    (
        by_the_double_integral,
        r"-\iint p\,q_\sigma(\tilde x\mid x)\nabla\log q_\sigma(\tilde x\mid x)^\top s\,dx\,d\tilde x",
        "one double integral",
    ),
    (
        by_the_noise,
        r"-E_{x}E_{\tilde x\mid x}[\nabla\log q_\sigma(\tilde x\mid x)^\top s]",
        "an expectation over data and noise",
    ),
]


def with_the_sign(s, target):
    return np.sum(target * s, axis=-1)


def with_the_square(s, target):
    return -np.sum(target * s**2, axis=-1)


def register(number, derived, latex, step):
    """Each line of the proof against the last, which is the formula averaged over pairs."""

    @equation(
        f"DSM-4/{number}",
        title=f"the cross term, line {number}: {step}",
        formula=denoising.cross_term,
        latex=latex + r"=E_{x,\tilde x}[-\nabla\log q_\sigma(\tilde x\mid x)^\top s(\tilde x)]",
        sources=[SONG_NOTES("'Denoising Score Matching', middle term"), VINCENT_2011("appendix")],
        evidence="quadrature",
        how="this line as it stands, summed over a grid"
        if number < 8
        else "Gauss and Hermite's rule over the noise",
        given=line.lines(1, 2, slope=reals(-2, 2), wave=reals(-2, 2), std=positives(0.3, 2.0)),
        tolerance=1e-9,
        examples=20,
    )
    def line_of_the_proof(cross_term, law, slope, wave, std):
        x, noisy, mass = line.joint(law, 1.0, std)
        at = Setting(
            law, x, line.tabulated(law, std)[1], noisy, noisy[1] - noisy[0], std,
            lambda z: slope * z + wave * np.sin(z),
        )  # fmt: skip
        target = (x[:, None] - noisy) / std**2
        pairs = [np.broadcast_to(a, mass.shape)[..., None] for a in (at.s, target)]
        scale = np.sum(mass * abs(target * at.s)) + 1e-6
        return np.sum(mass * cross_term(*pairs)), derived(at), scale

    of = f"DSM-4/{number}"
    mutant("sign", of=of, why="the minus of the expanded square lost")(with_the_sign)
    mutant("square", of=of, why="s squared in the cross term of (a - b)^2")(with_the_square)


for number, (derived, latex, step) in enumerate(LINES, start=1):
    register(number, derived, latex, step)
