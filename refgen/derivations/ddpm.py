"""Cards of Algorithm 1 of DDPM: what training descends, and where it ends (DDPM-1)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss

from refgen.cards import equation, mutant
from refgen.cards.strategies import levels, points, positives, reals, rungs, together
from refgen.formulas import ddpm
from refgen.sources import HO_2020, SALIMANS_2022, SJTU

TARGETS = ("eps", "x_0", "score", "v")


@equation(
    "DDPM-1/gradient",
    title="Algorithm 1: the gradient of a step",
    formula=ddpm.squared_error,
    latex=r"\nabla_\theta\lVert\epsilon-\epsilon_\theta(\sqrt{\bar\alpha_t}x_0+\sqrt{1-\bar\alpha_t}\,\epsilon,\,t)\rVert^2",
    sources=[HO_2020("algorithm 1"), SJTU("slide 23, Algorithm 1")],
    evidence="autodiff",
    how="central differences of the loss of a linear network: exact, the loss being quadratic in its weights",
    given=rungs(
        lambda d: together(
            x_0=points(d),
            eps=points(d),
            alpha_bar=levels(8.0),
            theta=st.lists(reals(-2, 2), min_size=d * d + d, max_size=d * d + d).map(np.array),
        ),
        2,
        3,
        1,
    ),
    tolerance=1e-11,
)
def gradient_of_the_loss(squared_error, x_0, eps, alpha_bar, theta):
    d = len(x_0)
    x_t = np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * eps

    def predicted(theta):
        return anp.reshape(theta[: d * d], (d, d)) @ x_t + theta[d * d :]

    def loss(theta):
        return sum((eps[i] - predicted(theta)[i]) ** 2 for i in range(d))

    derived = np.array([(loss(theta + e / 2) - loss(theta - e / 2)) for e in np.eye(len(theta))])
    size = (np.sum(abs(eps)) + np.sum(abs(predicted(theta))) + 1) ** 2
    return (
        grad(lambda theta: squared_error(eps, predicted(theta)))(theta),
        derived,
        size * (1 + abs(x_t).sum()),
    )


@mutant("mean", of="DDPM-1/gradient", why="the mean over coordinates where the squared norm is their sum")
def mean_squared_error(target, prediction):
    return anp.mean((target - prediction) ** 2, axis=-1)


@mutant("norm", of="DDPM-1/gradient", why="the norm itself, not squared: its gradient has length one")
def norm_of_error(target, prediction):
    return anp.sqrt(anp.sum((target - prediction) ** 2, axis=-1) + 1e-12)


@equation(
    "DDPM-1/optimum",
    title="what the best network predicts, for Gaussian data",
    formula=ddpm.training_target,
    latex=r"\epsilon^*(x)=\frac{\sqrt{1-\bar\alpha_t}\,(x-\sqrt{\bar\alpha_t}m)}{\bar\alpha_tv+1-\bar\alpha_t}"
    r"\text{, and likewise for }x_0,\ s,\ v",
    sources=[HO_2020("algorithm 1"), SJTU("slide 23, Algorithm 1"), SALIMANS_2022("appendix D")],
    evidence="quadrature",
    how="E[target|x_t] by conditioning; claimed is the least-squares line through all pairs (x_t, target), "
    "their means by Gauss-Hermite quadrature, exact for squares",
    given=dict(
        target=st.sampled_from(TARGETS), mean=reals(), var=positives(0.01, 10.0), alpha_bar=levels(8.0)
    ),
    tolerance=1e-10,
)
def least_squares_finds_the_conditional_mean(training_target, target, mean, var, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    z, weight = hermegauss(3)
    z_0, eps = (a.reshape(-1, 1) for a in np.meshgrid(z, z))
    mass = np.outer(weight, weight).reshape(-1) / np.sum(weight) ** 2
    x_0 = mean + np.sqrt(var) * z_0
    x_t = signal * x_0 + std * eps
    wanted = training_target(target, x_0, eps, signal, std)[:, 0]
    centre = mass @ x_t[:, 0]
    spread = x_t[:, 0] - centre
    # The target is of_data x_0 + of_noise eps, and x_t is signal x_0 + std eps: a 2-D Gaussian.
    of_data, of_noise = {"eps": (0, 1), "x_0": (1, 0), "score": (0, -1 / std), "v": (-std, signal)}[target]
    slope = (of_data * signal * var + of_noise * std) / (alpha_bar * var + std**2)
    size = (abs(of_data) * (abs(mean) + np.sqrt(var)) + abs(of_noise)) * (1 + abs(slope))
    at_centre, fitted = mass @ wanted, mass @ (wanted * spread) / (mass @ spread**2)
    scale = np.array([size, size / np.sqrt(alpha_bar * var + std**2)])
    return np.array([at_centre, fitted]), np.array([of_data * mean, slope]), scale


@mutant("score-sign", of="DDPM-1/optimum", why="eps / std as the score's target: the minus forgotten")
def target_with_score_sign(target, x_0, eps, signal, std):
    return eps / std if target == "score" else ddpm.training_target(target, x_0, eps, signal, std)


@mutant("score-variance", of="DDPM-1/optimum", why="-eps / std^2 as the score's target: eps is not x_t - x_0")
def target_with_score_variance(target, x_0, eps, signal, std):
    return -eps / std**2 if target == "score" else ddpm.training_target(target, x_0, eps, signal, std)


@mutant("v-swapped", of="DDPM-1/optimum", why="std eps - signal x_0 for v: the two scales exchanged")
def target_with_v_swapped(target, x_0, eps, signal, std):
    return std * eps - signal * x_0 if target == "v" else ddpm.training_target(target, x_0, eps, signal, std)
