"""Cards of Algorithm 2 of DDPM as a whole: for Gaussian data the sampler is affine (DDPM-2 to DDPM-4).

It is run once on a batch whose rows differ in one input each: x_T, or the noise of one step. What comes out
is its matrix, and from that the exact mean and variance of its samples. No random numbers, no distances.
"""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, positives, reals, rungs, together
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Gaussian
from refgen.samplers import ancestral
from refgen.schedules import from_beta, named
from refgen.sources import HO_2020, SJTU

ALGORITHM = SJTU("slide 23, Algorithm 2")
VARIANCES = st.sampled_from(["small", "large"])


class Impulses:
    """A stream of noise that is 1 in row k + 1 at the k-th step and 0 elsewhere; or 1 everywhere."""

    def __init__(self, everywhere=False):
        self.everywhere, self.drawn, self.xp = everywhere, 0, np

    def normal(self, *shape, dtype=np.float64):
        noise = self.xp.full(shape, float(self.everywhere), dtype)
        for step in noise if len(shape) == 3 else noise[None]:
            self.drawn += 1
            if self.drawn + 1 < len(step):
                step[self.drawn + 1] = 1
        return noise


def mean_and_variance(sampler, denoiser, schedule, variance):
    """Of the samples, exactly. Row 0 has all inputs 0, row 1 has x_T = 1, and each other row one noise."""
    x_T = np.zeros((schedule.T + 2, 1))
    x_T[1] = 1
    x_0 = sampler(denoiser, schedule, x_T, Impulses(), variance)[:, 0]
    return np.array([x_0[0], np.sum((x_0[1:] - x_0[0]) ** 2)])


def forward_moments(beta, mean, var):
    """Mean and variance of x_t for t = 0..T, step by step, for data N(mean, var)."""
    means, variances = [mean], [var]
    for b in beta:
        means.append(np.sqrt(1 - b) * means[-1])
        variances.append((1 - b) * variances[-1] + b)
    return means, variances


def reverse_path(beta, mean, var, variance):
    """(gain, offset, sigma^2) of x_s = gain x_t + offset + sigma z for t = T..1: conditioning x_s on x_t."""
    means, variances = forward_moments(beta, mean, var)
    _, rest = forward_moments(beta, 0.0, 0.0)
    for t in range(len(beta), 0, -1):
        b = beta[t - 1]
        gain = np.sqrt(1 - b) * variances[t - 1] / variances[t]
        # Of q(x_s|x_t,x_0), precisions adding; or of q(x_t|x_s). No noise in the last step.
        spread = b if variance == "large" else 1 / ((1 - b) / b + 1 / rest[t - 1]) if t > 1 else 0.0
        yield gain, means[t - 1] - gain * means[t], spread if t > 1 else 0.0


