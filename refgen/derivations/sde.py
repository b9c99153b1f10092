"""Cards of reverse and flow on a line: what moves the law of x_t, by exact mixtures (SDE-4, 5, 11)."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import grad
from autograd.scipy.stats import norm
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, reals, together
from refgen.derivations.line import lines, noisy, score
from refgen.formulas import sde
from refgen.sources import ANDERSON_1982, KARRAS_2022, SJTU, SONG_2021

CONTINUOUS = SJTU("'Continuous Diffusion Models'")

# One moment of a process: its level, and what it does there.
MOMENT: dict[str, Any] = dict(
    signal=positives(0.02, 1.0), std=positives(0.1, 5.0), f=reals(-3, 0), g2=positives(0.01, 20.0)
)


def flux_velocity(x, law, signal, std, f, g2):
    """How fast probability crosses x, divided by the density: minus the slope of the CDF in time over it.

    In time signal' = f signal and (std^2)' = 2 f std^2 + g^2; the slope is by automatic differentiation.
    """

    def cdf(x, time):
        var = std**2 + time * (2 * f * std**2 + g2)
        scale = signal * (1 + f * time)
        z = (x - scale * law.means) / anp.sqrt(scale**2 * law.stds**2 + var)
        return anp.sum(law.weights * norm.cdf(z))

    return -grad(cdf, 1)(x, 0.0) / grad(cdf, 0)(x, 0.0)


def on_a_line(law, z, signal, std, f, g2):
    """A point of the noisy law, its score there, the flux and the magnitude of the terms; each (1,)."""
    there = noisy(law, signal, std)
    x = there.means[:1] + z * there.stds[:1]
    slope, speed = score(x, there), np.array([flux_velocity(float(x[0]), law, signal, std, f, g2)])
    return x, slope, speed, abs(f * x) + g2 * abs(slope) + abs(speed)


def _points(**more):
    """Rungs of a mixture, a point in the units of its first mode, a moment of a process, and more."""
    return lines(z=reals(-3, 3), **MOMENT, **more)


LINES = _points()


@equation(
    "SDE-5",
    title="the probability flow carries the law of the forward process",
    formula=sde.flow_velocity,
    latex=r"\frac{dx}{dt}=f\,x-\tfrac12g^2\nabla\log p_t(x)",
    sources=[CONTINUOUS, SONG_2021("eq. 13")],
    evidence="oracle",
    how="what crosses x in an exact mixture on a line: -dF_t/dt over the density,"
    " by automatic differentiation",
    given=LINES,
    tolerance=1e-9,
    examples=40,
)
def velocity_by_flux(flow_velocity, law, z, **moment):
    x, slope, speed, scale = on_a_line(law, z, **moment)
    return flow_velocity(x, slope, moment["f"], moment["g2"]), speed, scale


@mutant("whole", of="SDE-5", why="g^2 where half of it belongs: the reverse SDE without its noise")
def velocity_without_half(x, score, f, g2):
    return f * x - g2 * score


@mutant("sign", of="SDE-5", why="uphill: plus the score")
def velocity_uphill(x, score, f, g2):
    return f * x + 0.5 * g2 * score


@mutant("root", of="SDE-5", why="g where g^2 belongs")
def velocity_with_root(x, score, f, g2):
    return f * x - 0.5 * g2**0.5 * score


@equation(
    "SDE-4",
    title="the reverse SDE has the law of the forward process",
    formula=sde.reverse_drift,
    latex=r"dx=\big[f\,x-g^2\nabla\log p_t\big]dt+g\,d\bar w\quad(dt<0)",
    sources=[CONTINUOUS, ANDERSON_1982("section 3"), SONG_2021("eq. 6")],
    evidence="oracle",
    how="Fokker and Planck backwards in time: drift plus g^2 score / 2, the noise's share, is what crosses x "
    "in an exact mixture on a line",
    given=LINES,
    tolerance=1e-9,
    examples=40,
)
def reverse_by_flux(reverse_drift, law, z, **moment):
    x, slope, speed, scale = on_a_line(law, z, **moment)
    g2 = moment["g2"]
    return reverse_drift(x, slope, moment["f"], g2) + 0.5 * g2 * slope, speed, scale


@mutant("half", of="SDE-4", why="half of g^2, the drift of the ODE, with the noise of the SDE")
def reverse_with_half(x, score, f, g2):
    return f * x - 0.5 * g2 * score


@mutant("sign", of="SDE-4", why="plus the score, with dt < 0: away from the data")
def reverse_uphill(x, score, f, g2):
    return f * x + g2 * score


@mutant("turned", of="SDE-4", why="the drift turned round, too, although dt < 0 does that")
def reverse_turned(x, score, f, g2):
    return -f * x - g2 * score


@equation(
    "SDE-11",
    title="reverse SDE, flow and all between and beyond have the same marginals",
    formula=sde.marginal_drift,
    latex=r"dx=\big[f\,x-\tfrac{1+\eta^2}2g^2\nabla\log p_t\big]dt+\eta\,g\,d\bar w,\quad\eta\ge0",
    sources=[CONTINUOUS, SONG_2021("app. D.1"), KARRAS_2022("app. B.5")],
    evidence="oracle",
    how="Fokker and Planck backwards in time, with noise eta g: drift plus eta^2 g^2 score / 2 "
    "is what crosses x",
    given=_points(noise=reals(0, 3)),
    tolerance=1e-9,
    examples=40,
)
def marginals_by_flux(marginal_drift, law, z, noise, **moment):
    x, slope, speed, scale = on_a_line(law, z, **moment)
    f, g2 = moment["f"], moment["g2"]
    claimed = marginal_drift(x, slope, f, g2, noise) + 0.5 * noise**2 * g2 * slope
    return claimed, speed, scale * (1 + noise**2)


@mutant("linear", of="SDE-11", why="(1 + eta) / 2: right at 0 and 1 only")
def marginal_linear(x, score, f, g2, noise):
    return f * x - 0.5 * (1 + noise) * g2 * score


@mutant("always-reverse", of="SDE-11", why="the drift of the reverse SDE, with less noise or more")
def marginal_always_reverse(x, score, f, g2, noise):
    return f * x - g2 * score


# ---- one step
@equation(
    "SDE-4/step",
    title="mean and variance of an Euler-Maruyama step",
    formula=sde.euler_maruyama_step,
    latex=r"x+b\,dt+\sqrt{g^2|dt|}\,z:\quad E=x+b\,dt,\quad\mathrm{Var}=g^2|dt|",
    sources=[CONTINUOUS],
    evidence="quadrature",
    how="the mean over z by the three nodes of Gauss and Hermite, exact for a square",
    given=together(
        x=points(2),
        drift=points(2),
        g2=positives(0.01, 20.0),
        dt=st.one_of(st.sampled_from([-1.0, 0.5, -0.1]), st.floats(-1, 1).filter(lambda dt: abs(dt) > 1e-3)),
    ),
    tolerance=1e-11,
)
def moments_of_a_step(euler_maruyama_step, x, drift, g2, dt):
    nodes, weights = np.sqrt(3) * np.array([-1.0, 0, 1]), np.array([1, 4, 1]) / 6
    there = euler_maruyama_step(x, drift, g2, dt, nodes[:, None] * np.ones(2))
    centre = x + dt * drift
    claimed = np.stack([weights @ there, weights @ (there - centre) ** 2])
    return claimed, np.stack([centre, g2 * abs(dt) * np.ones(2)]), 1 + abs(x) + abs(drift) + g2


@mutant("dt", of="SDE-4/step", why="noise that grows like dt and not like its root")
def step_with_linear_noise(x, drift, g2, dt, z):
    return x + dt * drift + g2**0.5 * dt * z


@mutant("var", of="SDE-4/step", why="a variance used as a std")
def step_with_variance(x, drift, g2, dt, z):
    return x + dt * drift + g2 * abs(dt) ** 0.5 * z


@mutant("two", of="SDE-4/step", why="sqrt(2 dt), Langevin's noise, with the drift of an SDE")
def step_with_langevin_noise(x, drift, g2, dt, z):
    return x + dt * drift + (2 * g2 * abs(dt)) ** 0.5 * z


@mutant("forward", of="SDE-4/step", why="|dt|: the drift runs forward whatever the sign")
def step_forward(x, drift, g2, dt, z):
    return x + abs(dt) * drift + (g2 * abs(dt)) ** 0.5 * z
