"""Cards of the terms of the loss by the error in eps, and of endless steps (SNR-7)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, reals, rungs, together
from refgen.derivations.learned_snr import kl_of_all_steps
from refgen.formulas import snr
from refgen.sources import KINGMA_2021


# ---- a term
def two_levels(d):
    pair = together(low=reals(-5, 5), rise=positives(0.01, 4.0), var=positives(0.1, 10.0))
    return pair.map(lambda given: given | dict(var=np.full(d, given["var"])))


@equation(
    "SNR-7/term",
    title="a term from the error in eps",
    formula=snr.diffusion_term,
    latex=r"L_{t-1}=\tfrac12\Big(\frac{\mathrm{SNR}(s)}{\mathrm{SNR}(t)}-1\Big)\,"
    r"E\lVert\epsilon-\hat\epsilon\rVert^2",
    sources=[KINGMA_2021("equation 14")],
    evidence="algebra",
    how="the exact KL of one step for Gaussian data, whose noise is known up to its variance given x_t",
    given=rungs(two_levels, 1, 3),
    tolerance=1e-10,
)
def term_is_the_kl(diffusion_term, low, rise, var):
    omega = np.array([low, low + rise])
    derived, size = np.sum([kl_of_all_steps(omega, v) for v in var], axis=0)
    eps_error = np.sum(1 / (1 + np.exp(omega[1]) / var))  # precisions of the prior and the measurement add
    return diffusion_term(-omega[1], -omega[0], eps_error), derived, size


@mutant("swapped", of="SNR-7/term", why="SNR(t) over SNR(s) - 1: a negative loss")
def term_backwards(log_snr_t, log_snr_s, eps_error):
    return snr.diffusion_term(log_snr_s, log_snr_t, eps_error)


@mutant("difference", of="SNR-7/term", why="the difference of the SNRs: the weight of the error in x_0")
def term_with_the_weight_of_x_0(log_snr_t, log_snr_s, eps_error):
    return 0.5 * (np.exp(log_snr_s) - np.exp(log_snr_t)) * eps_error


@mutant("half", of="SNR-7/term", why="without the half")
def term_without_the_half(log_snr_t, log_snr_s, eps_error):
    return np.expm1(log_snr_s - log_snr_t) * eps_error


# ---- endless steps
def paths(d):
    var = st.lists(positives(0.1, 10.0), min_size=d, max_size=d).map(np.array)
    bend = st.sampled_from([0.0, 1.0, -1.0, 3.0])
    return together(var=var, low=reals(-5, 0), rise=positives(0.5, 10.0), bend=bend)


NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(120)


@equation(
    "SNR-7/endless",
    title="with endless steps the loss depends on the ends alone",
    formula=snr.continuous_term,
    latex=r"\tfrac12\int_0^1\omega'(t)\,E\lVert\epsilon-\hat\epsilon\rVert^2dt"
    r"=\tfrac12\sum_i\log\frac{1+\mathrm{SNR}_{\max}v_i}{1+\mathrm{SNR}_{\min}v_i}",
    sources=[KINGMA_2021("equations 17 and 18")],
    evidence="quadrature",
    how="what x_t tells of Gaussian data, in nats: the entropies of x_t less those of its noise, at both "
    "ends; the loss along a line in t and along curves",
    given=rungs(paths, 1, 3),
    examples=50,
    tolerance=1e-9,
)
def loss_of_the_ends(continuous_term, var, low, rise, bend):
    t = (1 + NODES) / 2
    scale = np.expm1(bend) if bend else 1.0
    omega = low + rise * (np.expm1(bend * t) / scale if bend else t)
    slope = rise * (bend * np.exp(bend * t) / scale if bend else np.ones_like(t))
    eps_error = np.sum(1 / (1 + np.exp(omega)[:, None] / var), axis=1)
    information = [0.5 * np.sum(np.log(var + np.exp(o)) - o) for o in (low, low + rise)]
    claimed = np.sum(NODE_WEIGHTS / 2 * continuous_term(slope, eps_error))
    return claimed, information[0] - information[1], 1 + abs(information[0])


@mutant("slope", of="SNR-7/endless", why="without omega': the simple loss, which does depend on the way")
def endless_without_slope(slope, eps_error):
    return 0.5 * eps_error + 0 * slope


@mutant("sign", of="SNR-7/endless", why="the slope of the log-SNR, which is negative")
def endless_with_sign(slope, eps_error):
    return -0.5 * slope * eps_error