def schedule_of(beta):
    """The schedule of these betas; a few steps leave signal at T, which is meant here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_beta(beta)


def gaussian_runs(*lengths):
    def of(T):
        beta = st.lists(alphas(1e-4, 0.9), min_size=T, max_size=T).map(lambda a: 1.0 - np.array(a))
        return together(beta=beta, mean=reals(-3, 3), var=positives(0.01, 10.0), variance=VARIANCES)

    return rungs(of, *lengths)


def walk(update, noise_at_the_end=False):
    """A sampler made of one update (x, denoiser, schedule, t, variance, z) -> x; for the wrong forms."""

    def sampler(denoiser, schedule, x_T, rng, variance):
        x = x_T
        for t in range(schedule.T, 0, -1):
            noisy = t > 1 or noise_at_the_end
            z = rng.normal(1, *x.shape, dtype=x.dtype)[0] if noisy else np.zeros_like(x)
            x = update(x, denoiser, schedule, t, float(ancestral.step_variances(schedule, variance)[t]), z)
        return x

    return sampler


def algorithm_2(x, denoiser, schedule, t, var, z, scale=None):
    """The line of Algorithm 2, here with any scale in the place of sqrt(alpha_t)."""
    alpha, (signal, std) = float(schedule.alpha[t]), schedule.level(t)
    scale = scale or float(np.sqrt(alpha))
    return (x - (1 - alpha) / std * denoiser.eps(x, signal, std)) / scale + float(np.sqrt(var)) * z


@equation(
    "DDPM-2",
    title="Algorithm 2: mean and variance of its samples",
    formula=ancestral.ancestral,
    latex=r"x_{t-1}=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon_\theta(x_t,t)\Big)"
    r"+\hat\sigma_{t-1}z,\qquad z=0\ (t=1)",
    sources=[HO_2020("algorithm 2"), ALGORITHM],
    evidence="algebra",
    how="for data N(m, v), the recursion of the exact E[x_s|x_t], by conditioning, with sigma^2 added",
    given=gaussian_runs(2, 3, 5, 1),
    tolerance=1e-10,
    examples=60,
)
def samples_have_that_mean_and_variance(sampler, beta, mean, var, variance):
    claimed = mean_and_variance(
        sampler, ExactDenoiser(Gaussian([mean], [[var]])), schedule_of(beta), variance
    )
    m, v, size = 0.0, 1.0, abs(mean)
    for gain, offset, spread in reverse_path(beta, mean, var, variance):
        m, v, size = gain * m + offset, gain**2 * v + spread, gain * size + abs(offset) + abs(mean)
    return claimed, np.array([m, v]), np.array([size + np.sqrt(v), v])


@misprint(
    "ERR-22",
    of="DDPM-2",
    printed=r"\mu_\theta=\frac1{\sqrt{\bar\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon_\theta\Big)",
    correct=r"\mu_\theta=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon_\theta\Big)",
    source=SJTU("slide 22; slide 23 has it right"),
    why="every step undoes the scaling of all steps before it; the samples grow without bound",
)
def sampler_with_alpha_bar(denoiser, schedule, x_T, rng, variance):
    def update(x, denoiser, schedule, t, var, z):
        return algorithm_2(x, denoiser, schedule, t, var, z, scale=schedule.level(t)[0])

    return walk(update)(denoiser, schedule, x_T, rng, variance)


@misprint(
    "ERR-25",
    of="DDPM-2",
    printed=r"\hat\sigma_{t-1}=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    correct=r"\hat\sigma_{t-1}^2=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    source=SJTU("slide 23; slide 19 has it right"),
    why="the variance printed as the standard deviation, which Algorithm 2 on the same slide multiplies "
    "with z: far too little noise",
)
def sampler_with_variance_for_std(denoiser, schedule, x_T, rng, variance):
    printed = ancestral.step_variances(schedule, "small")
    return ancestral.ancestral(denoiser, schedule, x_T, rng, printed**2)


@mutant(
    "prior",
    of="DDPM-2",
    why="posterior mean with sqrt(abar_t) for sqrt(abar_t / abar_s): misses even the prior",
)
def sampler_with_signal_of_all_steps(denoiser, schedule, x_T, rng, variance):
    def update(x, denoiser, schedule, t, var, z):
        signal, std = schedule.level(t)
        rest, before = float(schedule.one_minus_alpha_bar[t - 1]), float(schedule.signal[t - 1])
        beta = float(schedule.beta[t])
        pulled = (signal * rest * x + before * beta * denoiser.x_0(x, signal, std)) / std**2
        return pulled + float(np.sqrt(var)) * z

    return walk(update)(denoiser, schedule, x_T, rng, variance)


@mutant(
    "off-grid",
    of="DDPM-2",
    why="s recomputed as t - T // steps, not read off the grid: x lands between levels",
)
def sampler_off_its_grid(denoiser, schedule, x_T, rng, variance):
    def update(x, denoiser, schedule, t, var, z):
        signal, std = schedule.level(t)
        before = float(schedule.alpha_bar[t - 1] * schedule.alpha_bar[max(t - 2, 0)]) ** 0.5
        return ancestral.reverse_step(x, denoiser.x_0(x, signal, std), z, signal**2 / before, before, var)

    return walk(update)(denoiser, schedule, x_T, rng, variance)


class OfUnitGaussian(Denoiser):
    """The exact denoiser of data from N(0, I): x_t is N(0, I) at every level."""

    def eps(self, x, signal, std):
        return std * x

    def x_0(self, x, signal, std):
        return signal * x


@equation(
    "DDPM-3/final",
    title="variance of samples of N(0, 1) in 1000 steps",
    formula=ancestral.ancestral,
    latex=r"v_{t-1}=\alpha_tv_t+\sigma_t^2:\quad v_0=0.99107\ (\tilde\beta),\ 0.9999\ (\beta)\text{, linear}",
    sources=[HO_2020("section 3.2"), SJTU("slide 23")],
    evidence="algebra",
    how="the sum of all sigma^2, each times the product of the alphas after it",
    cases=[dict(name=n, T=1000, variance=v) for n in ("linear", "cosine") for v in ("small", "large")],
    tolerance=1e-11,
)
def final_variance_is_a_sum(sampler, name, T, variance):
    schedule = named(name, T)
    beta, rest = schedule.beta[1:], 0.0
    kept, total = 1.0, 0.0  # the product of alphas up to s, and what all steps add
    for t in range(1, T + 1):
        b = beta[t - 1]
        if t > 1:
            total += kept * (b if variance == "large" else b * rest / ((1 - b) * rest + b))
        kept, rest = kept * (1 - b), (1 - b) * rest + b
    claimed = mean_and_variance(sampler, OfUnitGaussian(), schedule, variance)
    return claimed, np.array([0.0, kept + total]), np.array([1.0, 1.0])


@misprint(
    "ERR-25",
    of="DDPM-3/final",
    printed=r"\hat\sigma_{t-1}=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    correct=r"\hat\sigma_{t-1}^2=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    source=SJTU("slide 23; slide 19 has it right"),
    why="the variance used as the standard deviation: the samples have almost no variance left",
)
def long_sampler_with_variance_for_std(denoiser, schedule, x_T, rng, variance):
    return sampler_with_variance_for_std(denoiser, schedule, x_T, rng, variance)


@equation(
    "DDPM-4",
    title="the last step adds no noise and returns x_0-hat",
    formula=ancestral.ancestral,
    latex=r"\hat\sigma_0=0,\qquad x_0=\mu_\theta(x_1,1)=\hat x_0(x_1)\quad(\bar\alpha_0=1)",
    sources=[HO_2020("algorithm 2"), SJTU("slide 23")],
    evidence="algebra",
    how="conditioning, step by step, with z = 1 in all steps but the last",
    given=[together(run=run, x_T=reals(-3, 3)) for run in gaussian_runs(1, 2, 3)],
    tolerance=1e-10,
    examples=60,
)
def last_step_is_the_denoiser(sampler, run, x_T):
    beta, mean, var, variance = run["beta"], run["mean"], run["var"], run["variance"]
    denoiser = ExactDenoiser(Gaussian([mean], [[var]]))
    claimed = sampler(denoiser, schedule_of(beta), np.array([[x_T]]), Impulses(everywhere=True), variance)
    x, size = x_T, abs(x_T)
    for gain, offset, spread in reverse_path(beta, mean, var, variance):
        x, size = gain * x + offset + np.sqrt(spread), gain * size + abs(offset) + np.sqrt(spread) + abs(mean)
    return claimed[0, 0], x, size


@mutant("noisy-end", of="DDPM-4", why="noise added in the last step too: samples of blurred data")
def sampler_with_noise_at_the_end(denoiser, schedule, x_T, rng, variance):
    return walk(algorithm_2, noise_at_the_end=True)(denoiser, schedule, x_T, rng, "large")


@mutant(
    "first-level", of="DDPM-4", why="alpha_bar before the first step taken to be alpha_bar_1, where it is 1"
)
def sampler_without_clean_level(denoiser, schedule, x_T, rng, variance):
    def update(x, denoiser, schedule, t, var, z):
        signal, std = schedule.level(t)
        before = float(schedule.alpha_bar[max(t - 1, 1)])
        return ancestral.reverse_step(
            x, denoiser.x_0(x, signal, std), z, float(schedule.alpha[t]), before, var
        )

    return walk(update)(denoiser, schedule, x_T, rng, variance)
