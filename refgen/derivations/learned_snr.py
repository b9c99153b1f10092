"""Cards of the learned signal-to-noise ratio: omega(t), minus its logarithm, as a schedule (SNR-4 to 7)."""

from __future__ import annotations

from decimal import Decimal, localcontext
from itertools import pairwise

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import positives, reals, rungs, together
from refgen.formulas import snr
from refgen.sources import KIM, KINGMA_2021, LUO_2022

SLIDE = KIM("'Diffusion Model', the signal-to-noise ratio")
LEARNED = KIM("'Diffusion Model', the learned signal-to-noise ratio")
LUO = LUO_2022("'Learning Diffusion Noise Parameters'")


def sigmoid(omega):
    """1 / (1 + exp(-omega)) in decimal arithmetic."""
    with localcontext() as context:
        context.prec = 50
        return 1 / (1 + (-Decimal(omega)).exp())


def log_sigmoid(omega):
    """The logarithm of 1 / (1 + exp(-omega)) in decimal arithmetic, as a float."""
    with localcontext() as context:
        context.prec = 50
        return float((1 / (1 + (-Decimal(omega)).exp())).ln())


def omegas(limit):
    return st.one_of(
        st.sampled_from([0.0, 1.0, -1.0, 2.0, -2.0]), st.floats(-36, 36), st.floats(-limit, limit)
    )


@equation(
    "SNR-4",
    title="the ratio of the two sigmoids is exp(-omega)",
    formula=snr.alpha_bar_from_log_snr,
    latex=r"\frac{\bar\alpha_t}{1-\bar\alpha_t}=\exp(-\omega_\eta(t))",
    sources=[LEARNED, LUO, KINGMA_2021("section 3.2")],
    evidence="algebra",
    how="the logarithm of the ratio to 1 - alpha_bar in decimal arithmetic, omega from -300 to 300",
    given=dict(omega=omegas(300.0)),
    tolerance=1e-13,
)
def sigmoids_have_that_ratio(alpha_bar_from_log_snr, omega):
    # 1 - alpha_bar is the sigmoid at the other sign, taken to 50 digits: the formula in its place would let
    # through exp(omega / 2), which has the right ratio to itself, and the subtraction has no digits left.
    # Logarithms are compared, here and below, so that the smallest values must be as accurate as others.
    return np.log(alpha_bar_from_log_snr(-omega)) - log_sigmoid(omega), -omega, 1 + abs(omega)


@mutant("exp", of="SNR-4", why="exp(-omega) taken for alpha_bar itself: above one where omega < 0")
def alpha_bar_is_exp(log_snr):
    return np.exp(log_snr)


@mutant("root", of="SNR-4", why="exp(-omega / 2): over itself at the other sign it has the right ratio")
def alpha_bar_is_root(log_snr):
    return np.exp(log_snr / 2)


def integers(T, ties):
    """omega at t = 1..T: whole numbers, sorted or not, all different unless ties are wanted."""
    drawn = st.lists(st.integers(-9, 9), min_size=T, max_size=T, unique=not ties)
    return together(omega=st.one_of(drawn, drawn.map(sorted)).map(np.array))


@equation(
    "SNR-4/schedule",
    title="exp(-omega) is an SNR only if omega increases",
    formula=snr.is_schedule,
    latex=r"\alpha_t=\bar\alpha_t/\bar\alpha_{t-1}\in(0,1)\text{ for all }t\iff\omega_\eta\text{ increases}",
    sources=[LEARNED, KINGMA_2021("section 3.2")],
    kind="claim",
    evidence="algebra",
    how="the ratios of successive alpha_bar in decimal arithmetic; every one must lie between 0 and 1",
    given=rungs(integers, (2, False), (3, False), (2, True), (5, True)),
)
def every_step_has_a_variance(is_schedule, omega):
    alpha_bar = [sigmoid(-int(w)) for w in omega]
    ratios = [t / s for s, t in pairwise(alpha_bar)]
    return is_schedule(-1.0 * omega), all(0 < alpha < 1 for alpha in ratios)


