"""Cards of the levels of Karras et al. and of churn (EDM-2, EDM-4)."""

from __future__ import annotations

import math

import numpy as np
from autograd import grad
from hypothesis import strategies as st
from scipy.integrate import quad

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives
from refgen.formulas import annealed, edm, process
from refgen.sources import KARRAS_2022

# ---- EDM-2: the levels
RANGES = dict(
    smallest=positives(1e-3, 0.5),
    ratio=positives(2.0, 1e5),
    rho=st.one_of(st.sampled_from([7.0, 1.0, 2.0]), st.floats(1, 12)),
)


@equation(
    "EDM-2/ends",
    title="the levels begin and end where they are told to",
    formula=process.karras_std,
    latex=r"\sigma(0)=\sigma_{\max},\qquad\sigma(1)=\sigma_{\min}",
    sources=[KARRAS_2022("eq. 5")],
    evidence="algebra",
    how="the numbers that were given",
    given=RANGES,
    tolerance=1e-12,
)
def levels_have_their_ends(karras_std, smallest, ratio, rho):
    largest = smallest * ratio
    return karras_std(np.array([0.0, 1.0]), largest, smallest, rho), np.array([largest, smallest])


@mutant("swapped", of="EDM-2/ends", why="the two ends swapped: the levels rise")
def levels_upwards(fraction, largest, smallest, rho=7.0):
    return (smallest ** (1 / rho) + fraction * (largest ** (1 / rho) - smallest ** (1 / rho))) ** rho


@mutant("power", of="EDM-2/ends", why="powers rho of the ends where roots belong")
def levels_by_powers(fraction, largest, smallest, rho=7.0):
    return (largest**rho + fraction * (smallest**rho - largest**rho)) ** rho


@equation(
    "EDM-2/density",
    title="levels stand as densely as std^(1/rho - 1)",
    formula=process.karras_std,
    latex=r"-\sigma^{1/\rho-1}\,\frac{d\sigma}{df}=\int_{\sigma_{\min}}^{\sigma_{\max}}s^{1/\rho-1}ds"
    r"\quad\text{for all }f",
    sources=[KARRAS_2022("eq. 5, app. D.1")],
    evidence="quadrature",
    how="the derivative of the levels along the fraction; the integral by quadrature, in log std",
    given=dict(fraction=st.sampled_from([0.5, 0.1, 0.9]), **RANGES),
    tolerance=1e-9,
    tolerance32=1e-3,
    examples=40,
)
def levels_are_as_dense_as_that(karras_std, fraction, smallest, ratio, rho):
    largest = smallest * ratio
    std = float(karras_std(np.array(fraction), largest, smallest, rho))
    speed = grad(lambda f: karras_std(f, largest, smallest, rho))(np.array(fraction))
    total = quad(lambda u: math.exp(u / rho), math.log(smallest), math.log(largest), epsrel=1e-12)[0]
    return -(std ** (1 / rho - 1)) * float(speed), total


@mutant("geometric", of="EDM-2/density", why="a constant ratio, as of the levels of NCSN")
def levels_at_a_constant_ratio(fraction, largest, smallest, rho=7.0):
    return annealed.geometric_std(fraction, largest, smallest)


@mutant("even", of="EDM-2/density", why="even in the std itself: hardly a level near the data")
def levels_evenly(fraction, largest, smallest, rho=7.0):
    return largest + fraction * (smallest - largest)


@mutant("outer", of="EDM-2/density", why="the fraction to the power rho, the ends as they are")
def levels_by_power_of_fraction(fraction, largest, smallest, rho=7.0):
    return smallest + (1 - fraction) ** rho * (largest - smallest)


