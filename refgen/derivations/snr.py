"""Cards of the signal-to-noise ratio (SNR-1 to SNR-3)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from scipy.special import logit

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, laws, levels, positives, rungs, schedules, together
from refgen.formulas import snr
from refgen.sources import KIM, KINGMA_2021, LUO_2022

SLIDE = KIM("'Diffusion Model', the signal-to-noise ratio")
LUO = LUO_2022("'Learning Diffusion Noise Parameters'")


# ---- SNR-1
@equation(
    "SNR-1",
    title="SNR, a ratio of powers for data of unit power",
    formula=snr.snr,
    latex=r"\mathrm{SNR}(t)=\frac{\bar\alpha_t}{1-\bar\alpha_t}"
    r"=\frac{E\lVert\sqrt{\bar\alpha_t}x_0\rVert^2}{E\lVert\sqrt{1-\bar\alpha_t}\epsilon\rVert^2}"
    r"\quad(E\lVert x_0\rVert^2=d)",
    sources=[SLIDE, KINGMA_2021("section 3.1"), LUO],
    evidence="algebra",
    how="power of the signal over power of the noise, summed over a data set whose mean square is one",
    given=rungs(
        lambda k: together(
            alpha_bar=levels(),
            weights=laws(k),
            values=st.lists(positives(0.1, 9.0), min_size=k, max_size=k).map(np.array),
        ),
        1,
        2,
        4,
    ),
    tolerance=1e-14,
    reject_at=1e-9,
)
def snr_is_a_ratio_of_powers(ratio, alpha_bar, weights, values):
    data = values / np.sqrt(weights @ values**2)
    return ratio(alpha_bar), weights @ (np.sqrt(alpha_bar) * data) ** 2 / (1 - alpha_bar)


@misprint(
    "ERR-7",
    of="SNR-1",
    printed=r"\mathrm{SNR}(t)=\frac{\mu^2}{\sigma^2}",
    correct=r"\mathrm{SNR}(t)=\frac{\bar\alpha_t}{1-\bar\alpha_t}"
    r"=\frac{\mu^2}{\sigma^2}\text{ for data of mean square one only}",
    source=SLIDE,
    why="squared mean over variance of q(x_t|x_0) is alpha_bar |x_0|^2 / (1 - alpha_bar), another number for "
    "every data point; coded for x_0 = 3",
)
def squared_mean_over_variance(alpha_bar):
    x_0 = 3.0
    return (np.sqrt(alpha_bar) * x_0) ** 2 / (1 - alpha_bar)


@mutant("precedence", of="SNR-1", why="a / 1. - a in a program: the division binds before the subtraction")
def snr_without_brackets(alpha_bar):
    return alpha_bar / 1.0 - alpha_bar


@mutant("root", of="SNR-1", why="signal over std, a ratio of amplitudes: the square is missing")
def snr_of_amplitudes(alpha_bar):
    return np.sqrt(alpha_bar / (1 - alpha_bar))


@equation(
    "SNR-1/log",
    title="log-SNR of a level",
    formula=snr.log_snr,
    latex=r"\log\mathrm{SNR}=2\log\frac{\mathrm{signal}}{\mathrm{std}}=\mathrm{logit}(\bar\alpha_t)",
    sources=[KINGMA_2021("section 3.1"), LUO],
    evidence="algebra",
    how="logit of alpha_bar",
    given=dict(alpha_bar=levels()),
    tolerance=1e-13,
)
def log_snr_is_the_logit(log_snr, alpha_bar):
    size = abs(np.log(alpha_bar)) + abs(np.log1p(-alpha_bar))
    return log_snr(float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))), logit(alpha_bar), size


@mutant("half", of="SNR-1/log", why="log(signal / std), half the log-SNR, as some papers define lambda")
def half_log_snr(signal, std):
    return np.log(signal / std)


# ---- SNR-2
def one_step():
    return dict(alpha_t=alphas(), alpha_bar_s=levels())


@equation(
    "SNR-2/weight",
    title="weight of x_0 in the bound",
    formula=snr.denoising_weight,
    latex=r"\frac1{2\sigma_q^2(t)}\frac{\bar\alpha_{t-1}(1-\alpha_t)^2}{(1-\bar\alpha_t)^2}",
    sources=[SLIDE, LUO],
    evidence="algebra",
    how="half the precision of q(x_s|x_t,x_0) times the squared coefficient of x_0 in its mean",
    given=one_step(),
    tolerance=1e-12,
)
def weight_is_that_of_the_kl(denoising_weight, alpha_t, alpha_bar_s):
    precision = alpha_t / (1 - alpha_t) + 1 / (1 - alpha_bar_s)
    coefficient = np.sqrt(alpha_bar_s) / (1 - alpha_bar_s) / precision
    return denoising_weight(alpha_t, alpha_bar_s), 0.5 * precision * coefficient**2


@mutant("single", of="SNR-2/weight", why="1 - alpha_bar_t once in the denominator, not squared")
def weight_over_a_single_variance(alpha_t, alpha_bar_s):
    return snr.denoising_weight(alpha_t, alpha_bar_s) * (1 - alpha_t * alpha_bar_s)


@equation(
    "SNR-2/difference",
    title="that weight is half the fall of the SNR",
    formula=snr.denoising_weight,
    latex=r"\tfrac12\Big(\frac{\bar\alpha_{t-1}}{1-\bar\alpha_{t-1}}-\frac{\bar\alpha_t}{1-\bar\alpha_t}\Big)"
    r"=\tfrac12(\mathrm{SNR}(t-1)-\mathrm{SNR}(t))",
    sources=[SLIDE, LUO, KINGMA_2021("section 4")],
    evidence="algebra",
    how="the difference of the two ratios in exact fractions, however small beta is",
    given=one_step(),
    tolerance=1e-14,
    reject_at=1e-9,
)
def weight_is_half_the_fall(denoising_weight, alpha_t, alpha_bar_s):
    a, s = Fraction(alpha_t), Fraction(alpha_bar_s)
    return denoising_weight(alpha_t, alpha_bar_s), float((s / (1 - s) - a * s / (1 - a * s)) / 2)


@mutant("sign", of="SNR-2/difference", why="SNR(t) - SNR(t-1): negative weights, a loss to be maximised")
def rise_of_the_snr(alpha_t, alpha_bar_s):
    return -snr.denoising_weight(alpha_t, alpha_bar_s)


@mutant("half", of="SNR-2/difference", why="the half of the Gaussian KL forgotten")
def whole_fall_of_the_snr(alpha_t, alpha_bar_s):
    return 2 * snr.denoising_weight(alpha_t, alpha_bar_s)


@mutant("precedence", of="SNR-2/difference", why="s / 1. - s in a program, for s / (1 - s), in both ratios")
def fall_without_brackets(alpha_t, alpha_bar_s):
    t, s = alpha_t * alpha_bar_s, alpha_bar_s
    return 0.5 * ((s / 1.0 - s) - (t / 1.0 - t))


# ---- SNR-3
def noise_power(beta):
    """1 - alpha_bar at 0..T, by the recursion of the chain."""
    powers = [0.0]
    for b in beta:
        powers.append((1 - b) * powers[-1] + b)
    return np.array(powers)


@equation(
    "SNR-3",
    title="the SNR falls, at least by alpha_t in each step",
    formula=snr.snr,
    latex=r"\mathrm{SNR}(t)\le\alpha_t\,\mathrm{SNR}(t-1)<\mathrm{SNR}(t-1)",
    sources=[SLIDE],
    evidence="algebra",
    how="the chain step by step: the signal's power shrinks by alpha_t, the noise's power never does",
    given=schedules(),
    relation="<=",
    tolerance=1e-10,
)
def snr_falls(ratio, beta):
    signal, noise = np.cumprod(1 - beta), noise_power(beta)[1:]
    before = signal[:-1] / noise[:-1]
    return ratio(signal[1:]), (1 - beta[1:]) * before, before


@mutant("inverse", of="SNR-3", why="noise over signal: rises with t")
def noise_to_signal(alpha_bar):
    return (1 - alpha_bar) / alpha_bar


@equation(
    "SNR-3/equal",
    title="by exactly alpha_t where there is only noise",
    formula=snr.snr,
    latex=r"\mathrm{SNR}(t)/\mathrm{SNR}(t-1)\to\alpha_t\quad(\bar\alpha_{t-1}\to0)",
    sources=[SLIDE],
    evidence="algebra",
    how="the case of equality: at alpha_bar = 1e-13 the noise's power is one before and after the step",
    given=dict(alpha_t=alphas()),
    tolerance=1e-12,
)
def snr_falls_by_alpha_in_noise(ratio, alpha_t):
    return ratio(1e-13 * alpha_t) / 1e-13, alpha_t


@mutant("square", of="SNR-3/equal", why="powers squared once more")
def snr_squared(alpha_bar):
    return (alpha_bar / (1 - alpha_bar)) ** 2
