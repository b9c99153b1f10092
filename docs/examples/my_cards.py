"""Cards of one's own: run with  refgen verify docs/examples/my_cards.py

The claim: a Gaussian smoothed by a Gaussian is a Gaussian whose variances add. The formula is two lines; the
card checks it against numerical integration, and shows that the check is sharp: it rejects adding the stds.
"""

import numpy as np
from scipy.integrate import quad

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, reals
from refgen.sources import BISHOP_2006


def smoothed_log_density(x, mean, std, noise):
    """log of the density at x of N(mean, std^2) plus independent N(0, noise^2)."""
    var = std**2 + noise**2
    return -0.5 * ((x - mean) ** 2 / var + np.log(2 * np.pi * var))


@equation(
    "MINE-1",
    title="variances add when noise is added",
    formula=smoothed_log_density,
    latex=r"X\sim N(\mu,\sigma^2),\ \epsilon\sim N(0,s^2) \Rightarrow X+\epsilon\sim N(\mu,\sigma^2+s^2)",
    sources=[BISHOP_2006("section 2.3")],
    evidence="quadrature",
    how="the convolution of the two densities, integrated by scipy.integrate.quad",
    given=dict(x=reals(-2, 2), mean=reals(-2, 2), std=positives(0.3, 3), noise=positives(0.3, 3)),
    tolerance=1e-8,
    examples=30,
)
def density_is_a_convolution(smoothed_log_density, x, mean, std, noise):
    def density(r, s):
        return np.exp(-0.5 * (r / s) ** 2) / (s * np.sqrt(2 * np.pi))

    centre = (mean * noise**2 + x * std**2) / (std**2 + noise**2)  # where the integrand is largest
    reach = 12 * min(std, noise)
    integral, _ = quad(
        lambda y: density(y - mean, std) * density(x - y, noise), centre - reach, centre + reach
    )
    # Compared as densities: the scale of a log-density passes through zero.
    return np.exp(smoothed_log_density(x, mean, std, noise)), integral


@mutant("stds-add", of="MINE-1", why="the standard deviations are added in place of the variances")
def smoothed_with_stds_added(x, mean, std, noise):
    return smoothed_log_density(x, mean, std + noise, 0.0)