@equation(
    "EDM-2/geometric",
    title="as rho grows the levels come to stand at a constant ratio",
    formula=process.karras_std,
    latex=r"\sigma\to\sigma_{\max}^{1-f}\sigma_{\min}^f\quad(\rho\to\infty),\ \text{as}\ 1/\rho",
    sources=[KARRAS_2022("eq. 5"), KARRAS_2022("app. D.1")],
    evidence="order",
    how="the order in 1/rho of the distance to the levels of a constant ratio, by their logarithms",
    cases=[dict(largest=80.0, smallest=2e-3), dict(largest=10.0, smallest=0.5)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def levels_tend_to_a_constant_ratio(karras_std, largest, smallest):
    rhos, fraction = (200.0, 400.0, 800.0), np.linspace(0, 1, 11)
    limit = np.exp(np.linspace(math.log(largest), math.log(smallest), 11))
    gaps = [np.max(np.abs(np.log(karras_std(fraction, largest, smallest, rho) / limit))) for rho in rhos]
    return -np.polyfit(np.log(rhos), np.log(gaps), 1)[0], 1.0


@mutant("outer", of="EDM-2/geometric", why="the root taken of the ends only: no limit")
def levels_without_their_power(fraction, largest, smallest, rho=7.0):
    return largest ** (1 / rho) + fraction * (smallest ** (1 / rho) - largest ** (1 / rho))


# ---- EDM-4: churn
@equation(
    "EDM-4/variance",
    title="churn adds exactly the noise of the new level",
    formula=edm.churn,
    latex=r"\mathrm{Var}(\hat x\mid x_0)=\hat\sigma^2=(1+\gamma)^2\sigma^2,\qquad S_{noise}=1",
    sources=[KARRAS_2022("Algorithm 2")],
    evidence="algebra",
    how="unit vectors in place of the old noise and the new: the sum of the squares of what becomes of them",
    given=dict(std=positives(2e-3, 80.0), rate=st.one_of(st.sampled_from([0.25, 1.0]), positives(1e-6, 2.0))),
    tolerance=1e-12,
)
def churn_adds_what_is_missing(churn, std, rate):
    x, std_hat = churn(std * np.array([1.0, 0.0]), np.array([0.0, 1.0]), std, rate)
    return np.array([x @ x, std_hat]), np.array([(std + rate * std) ** 2, std + rate * std])


@mutant("difference", of="EDM-4/variance", why="the difference of the stds added, not that of the variances")
def churn_by_difference(x_t, z, std, rate, noise=1.0):
    return x_t + rate * std * z, (1 + rate) * std


@mutant("fresh", of="EDM-4/variance", why="the whole noise of the new level added to that of the old")
def churn_by_the_whole(x_t, z, std, rate, noise=1.0):
    return x_t + (1 + rate) * std * z, (1 + rate) * std


@mutant("level", of="EDM-4/variance", why="noise added, and the level left as it was")
def churn_without_level(x_t, z, std, rate, noise=1.0):
    return x_t + std * math.sqrt(rate * (2 + rate)) * z, std


@mutant("root", of="EDM-4/variance", why="the variance added as if it were a std")
def churn_without_root(x_t, z, std, rate, noise=1.0):
    return x_t + std**2 * rate * (2 + rate) * z, (1 + rate) * std


@equation(
    "EDM-4/inflated",
    title="the noise of churn scales with S_noise",
    formula=edm.churn,
    latex=r"\hat x-x_t=S_{noise}\sqrt{\hat\sigma^2-\sigma^2}\,z",
    sources=[KARRAS_2022("Algorithm 2")],
    evidence="algebra",
    how="Pythagoras: the other leg of a triangle with hypotenuse (1 + gamma) std and leg std, times S_noise",
    given=dict(std=positives(2e-3, 80.0), rate=positives(1e-3, 2.0), noise=positives(0.9, 1.1)),
    tolerance=1e-11,
)
def churn_by_pythagoras(churn, std, rate, noise):
    x, _ = churn(np.zeros(1), np.ones(1), std, rate, noise)
    return x[0], noise * std * math.tan(math.acos(1 / (1 + rate)))


@mutant("plain", of="EDM-4/inflated", why="S_noise forgotten")
def churn_uninflated(x_t, z, std, rate, noise=1.0):
    return x_t + std * math.sqrt(rate * (2 + rate)) * z, (1 + rate) * std


@mutant("root", of="EDM-4/inflated", why="S_noise taken for a variance")
def churn_by_root_of_noise(x_t, z, std, rate, noise=1.0):
    return x_t + std * math.sqrt(noise * rate * (2 + rate)) * z, (1 + rate) * std


def single(a):
    """A number that float32 holds: on either side of an end in both precisions."""
    return float(np.float32(a))


@equation(
    "EDM-4/rate",
    title="churn shares S_churn among the steps, and adds at most as much noise as there was",
    formula=edm.churn_rate,
    latex=r"\gamma=\min\big(S_{churn}/N,\sqrt2-1\big)\ \text{for}\ S_{tmin}\le\sigma\le S_{tmax},\ "
    r"\text{else}\ 0",
    sources=[KARRAS_2022("Algorithm 2")],
    evidence="algebra",
    how="the share of each step, cut where (1 + gamma)^2 - 1 = 1: a root of a quadratic",
    given=dict(
        std=positives(2e-3, 80.0).map(single),
        churn=st.one_of(st.sampled_from([40.0, 0.0, 1.0]), st.floats(0, 100)),
        steps=st.integers(1, 256),
        low=positives(1e-2, 1.0).map(single),
        high=positives(1.0, 80.0).map(single),
    ),
    tolerance=1e-12,
)
def rate_by_the_quadratic(churn_rate, std, churn, steps, low, high):
    inside = not std < low and not std > high
    most = np.max(np.roots([1.0, 2.0, -1.0]))
    return churn_rate(np.array([std]), churn, steps, low, high), np.array([inside * min(churn / steps, most)])


@mutant("unbounded", of="EDM-4/rate", why="no upper bound")
def rate_without_bound(std, churn, steps, low=0.0, high=math.inf):
    return np.where((std >= low) & (std <= high), churn / steps + 0 * std, 0 * std)


@mutant("everywhere", of="EDM-4/rate", why="at every level, in the range or not")
def rate_everywhere(std, churn, steps, low=0.0, high=math.inf):
    return min(churn / steps, math.sqrt(2) - 1) + 0 * std


@mutant("unshared", of="EDM-4/rate", why="the whole of S_churn at each step")
def rate_unshared(std, churn, steps, low=0.0, high=math.inf):
    return np.where((std >= low) & (std <= high), min(churn, math.sqrt(2) - 1) + 0 * std, 0 * std)


@mutant("root", of="EDM-4/rate", why="sqrt 2 where sqrt 2 - 1 belongs: a factor for a share")
def rate_up_to_the_factor(std, churn, steps, low=0.0, high=math.inf):
    return np.where((std >= low) & (std <= high), min(churn / steps, math.sqrt(2)) + 0 * std, 0 * std)
