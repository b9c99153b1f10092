"""Cards of noise in continuous time: which SDE it is, and what discrete chains go to (SDE-1 to 3, SDE-10)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import quad

from refgen import ladders, processes, schedules
from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, together
from refgen.derivations.reverse_kernel import slope
from refgen.formulas import process
from refgen.sources import HO_2020, KARRAS_2022, LIPMAN_2023, SALIMANS_2022, SJTU, SONG_2021

CONTINUOUS = SJTU("'Continuous Diffusion Models'")
STENCIL = np.array([1, -9, 45]) / 60  # the derivative, to the sixth order of the spacing


def slope_in_time(of, t, spacing):
    """The derivative by six values, with an error of spacing^6."""
    shifts = spacing * np.array([3, 2, 1])
    return STENCIL @ (of(t + shifts) - of(t - shifts)) / spacing


# ---- SDE-1: which SDE has these marginals
KINDS = {name: processes.named(name) for name in processes.NAMES} | {
    "ve from 0.1 to 50": processes.VE(0.1, 50.0),
    "vp with beta from 0.5 to 5": processes.VP(0.5, 5.0),
    "sub-vp with beta from 1 to 3": processes.SubVP(1.0, 3.0),
}
CHAINS = {
    "through 1000 linear steps": processes.through(schedules.linear(1000)),
    "through 50 cosine steps": processes.through(schedules.cosine(50)),
    "through a ladder of 10": processes.through(ladders.geometric(10, 4.0, 0.02)),
}


def _inside(name):
    """A time of a kind, and a spacing that stays well inside of where it is smooth."""
    latest = min(KINDS[name].latest, 100.0)

    def of(u):
        return dict(name=name, t=latest * u, spacing=0.01 * latest * min(u, 1 - u))

    return st.one_of(st.sampled_from([0.5, 0.25, 0.75]), st.floats(0.002, 0.998)).map(of)


def _between(name):
    """A time between two levels of a chain: the line through them is smooth there only."""
    T = CHAINS[name].levels.T

    def of(k, u):
        return dict(name=name, t=(k + u) / T, spacing=0.01 / T)

    return st.builds(of, st.integers(1, T - 1), st.sampled_from([0.5, 0.25, 0.75]))


@equation(
    "SDE-1/coefficients",
    title="f and g^2 of a process are those of its signal and std",
    formula=processes.coefficients,
    latex=r"\mathrm{signal}'=f\,\mathrm{signal},\qquad (\mathrm{std}^2)'=2f\,\mathrm{std}^2+g^2",
    sources=[
        CONTINUOUS,
        SONG_2021("app. B"),
        KARRAS_2022("section 3"),
        SALIMANS_2022("section 2"),
        LIPMAN_2023("section 4.1"),
    ],
    evidence="quadrature",
    how="six-point differences of signal and std^2 in time, for VE, VP, sub-VP, cosine, EDM, straight noise "
    "and processes through discrete chains",
    given=[st.one_of(*map(_inside, KINDS)), st.one_of(*map(_between, CHAINS))],
    tolerance=1e-8,
    tolerance32=None,
)
def coefficients_by_differences(coefficients, name, t, spacing):
    kind = (KINDS | CHAINS)[name]
    f, g2 = coefficients(kind, t)
    signal, var = kind.signal(t), kind.std(t) ** 2
    signal_slope = slope_in_time(kind.signal, t, spacing)
    var_slope = slope_in_time(lambda times: kind.std(times) ** 2, t, spacing)
    scale = [abs(signal_slope) + signal, abs(var_slope) + 2 * abs(signal_slope) / signal * var]
    return np.array([f * signal, 2 * f * var + g2]), np.array([signal_slope, var_slope]), np.array(scale)


def _of(kind, g2):
    """The coefficients, with another g^2 for the processes of one kind."""

    def coefficients(process, t):
        f, right = processes.coefficients(process, t)
        return f, g2(process, t) if isinstance(process, kind) else right

    return coefficients


for _name, _kind, _g2, _why in (
    (
        "ve-without-g",
        processes.VE,
        lambda process, t: 1.0,
        "g = 1 for an exploding process, whatever its std",
    ),
    ("edm-without-g", processes.EDM, lambda process, t: 1.0, "g = 1 where sqrt(2 t) is right"),
    (
        "ve-without-growth",
        processes.VE,
        lambda process, t: process.std(t) ** 2,
        "g = std, without sqrt(2 log(largest/smallest))",
    ),
    (
        "ve-without-two",
        processes.VE,
        lambda process, t: process.std(t) ** 2 * math.log(process.largest / process.smallest),
        "g = std sqrt(log(largest/smallest)): a 2 forgotten",
    ),
    ("sub-vp-as-vp", processes.SubVP, lambda process, t: -2 * process.drift(t), "g^2 = beta for sub-VP, too"),
    ("no-drift", processes.Straight, lambda process, t: 2 * t, "g^2 = (std^2)', as if there were no drift"),
):
    mutant(_name, of="SDE-1/coefficients", why=_why)(_of(_kind, _g2))


@mutant("beta", of="SDE-1/coefficients", why="f = -beta, that of alpha_bar, where -beta / 2 is its root's")
def coefficients_of_alpha_bar(process, t):
    f, g2 = processes.coefficients(process, t)
    return 2 * f, g2


# ---- SDE-2: DDPM with endless steps
RATES = dict(beta_min=positives(0.01, 1.0), more=positives(0.1, 30.0), t=st.floats(0.01, 1.0))


@equation(
    "SDE-2/integral",
    title="the integral of a beta that is linear in time",
    formula=process.beta_integral,
    latex=r"\int_0^t\beta=\beta_{\min}t+\tfrac12(\beta_{\max}-\beta_{\min})t^2",
    sources=[SONG_2021("app. C")],
    evidence="quadrature",
    how="the line from beta_min to beta_max, integrated",
    given=together(**RATES),
    tolerance=1e-10,
    examples=50,
)
def integral_of_a_line(beta_integral, beta_min, more, t):
    derived, _ = quad(np.interp, 0, t, ([0, 1], [beta_min, beta_min + more]), epsrel=1e-12)
    return beta_integral(t, beta_min, beta_min + more), derived


@mutant("half", of="SDE-2/integral", why="the half of t^2 / 2 forgotten")
def integral_without_half(t, beta_min, beta_max):
    return t * (beta_min + t * (beta_max - beta_min))


@mutant("rate", of="SDE-2/integral", why="t times the rate at t: taken for constant")
def integral_of_constant(t, beta_min, beta_max):
    return t * process.linear_beta(t, beta_min, beta_max)


@equation(
    "SDE-2",
    title="alpha_bar of DDPM goes to exp(-integral of beta) at order 1/T",
    formula=process.vp_signal,
    latex=r"\beta_i=\tfrac1T\beta(\tfrac iT):\quad\prod_{i=1}^T(1-\beta_i)-e^{-\int_0^1\beta}=O(1/T)",
    sources=[CONTINUOUS, SONG_2021("app. B")],
    evidence="order",
    how="the product of T factors for T = 1000 to 16000, beta on a line, beside the square of the signal",
    cases=[dict(beta_min=0.1, beta_max=b) for b in (20.0, 5.0, 0.1)],
    relative=False,
    tolerance=0.15,
    reject_at=0.5,
)
def product_of_endless_steps(vp_signal, beta_min, beta_max):
    counts = 1000 * 2 ** np.arange(5)
    errors = []
    for T in counts.tolist():
        beta = np.interp(np.arange(1, T + 1) / T, [0, 1], [beta_min, beta_max]) / T
        errors.append(abs(math.exp(np.sum(np.log1p(-beta))) - vp_signal(0.5 * (beta_min + beta_max)) ** 2))
    return slope(1 / counts, errors), 1.0


@mutant("alpha-bar", of="SDE-2", why="e^{-B}, which is alpha_bar, taken for the signal")
def signal_as_alpha_bar(integral):
    return math.exp(-integral)


@mutant("first-order", of="SDE-2", why="1 - B / 2, a first order in beta, over the whole of time")
def signal_to_first_order(integral):
    return 1 - 0.5 * integral


@equation(
    "SDE-2/step",
    title="a step of DDPM is a step of the SDE to order beta^2",
    formula=process.vp_drift,
    latex=r"\sqrt{1-\beta}\,x=x-\tfrac12\beta x+O(\beta^2),\qquad g^2=\beta\text{ exactly}",
    sources=[CONTINUOUS, HO_2020("eq. 2"), SONG_2021("app. B")],
    evidence="order",
    how="difference of the two at betas from 0.1 down to 0.00625",
    cases=[dict(x=1.0), dict(x=-3.0)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def step_of_the_chain(vp_drift, x):
    betas = 0.1 / 2 ** np.arange(5)
    errors = [abs(math.sqrt(1 - beta) * x - (x + vp_drift(beta) * x)) for beta in betas.tolist()]
    return slope(betas, errors), 2.0


@mutant("alpha", of="SDE-2/step", why="-beta x, as if a step kept alpha of x and not its root")
def drift_without_half(beta):
    return -beta


# ---- SDE-3: NCSN with endless levels
MIDDLE = st.one_of(st.just(0.5), st.floats(0, 1))
STDS = dict(smallest=positives(0.001, 1.0), ratio=positives(1.1, 1e4), t=MIDDLE)


@equation(
    "SDE-3",
    title="diffusion of the exploding process is the slope of its variance",
    formula=process.ve_diffusion_var,
    latex=r"f=0,\qquad g^2=\frac{d\sigma^2}{dt}=2\sigma^2\log\frac{\sigma_{\max}}{\sigma_{\min}}",
    sources=[CONTINUOUS, SONG_2021("app. C")],
    evidence="autodiff",
    how="the imaginary part of the variance at a time with a small imaginary part",
    given=together(**STDS),
    tolerance=1e-11,
)
def variance_by_complex_step(ve_diffusion_var, smallest, ratio, t):
    var = (smallest * ratio ** (t + 1e-30j)) ** 2
    return ve_diffusion_var(math.sqrt(var.real), smallest * ratio, smallest), var.imag / 1e-30


@mutant("unit", of="SDE-3", why="g = 1: noise that does not know its std")
def unit_diffusion(std, largest, smallest):
    return 1.0 + 0 * std


@mutant("no-growth", of="SDE-3", why="g = std, without sqrt(2 log(largest/smallest))")
def diffusion_without_growth(std, largest, smallest):
    return std**2


@mutant("root", of="SDE-3", why="d sigma / dt in place of d sigma^2 / dt")
def diffusion_of_std(std, largest, smallest):
    return std * np.log(largest / smallest)


@equation(
    "SDE-3/chain",
    title="Euler steps of the exploding process add its variance to order 1/T",
    formula=process.ve_diffusion_var,
    latex=r"\sum_ig^2(t_i)\,\tfrac1T-(\sigma_{\max}^2-\sigma_{\min}^2)=O(1/T)",
    sources=[CONTINUOUS],
    evidence="order",
    how="the sum over T = 1000 to 16000 steps, beside the variance of NCSN's chain, exact at every level",
    cases=[dict(smallest=0.02, largest=4.0), dict(smallest=0.01, largest=50.0)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def variance_of_endless_levels(ve_diffusion_var, smallest, largest):
    counts = 1000 * 2 ** np.arange(5)
    errors = []
    for T in counts.tolist():
        std = np.geomspace(smallest, largest, T + 1)
        exact = np.sum(np.diff(std) * (std[1:] + std[:-1]))
        errors.append(abs(np.sum(ve_diffusion_var(std[1:], largest, smallest)) / T - exact))
    return slope(1 / counts, errors), 1.0


@mutant("no-growth", of="SDE-3/chain", why="g = std: another variance, however many steps")
def chain_without_growth(std, largest, smallest):
    return std**2


@mutant("two", of="SDE-3/chain", why="a factor 2 left out of g^2")
def chain_without_two(std, largest, smallest):
    return std**2 * math.log(largest / smallest)
