"""Cards of why many steps are needed: how far the reverse of one step is from a Gaussian (FWD-12)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad

from refgen.cards import equation, misprint, mutant
from refgen.formulas import forward, mixture
from refgen.sources import KIM, SJTU

# One-dimensional mixtures (weights, means, variances) for x_s, and a point x_t.
MIXTURES = [
    dict(weights=[0.3, 0.7], means=[-1.0, 1.0], variances=[0.3, 0.5], x_t=0.3),
    dict(weights=[0.2, 0.8], means=[-2.0, 1.0], variances=[0.5, 1.0], x_t=-0.5),
    dict(weights=[0.5, 0.5], means=[0.0, 0.0], variances=[0.4, 2.0], x_t=0.8),
]


def log_mixture(x, weights, means, variances):
    """Log-density of a one-dimensional mixture at the points x (...)."""
    logs = [
        np.log(w) - 0.5 * np.log(2 * np.pi * v) - (x - m) ** 2 / (2 * v)
        for w, m, v in zip(weights, means, variances, strict=True)
    ]
    return np.logaddexp.reduce(logs, axis=0)


def third_derivative(x, weights, means, variances):
    """Third derivative of the log-density, by automatic differentiation."""
    w, m, v = map(np.array, (weights, means, variances))
    return grad(grad(grad(lambda y: anp.log(anp.sum(w / anp.sqrt(v) * anp.exp(-((y - m) ** 2) / (2 * v)))))))(
        x
    )


def kl_from_gaussian(x_t, law, beta, mean, var, nodes=801):
    """KL of q(x_s | x_t) from N(mean, var), by the trapezoidal rule; x_t, mean, var: (n,). Returns (n,)."""
    z = np.linspace(-12, 12, nodes)
    width = np.sqrt(beta / (1 - beta))  # of the likelihood, which no reverse step exceeds
    x = mean[:, None] + width * z
    log_p = log_mixture(x, *law) - (x_t[:, None] - np.sqrt(1 - beta) * x) ** 2 / (2 * beta)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    total = p.sum(axis=1, keepdims=True)
    log_p = log_p - log_p.max(axis=1, keepdims=True) - np.log(total * width * (z[1] - z[0]))
    log_gaussian = -0.5 * (x - mean[:, None]) ** 2 / var[:, None] - 0.5 * np.log(2 * np.pi * var)[:, None]
    return np.sum(p / total * (log_p - log_gaussian), axis=1)


def exact_mean(x_t, law, beta):
    """E[x_s | x_t] by quadrature, where x_s is the mixture; x_t: (n,). Returns (n,)."""
    z = np.linspace(-12, 12, 801)
    x = x_t[:, None] / np.sqrt(1 - beta) + np.sqrt(beta / (1 - beta)) * z
    p = np.exp(log_mixture(x, *law) - z**2 / 2)
    return np.sum(p * x, axis=1) / np.sum(p, axis=1)


def kl_of_step(posterior_cov, x_t, law, beta):
    """KL of q(x_s | x_t) from the Gaussian of its mean and of the variance that the formula gives."""
    weights, means, variances = map(np.array, law)
    signal, std = float(np.sqrt(1 - beta)), float(np.sqrt(beta))
    var = posterior_cov(x_t[:, None], weights, means[:, None], variances[:, None, None], signal, std)[:, 0, 0]
    return kl_from_gaussian(x_t, law, beta, exact_mean(x_t, law, beta), var)


@equation(
    "FWD-12",
    title="a reverse step is Gaussian up to a KL divergence of order beta^3",
    formula=mixture.posterior_cov,
    latex=r"D_{KL}(q(x_{t-1}|x_t)\Vert N(E[x_{t-1}|x_t], \mathrm{Var}[x_{t-1}|x_t])) = O(\beta_t^3)",
    sources=[KIM("'Diffusion Model' (it requires a lot of steps)")],
    evidence="order",
    how="slopes of log KL against log beta, 0.1 to 0.0025, on mixtures by quadrature: in [2.5, 3.3]",
    cases=MIXTURES[:2],
    relative=False,
    tolerance=0.4,
    reject_at=0.5,
)
def one_reverse_step_is_gaussian_to_third_order(posterior_cov, weights, means, variances, x_t):
    betas = np.array([0.1, 0.05, 0.02, 0.01, 0.005, 0.0025])
    law, point = (weights, means, variances), np.array([x_t])
    kl = np.array([kl_of_step(posterior_cov, point, law, beta)[0] for beta in betas])
    return np.diff(np.log(np.maximum(kl, 1e-300))) / np.diff(np.log(betas)), np.full(5, 2.9)


@mutant(
    "forward-variance",
    of="FWD-12",
    why="beta_t, the variance of the forward step: the divergence is of order 2",
)
def reverse_cov_as_forward(x_t, weights, means, covs, signal, std):
    return std**2 * np.ones((*x_t.shape, 1))


@mutant(
    "within-only",
    of="FWD-12",
    why="the mean of the components' variances, without the distance of their means",
)
def reverse_cov_within_only(x_t, weights, means, covs, signal, std):
    noisy = mixture.diffused_covs(covs, signal, std)
    r = mixture.responsibilities(x_t, weights, signal * means, noisy)
    return np.sum(r * (std**2 * covs / noisy)[:, 0, 0], axis=-1)[:, None, None]


@equation(
    "FWD-12/total",
    title="T reverse steps are Gaussian up to a total of order 1 / T^2",
    formula=mixture.posterior_cov,
    latex=r"\sum_{t=1}^TE\,D_{KL}(q(x_{t-1}|x_t)\Vert\text{best Gaussian}) = O(T\beta^3) = O(T^{-2})",
    sources=[KIM("'Diffusion Model' (it requires a lot of steps)")],
    evidence="order",
    how="slope of log total KL against log T, for T steps of equal beta to the same terminal level",
    cases=MIXTURES[:1],
    relative=False,
    tolerance=0.3,
    reject_at=0.5,
)
def all_reverse_steps_together(posterior_cov, weights, means, variances, x_t):
    w, m, v = map(np.array, (weights, means, variances))
    steps, totals = np.array([40, 80]), []
    for T in steps:
        beta, total = -np.expm1(-3.0 / T), 0.0
        for t in range(1, T + 1):
            alpha_bar_s, alpha_bar_t = (1 - beta) ** (t - 1), (1 - beta) ** t
            law = (w, np.sqrt(alpha_bar_s) * m, alpha_bar_s * v + 1 - alpha_bar_s)
            x, step = np.linspace(-5, 5, 41, retstep=True)
            q_t = np.exp(log_mixture(x, w, np.sqrt(alpha_bar_t) * m, alpha_bar_t * v + 1 - alpha_bar_t))
            weights_t, means_t, covs_t = w, law[1][:, None], law[2][:, None, None]
            signal, std = float(np.sqrt(1 - beta)), float(np.sqrt(beta))
            var = posterior_cov(x[:, None], weights_t, means_t, covs_t, signal, std)[:, 0, 0]
            kl = kl_from_gaussian(x, law, beta, exact_mean(x, law, beta), var, nodes=161)
            total += float(q_t @ kl) * step
        totals.append(total)
    return np.diff(np.log(totals)) / np.diff(np.log(steps)), np.array([-2.0])


@mutant("forward-variance", of="FWD-12/total", why="beta_t for every variance: the total is of order 1 / T")
def reverse_covs_as_forward(x_t, weights, means, covs, signal, std):
    return reverse_cov_as_forward(x_t, weights, means, covs, signal, std)


@equation(
    "FWD-12/size",
    title="how far a reverse step is from a Gaussian, to leading order",
    formula=forward.reverse_non_gaussianity,
    latex=r"D_{KL} = \frac{\beta_t^3}{12}\big(\partial_x^3\log q_{t-1}\big)^2+O(\beta_t^4)",
    sources=[KIM("'Diffusion Model' (it requires a lot of steps)"), SJTU("slide 16")],
    evidence="quadrature",
    how="KL / beta^3 by quadrature at beta = 0.004, 0.002 and 0.001, extrapolated to zero",
    cases=MIXTURES,
    tolerance=5e-3,
    tolerance32=None,
)
def non_gaussianity_by_extrapolation(reverse_non_gaussianity, weights, means, variances, x_t):
    law, point = (weights, means, variances), np.array([x_t])
    ratios = []
    for beta in (0.004, 0.002, 0.001):
        kl = kl_of_step(mixture.posterior_cov, point, law, beta)[0]
        ratios.append(kl / beta**3)
    limit = (ratios[0] - 6 * ratios[1] + 8 * ratios[2]) / 3
    f, betas = third_derivative(x_t, *law), np.array([0.5, 0.1, 1e-3])
    return reverse_non_gaussianity(f, betas) / betas**3, np.full(3, limit)


@misprint(
    "ERR-17",
    of="FWD-12/size",
    printed=r"\beta_t \text{ small enough: } q(x_{t-1}|x_t) \text{ will also be Gaussian}",
    correct=r"D_{KL}(q(x_{t-1}|x_t)\Vert\text{best Gaussian}) = O(\beta_t^3) > 0",
    source=SJTU("slide 16"),
    why="nearly, but never so for data that are not Gaussian: the divergence is small, not zero",
)
def reverse_step_is_gaussian(third_derivative, beta_t):
    return 0.0 * beta_t


@mutant(
    "second-order",
    of="FWD-12/size",
    why="beta^2 for beta^3: the total over 1 / beta steps would fall with beta only",
)
def non_gaussianity_of_second_order(third_derivative, beta_t):
    return beta_t**2 * third_derivative**2 / 12