@misprint(
    "ERR-12",
    of="SNR-4/schedule",
    printed=r"\mathrm{SNR}(t)=\exp(-\omega_\eta(t))\text{ with any network }\omega_\eta",
    correct=r"\mathrm{SNR}(t)=\exp(-\omega_\eta(t))\text{ with an increasing }\omega_\eta",
    source=LEARNED,
    why="where omega falls, alpha_t = alpha_bar_t / alpha_bar_{t-1} > 1: a negative variance, and a negative "
    "weight in the loss",
)
def any_omega_will_do(log_snr):
    return True


@mutant("any-step", of="SNR-4/schedule", why="omega lower at T than at 1, but not checked in between")
def only_the_ends_are_checked(log_snr):
    return bool(log_snr[-1] < log_snr[0])


@mutant("ties", of="SNR-4/schedule", why="omega may also stand still: then alpha = 1, a step without noise")
def ties_will_do(log_snr):
    return bool(np.all(log_snr[1:] <= log_snr[:-1]))


@equation(
    "SNR-4/beta",
    title="variance of a step between two log-SNRs",
    formula=snr.beta_from_log_snr,
    latex=r"1-\alpha_t=1-\frac{1+e^{\omega(t-1)}}{1+e^{\omega(t)}}",
    sources=[LEARNED, KINGMA_2021("section 3.1")],
    evidence="algebra",
    how="the difference in decimal arithmetic of 50 digits",
    given=dict(omega_s=reals(-6.0, 6.0), rise=positives(1e-6, 20.0)),
    tolerance=1e-13,
)
def beta_is_one_minus_a_ratio(beta_from_log_snr, omega_s, rise):
    omega_t = omega_s + rise
    with localcontext() as context:
        context.prec = 50
        derived = 1 - (1 + Decimal(omega_s).exp()) / (1 + Decimal(omega_t).exp())
    return beta_from_log_snr(-omega_t, -omega_s), float(derived)


@mutant("swapped", of="SNR-4/beta", why="the two levels swapped: a negative variance")
def beta_backwards(log_snr_t, log_snr_s):
    return snr.beta_from_log_snr(log_snr_s, log_snr_t)


@equation(
    "SNR-5",
    title="alpha_bar is a sigmoid",
    formula=snr.alpha_bar_from_log_snr,
    latex=r"\bar\alpha_t=\mathrm{sigmoid}(-\omega_\eta(t))",
    sources=[LEARNED, LUO, KINGMA_2021("section 3.2")],
    evidence="algebra",
    how="the logarithm of 1 / (1 + exp(omega)) in decimal arithmetic, omega from -700 to 700",
    given=dict(omega=omegas(700.0)),
    tolerance=1e-13,
)
def alpha_bar_is_a_sigmoid(alpha_bar_from_log_snr, omega):
    return np.log(alpha_bar_from_log_snr(-omega)), log_sigmoid(-omega), 1 + abs(omega)


@mutant("sign", of="SNR-5", why="sigmoid(omega): clean and noise exchanged")
def sigmoid_of_omega(log_snr):
    return snr.alpha_bar_from_log_snr(-log_snr)


@equation(
    "SNR-6",
    title="1 - alpha_bar is the other sigmoid",
    formula=snr.one_minus_alpha_bar_from_log_snr,
    latex=r"1-\bar\alpha_t=\mathrm{sigmoid}(\omega_\eta(t))",
    sources=[LEARNED, LUO],
    evidence="algebra",
    how="the logarithm of 1 / (1 + exp(-omega)) in decimal arithmetic, omega from -700 to 700",
    given=dict(omega=omegas(700.0)),
    tolerance=1e-13,
    reject_at=1e-4,
)
def the_rest_is_the_other_sigmoid(one_minus_alpha_bar, omega):
    return np.log(one_minus_alpha_bar(-omega)), log_sigmoid(omega), 1 + abs(omega)


@mutant("subtraction", of="SNR-6", why="1 - alpha_bar as it stands: no digit is left above a log-SNR of 37")
def one_minus_the_sigmoid(log_snr):
    return 1 - snr.alpha_bar_from_log_snr(log_snr)


# ---- SNR-7
def omega_of(eta):
    """An increasing omega at t = 1..T: the first parameter is where it starts, the others log-steps."""
    return eta[0] + anp.concatenate([anp.zeros(1), anp.cumsum(anp.exp(eta[1:]))])


def square_error_of(omega, var):
    """E (x_0 - E[x_0|x_t])^2 for data N(m, var): the precisions of prior and measurement add."""
    return 1 / (1 / var + anp.exp(-omega))


