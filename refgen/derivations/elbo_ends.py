"""Cards of the two ends of the diffusion ELBO, the decoder's term L_0 and the prior's term L_T (DELBO)."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import levels, points, positives, rungs, together
from refgen.formulas import elbo
from refgen.sources import HO_2020, KIM, SJTU


# ---- DELBO-13
@equation(
    "DELBO-13",
    title="L_0 of a Gaussian decoder",
    formula=elbo.l_0_gaussian,
    latex=r"L_0 = \frac{\lVert x_0-\hat x_0(x_1)\rVert^2}{2s_0^2}+\frac d2\log2\pi s_0^2,\quad s_0^2>0",
    sources=[SJTU("slides 21 to 23"), HO_2020("section 3.3")],
    evidence="algebra",
    how="SciPy's log-density, coordinate by coordinate",
    given=rungs(
        lambda d: together(x_0=points(d), x_0_hat=points(d), decoder_var=positives(1e-6, 10.0)), 1, 2
    ),
    tolerance=1e-12,
)
def l_0_is_minus_a_log_density(l_0_gaussian, x_0, x_0_hat, decoder_var):
    logs = norm.logpdf(x_0, x_0_hat, math.sqrt(decoder_var))
    squares = np.sum((np.abs(x_0) + np.abs(x_0_hat)) ** 2) / decoder_var
    scale = squares + len(x_0) * (2 + abs(math.log(decoder_var)))
    return l_0_gaussian(x_0, x_0_hat, decoder_var), -math.fsum(logs), scale


@equation(
    "DELBO-13/decoder",
    title="L_0 exists: the decoder has a variance of its own",
    formula=elbo.l_0_gaussian,
    latex=r"-\log p_\theta(x_0\mid x_1)<\infty\ \text{for } s_0^2>0",
    sources=[SJTU("slide 23"), HO_2020("section 3.3")],
    evidence="algebra",
    how="SciPy's log-density at an error of 0.01, and at none, with the variance beta_1 = 1e-4",
    cases=[dict(x_0=np.array([0.5]), x_0_hat=np.array([x]), decoder_var=1e-4) for x in (0.49, 0.5)],
    tolerance=1e-9,
)
def l_0_is_finite_near_the_data(l_0_gaussian, x_0, x_0_hat, decoder_var):
    return l_0_gaussian(x_0, x_0_hat, decoder_var), -norm.logpdf(x_0[0], x_0_hat[0], math.sqrt(decoder_var))


def _kl_from_width(x_0, x_0_hat, decoder_var, width):
    """KL of N(x_0, width I) from the decoder; the limit of width 0 is infinite."""
    d, ratio = x_0.shape[-1], width / decoder_var
    log_ratio = math.log(ratio) if ratio > 0 else -math.inf
    return 0.5 * (d * (ratio - 1 - log_ratio) + np.sum((x_0 - x_0_hat) ** 2, -1) / decoder_var)


@misprint(
    "ERR-24",
    of="DELBO-13/decoder",
    printed=r"E_q[-\log p_\theta(x_0|x_1)] = D_{KL}(q(x_0|x_1,x_0)\Vert p_\theta(x_0|x_1))",
    correct=r"E_q[-\log p_\theta(x_0|x_1)] = E\Big[\frac{\lVert x_0-\hat x_0\rVert^2}{2s_0^2}\Big]+\frac d2"
    r"\log2\pi s_0^2",
    source=SJTU("slide 23"),
    why="q(x_0|x_1,x_0) is a point mass: for continuous x_0 its KL from any density is infinite; "
    "for discrete x_0 the line is right (DELBO-13/discrete)",
)
def l_0_as_a_kl(x_0, x_0_hat, decoder_var):
    return _kl_from_width(x_0, x_0_hat, decoder_var, 0.0)


@misprint(
    "ERR-24/narrow",
    of="DELBO-13",
    printed=r"D_{KL}(q(x_0|x_1,x_0)\Vert p_\theta(x_0|x_1)),\ q=N(x_0,10^{-16}I)",
    correct=r"E_q[-\log p_\theta(x_0|x_1)]",
    source=SJTU("slide 23, N(x_0; x_0, 0) read as a narrow Gaussian"),
    why="with a std of 1e-8 for the point mass the KL is finite and grows by -log std for each coordinate",
)
def l_0_as_a_kl_from_a_narrow_gaussian(x_0, x_0_hat, decoder_var):
    return _kl_from_width(x_0, x_0_hat, decoder_var, 1e-16)


def _l_0_with(x_0, x_0_hat, var):
    square = np.sum((x_0 - x_0_hat) ** 2, -1)
    if var == 0:
        return math.inf if square > 0 else -math.inf
    return square / (2 * var) + 0.5 * x_0.shape[-1] * math.log(2 * math.pi * var)


@misprint(
    "ERR-26",
    of="DELBO-13/decoder",
    printed=r"\Sigma_\theta(x_t,t)=\hat\sigma_{t-1}^2I\ \text{for all } t",
    correct=r"\Sigma_\theta(x_t,t)=\hat\sigma_{t-1}^2I\ \text{for } t\ge2;\quad \Sigma_"
    r"\theta(x_1,1)=s_0^2I,\ s_0^2>0",
    source=SJTU("slides 22 and 23"),
    why="at t = 1 the posterior's variance is 0, and a decoder of variance 0 has no likelihood",
)
def l_0_with_posterior_variance(x_0, x_0_hat, decoder_var):
    return _l_0_with(x_0, x_0_hat, 0.0)


@misprint(
    "ERR-26/clipped",
    of="DELBO-13",
    printed=r"\Sigma_\theta(x_1,1)=10^{-20}I",
    correct=r"\Sigma_\theta(x_1,1)=s_0^2I",
    source=SJTU("slides 22 and 23, the variance 0 clipped to 1e-20, as programs do"),
    why="an error of 0.01 in x_0 then costs 5e15 nats, and none at all gains 22",
)
def l_0_with_clipped_variance(x_0, x_0_hat, decoder_var):
    return _l_0_with(x_0, x_0_hat, 1e-20)


@equation(
    "DELBO-13/eps",
    title="L_0 as a squared error in eps at t = 1",
    formula=elbo.l_0_eps_weight,
    latex=r"\frac{\lVert x_0-\hat x_0(x_1)\rVert^2}{2s_0^2} = \frac1{2s_0^2}\frac{1-\bar\alpha_1}{\bar"
    r"\alpha_1}"
    r"\lVert\epsilon-\epsilon_\theta(x_1,1)\rVert^2",
    sources=[SJTU("slide 23")],
    evidence="algebra",
    how="x_1 from x_0 and the noise, and the x_0 that the guessed noise implies, subtracted",
    given=rungs(
        lambda d: together(
            x_0=points(d),
            eps=points(d),
            guess=points(d),
            alpha_1=levels(15),
            decoder_var=positives(1e-4, 10.0),
        ),
        1,
        2,
        5,
    ),
    tolerance=1e-12,
)
def decoder_error_is_a_noise_error(l_0_eps_weight, x_0, eps, guess, alpha_1, decoder_var):
    signal, std = math.sqrt(alpha_1), math.sqrt(1 - alpha_1)
    x_1 = signal * x_0 + std * eps
    x_0_hat = np.linalg.solve(signal * np.eye(len(x_0)), x_1 - std * guess)
    derived = np.sum((x_0 - x_0_hat) ** 2) / (2 * decoder_var)
    reach = np.abs(x_0) + (np.abs(x_1) + std * np.abs(guess)) / signal
    claimed = l_0_eps_weight(signal, std, decoder_var) * np.sum((eps - guess) ** 2)
    return claimed, derived, np.sum(reach**2) / decoder_var


@mutant("root", of="DELBO-13/eps", why="std / signal without its square")
def l_0_weight_without_square(signal, std, decoder_var):
    return std / signal / (2 * decoder_var)


@mutant("log-std", of="DELBO-13/eps", why="decoder_var taken for a std and squared")
def l_0_weight_of_std(signal, std, decoder_var):
    return elbo.l_0_eps_weight(signal, std, decoder_var**2)


# ---- DELBO-14
@equation(
    "DELBO-14",
    title="L_T: how far x_T is from the prior",
    formula=elbo.l_T,
    latex=r"L_T=D_{KL}(q(x_T\mid x_0)\Vert N(0,I))"
    r"=\tfrac12\big[\bar\alpha_T\lVert x_0\rVert^2-d\bar\alpha_T-d\log(1-\bar\alpha_T)\big]",
    sources=[HO_2020("eq. 5"), KIM("'Diffusion Model', prior matching term"), SJTU("slides 21 and 22")],
    evidence="quadrature",
    how="three-point Gauss-Hermite rule for the mean log-ratio of the densities, exact for a quadratic",
    given=rungs(lambda d: together(x_0=points(d), alpha_bar_T=levels()), 1, 2, 5),
    tolerance=1e-12,
)
def l_T_is_its_integral(l_T, x_0, alpha_bar_T):
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    mean, std = math.sqrt(alpha_bar_T) * x_0, math.sqrt(1 - alpha_bar_T)
    x_T = mean[:, None] + std * nodes
    logs = -0.5 * nodes**2 - math.log(std) + 0.5 * x_T**2
    scale = np.sum((0.5 * nodes**2 - math.log(std) + 0.5 * x_T**2) @ weights) / weights.sum()
    return l_T(x_0, alpha_bar_T), np.sum(logs @ weights) / weights.sum(), scale


@mutant("log-sign", of="DELBO-14", why="+ d log(1 - alpha_bar_T): the determinants exchanged")
def l_T_with_log_sign(x_0, alpha_bar_T):
    return elbo.l_T(x_0, alpha_bar_T) + x_0.shape[-1] * math.log1p(-alpha_bar_T)


@mutant("mean-for-sum", of="DELBO-14", why="the mean over coordinates where a KL is their sum")
def l_T_averaged(x_0, alpha_bar_T):
    return elbo.l_T(x_0, alpha_bar_T) / x_0.shape[-1]


@mutant("log-std", of="DELBO-14", why="a log-std where the log-variance stands: half of the logarithm")
def l_T_with_log_std(x_0, alpha_bar_T):
    return elbo.l_T(x_0, alpha_bar_T) + 0.25 * x_0.shape[-1] * math.log1p(-alpha_bar_T)
