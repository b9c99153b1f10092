"""Cards of where the forward process ends: what is left of the data (FWD-7, FWD-9)."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import strategies as st
from scipy.special import gammaln

from refgen import schedules as noise
from refgen.cards import definition, equation, misprint, mutant
from refgen.cards.strategies import reals, rungs, schedules, together
from refgen.derivations.forward import betas
from refgen.formulas import forward
from refgen.sources import HO_2020, KIM, SJTU


def kl_from_prior(x_0, log_alpha_bar):
    """KL of q(x_T | x_0) from N(0, 1) in one dimension, by the trapezoidal rule over +-12 std."""
    var = -np.expm1(log_alpha_bar)
    z, step = np.linspace(-12, 12, 481, retstep=True)
    x = np.exp(log_alpha_bar / 2) * x_0 + np.sqrt(var) * z
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * step
    return float(density @ ((x**2 - z**2) / 2)) - 0.5 * float(np.log(var))


# ---- FWD-7: the limit
@equation(
    "FWD-7",
    title="x_t goes to N(0, I) exactly where alpha_bar goes to zero",
    formula=forward.is_prior,
    latex=r"x_t \to N(0,I) \iff \bar\alpha_t\to0 \iff \sum_t\beta_t = \infty\quad(0<\beta_t<1)",
    sources=[SJTU("slide 15")],
    evidence="quadrature",
    how="KL from N(0, 1) at T = 4096 and at 4 T, for betas c, c/t and c/t^2: does it still fall?",
    given=together(
        betas=st.sampled_from(["c", "c/t", "c/t^2"]),
        c=st.sampled_from([0.1, 0.5, 0.9, 0.3]),
        x_0=reals(-2, 2),
    ),
    kind="claim",
    examples=40,
)
def limit_is_the_prior_where_no_signal_is_left(is_prior, betas, c, x_0):
    t = np.arange(1, 16385)
    beta = c / t ** {"c": 0, "c/t": 1, "c/t^2": 2}[betas]
    # The infinite product over 1 - c/t^2 is Euler's sine product; the other two are zero.
    limit = np.sinc(np.sqrt(c)) if betas == "c/t^2" else 0.0
    log_alpha_bar = np.cumsum(np.log1p(-beta))
    early, late = kl_from_prior(x_0, log_alpha_bar[4095]), kl_from_prior(x_0, log_alpha_bar[-1])
    return bool(is_prior(limit)), late < 1e-12 or late / early < 0.99


@misprint(
    "ERR-13",
    of="FWD-7",
    printed=r"t\to\infty:\ x_t \to \text{isotropic Gaussian distribution}",
    correct=r"x_t \to N(0,I) \iff \bar\alpha_t \to 0",
    source=SJTU("slide 15"),
    why="betas in (0, 1) are not enough: with 0.1/t^2 alpha_bar ends at 0.843, 2.19 nats away at x_0 = 2",
)
def limit_is_always_the_prior(alpha_bar):
    return True


@equation(
    "FWD-7/summable",
    title="betas c/t^2 leave sin(pi sqrt c) / (pi sqrt c) of alpha_bar, for ever",
    formula=forward.alpha_bar,
    latex=r"\prod_{t=1}^{T}\Big(1-\frac c{t^2}\Big) = "
    r"\frac{\Gamma(T+1-\sqrt c)\,\Gamma(T+1+\sqrt c)}{\Gamma(T+1)^2}\cdot\frac{\sin\pi\sqrt c}{\pi\sqrt c}",
    sources=[SJTU("slide 15")],
    evidence="algebra",
    how="the partial product of Euler's product for the sine, by Gamma functions",
    given=together(
        c=st.one_of(st.sampled_from([0.1, 0.5]), st.floats(0.01, 0.95)), T=st.sampled_from([1, 10, 300])
    ),
    tolerance=1e-11,
)
def summable_betas_keep_signal(alpha_bar, c, T):
    t, root = np.arange(1, T + 1), np.sqrt(c)
    gammas = gammaln(T + 1 - root) + gammaln(T + 1 + root) - 2 * gammaln(T + 1)
    return alpha_bar(c / t**2)[-1], np.exp(gammas) * np.sinc(root)


@mutant("forgets", of="FWD-7/summable", why="exp(-sum of betas): the product for infinitely small steps")
def summable_alpha_bar_by_sum(beta):
    return np.exp(-np.cumsum(beta))


@equation(
    "FWD-7/terminal",
    title="the linear schedule ends near N(0, I), for every number of steps",
    formula=noise.linear,
    latex=r"D_{KL}(q(x_T|x_0)\Vert N(0,I)) \le 3\cdot10^{-5},\quad |x_0|\le1,\ T\le1000",
    sources=[HO_2020("section 4"), SJTU("slide 15")],
    evidence="quadrature",
    how="the KL divergence by the trapezoidal rule, against the bound; 2.02e-5 at T = 1000",
    cases=[dict(T=T, x_0=x_0) for T in (1000, 200, 100, 50, 20) for x_0 in (1.0, 0.0)],
    relation="<=",
    relative=False,
    tolerance=0.0,
    reject_at=1e-2,
    tolerance32=None,
)
def linear_schedule_ends_near_the_prior(linear, T, x_0):
    return kl_from_prior(x_0, np.log(linear(T).alpha_bar[-1])), 3e-5


@mutant(
    "unscaled",
    of="FWD-7/terminal",
    why="betas from 1e-4 to 0.02 whatever T: 50 steps leave alpha_bar = 0.60, 100 leave 0.36",
)
def linear_unscaled(T):
    return SimpleNamespace(alpha_bar=np.cumprod(1 - np.linspace(1e-4, 0.02, T)))


def product_of_the_usual_betas():
    """alpha_bar at T = 1000 in integers: betas are multiples of 1e-4/999, 199 (t - 1) + 999 of them."""
    unit, product = 9_990_000, 1
    for t in range(1000):
        product *= unit - (999 + 199 * t)
    return product / unit**1000


@equation(
    "FWD-7/nats",
    title="a thousand linear steps leave 2.02e-5 nats at x_0 = 1",
    formula=noise.linear,
    latex=r"D_{KL}(q(x_T|x_0)\Vert N(0,1)) = \tfrac12\big((x_0^2-1)\bar\alpha_T-\ln(1-\bar\alpha_T)\big),"
    r"\quad 2.02\cdot10^{-5}\text{ at }x_0=1,\ T=1000",
    sources=[HO_2020("section 4"), SJTU("slide 15")],
    evidence="quadrature",
    how="the KL divergence by the trapezoidal rule, against the product of 1 - beta in integers",
    cases=[dict(T=1000, x_0=x_0) for x_0 in (1.0, 0.0, 2.0)],
    tolerance=1e-9,
    tolerance32=None,
)
def linear_schedule_leaves_so_many_nats(linear, T, x_0):
    left = product_of_the_usual_betas()
    derived = 0.5 * ((x_0**2 - 1) * left - np.log1p(-left))
    return kl_from_prior(x_0, np.log(linear(T).alpha_bar[-1])), derived, left


@mutant("nothing-left", of="FWD-7/nats", why="an end at N(0, I) exactly, which keeps to any upper bound")
def linear_leaving_nothing(T):
    return SimpleNamespace(alpha_bar=np.append(noise.linear(T).alpha_bar[:-1], 1e-300))


@mutant("one-step-early", of="FWD-7/nats", why="the level at T - 1 for that at T, 2 per cent more signal")
def linear_one_step_short(T):
    return SimpleNamespace(alpha_bar=noise.linear(T).alpha_bar[:-1])


@equation(
    "FWD-7/linear",
    title="what the usual thousand steps leave: alpha_bar_T = 4.0358e-5",
    formula=forward.alpha_bar,
    latex=r"\bar\alpha_{1000} = \prod_{t=1}^{1000}(1-\beta_t),\quad \beta_t = 10^{-4}..0.02",
    sources=[HO_2020("section 4")],
    evidence="algebra",
    how="the product in integers: betas are multiples of 1e-4/999, 199 (t - 1) + 999 of them",
    cases=[dict(beta=np.linspace(1e-4, 0.02, 1000))],
    tolerance=1e-12,
)
def alpha_bar_of_the_usual_thousand_steps(alpha_bar, beta):
    return alpha_bar(beta)[-1], product_of_the_usual_betas()


@mutant("one-step-early", of="FWD-7/linear", why="alpha_bar[T - 1], the last but one, taken for alpha_bar_T")
def alpha_bar_of_last_but_one(beta):
    return forward.alpha_bar(beta)[:-1]


# ---- FWD-9: the three constraints
definition(
    "FWD-9",
    title="three constraints make a hierarchical VAE a diffusion model",
    latex=r"\dim x_t = \dim x_0;\quad q(x_t|x_{t-1}) = N(\sqrt{\alpha_t}x_{t-1},(1-\alpha_t)I)"
    r"\text{ without parameters};\quad q(x_T|x_0)\approx N(0,I)",
    sources=[KIM("'Diffusion Model', constraints")],
    shown_by=[
        "FWD-1/mean",
        "FWD-1/variance",
        "FWD-2",
        "FWD-7/terminal",
        "FWD-9/terminal",
        "DELBO-14",
        "tests/formulas/test_forward.py::test_float32_stays_float32_and_leading_axes_broadcast",
    ],
    module=__name__,
)


@equation(
    "FWD-9/terminal",
    title="the last latent is N(0, I) only if nothing is left of the data",
    formula=forward.is_prior,
    latex=r"D_{KL}(q(x_T|x_0)\Vert N(0,I)) = 0 \text{ for all } x_0 \iff \bar\alpha_T = 0",
    sources=[KIM("'Diffusion Model', third constraint")],
    evidence="quadrature",
    how="the KL divergence by the trapezoidal rule at x_0 = 0 and 2: is it zero at both?",
    given=[
        *schedules(1, 4),
        *rungs(lambda T: together(beta=betas(T).map(lambda b: np.append(b, 1.0))), 1, 2),
        together(beta=st.sampled_from([50, 100, 200]).map(lambda T: np.linspace(1e-4, 0.02, T))),
    ],
    kind="claim",
    examples=60,
)
def terminal_law_is_the_prior_without_signal(is_prior, beta):
    with np.errstate(divide="ignore"):
        log_alpha_bar = np.sum(np.log1p(-beta))
    largest = max(kl_from_prior(x_0, log_alpha_bar) for x_0 in (0.0, 2.0))
    return bool(is_prior(float(np.exp(log_alpha_bar)))), largest < 1e-13


@misprint(
    "ERR-10",
    of="FWD-9/terminal",
    printed=r"\text{the latent in the final step } T \text{ must be a standard Gaussian}",
    correct=r"q(x_T|x_0) \to N(0,I) \text{ only as } \bar\alpha_T\to0",
    source=KIM("'Diffusion Model', third constraint"),
    why="never so at a finite T with betas below one: 100 of the usual steps leave 0.23 nats at x_0 = 1",
)
def terminal_law_must_be_the_prior(alpha_bar):
    return True