def kl_of_all_steps(omega, var):
    """E KL of q(x_s|x_t,x_0) from the Gaussian of the same variance about E[x_s|x_t], summed over t >= 2.

    For data of variance var, by the variances of the chain. The mean squared distance between the two means
    is what knowing x_0 takes off the variance of x_s given x_t.
    """
    total = size = 0.0
    alpha_bar, rest = 1 / (1 + np.exp(omega)), 1 / (1 + np.exp(-omega))
    for t in range(1, len(omega)):
        alpha = alpha_bar[t] / alpha_bar[t - 1]
        beta = rest[t] - alpha * rest[t - 1]
        var_s = alpha_bar[t - 1] * var + rest[t - 1]
        given_t = 1 / (alpha / beta + 1 / var_s)
        given_both = 1 / (alpha / beta + 1 / rest[t - 1])
        total += 0.5 * (given_t - given_both) / given_both
        size += 0.5 * (given_t + given_both) / given_both
    return total, size


def learned(T):
    eta = st.lists(reals(-2, 2), min_size=T, max_size=T).map(np.array)
    return together(eta=eta, var=positives(0.1, 10.0))


@equation(
    "SNR-7/value",
    title="the bound through the SNR alone",
    formula=snr.diffusion_loss,
    latex=r"\sum_{t\ge2}L_{t-1}=\tfrac12\sum_{t\ge2}(\mathrm{SNR}(t-1)-\mathrm{SNR}(t))\,"
    r"E\lVert\hat x_\theta-x_0\rVert^2",
    sources=[SLIDE, LEARNED, KINGMA_2021("section 4"), LUO],
    evidence="algebra",
    how="the sum of the exact KLs for Gaussian data and their exact denoiser, by conditioning",
    given=rungs(learned, 2, 3, 5),
    tolerance=1e-10,
)
def loss_is_the_sum_of_kls(diffusion_loss, eta, var):
    omega = omega_of(eta)
    return diffusion_loss(-omega, square_error_of(omega, var)), *kl_of_all_steps(omega, var)


@mutant("shifted", of="SNR-7/value", why="the error at t - 1 weighted with the fall from t - 1 to t")
def loss_with_errors_of_the_step_before(log_snr, square_error):
    return snr.diffusion_loss(log_snr, np.concatenate([square_error[:1], square_error[:-1]]))


@mutant("infinite", of="SNR-7/value", why="t = 1 taken along, its fall measured from SNR(1) to zero")
def loss_with_one_term_more(log_snr, square_error):
    return snr.diffusion_loss(log_snr, square_error) + 0.5 * np.exp(log_snr[0]) * square_error[0]


@equation(
    "SNR-7/gradient",
    title="its gradient, by which a schedule is learned",
    formula=snr.diffusion_loss,
    latex=r"\nabla_\eta\,\tfrac12\sum_{t\ge2}(e^{-\omega_\eta(t-1)}-e^{-\omega_\eta(t)})\,"
    r"E\lVert\hat x_\theta-x_0\rVert^2",
    sources=[LEARNED, KINGMA_2021("section 4")],
    evidence="autodiff",
    how="differences of the sum of exact KLs, at two step lengths, extrapolated",
    given=rungs(learned, 2, 3),
    tolerance=1e-6,
    reject_at=1e-3,
    tolerance32=None,
)
def gradient_is_that_of_the_kls(diffusion_loss, eta, var):
    def loss(eta):
        omega = omega_of(eta)
        return diffusion_loss(-omega, square_error_of(omega, var))

    def slope(direction, h):
        plus, minus = (kl_of_all_steps(omega_of(eta + s * h * direction), var)[0] for s in (1, -1))
        return (plus - minus) / (2 * h)

    derived = np.array([(4 * slope(e, 1e-3) - slope(e, 2e-3)) / 3 for e in np.eye(len(eta))])
    return grad(loss)(eta), derived, 1 + kl_of_all_steps(omega_of(eta), var)[1]


@mutant("sign", of="SNR-7/gradient", why="SNR(t) - SNR(t-1): the gradient leads to a worse schedule")
def loss_with_rising_snr(log_snr, square_error):
    return -snr.diffusion_loss(log_snr, square_error)
