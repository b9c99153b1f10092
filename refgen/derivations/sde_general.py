"""Cards of noise that depends on where it falls: 'any SDE' has a reverse and a flow, with one more term."""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from autograd import grad
from autograd.scipy.stats import norm
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import positives, reals, rungs, together
from refgen.derivations.sde import CONTINUOUS
from refgen.formulas import sde
from refgen.sources import ANDERSON_1982, SONG_2021


def _motions(d):
    """d geometric Brownian motions dx = growth x dt + noise x dW from 1, turned against each other."""

    def arrays(numbers):
        return st.lists(numbers, min_size=d, max_size=d).map(np.array)

    noise = st.one_of(st.just(0.5), positives(0.1, 1.0))
    return together(
        growth=arrays(reals(-1, 1)),
        noise=arrays(noise),
        t=st.one_of(st.just(0.7), positives(0.1, 2.0)),
        z=arrays(reals(-2, 2)),
        angle=st.just(0.0) if d == 1 else reals(-3, 3),
    )


MOTIONS = rungs(_motions, 1, 2, 3)


def turned(growth, noise, t, z, angle):
    r"""What the general formulas take at a point y = M x, and the exact flux over the density there.

    x_i is log-normal, so its CDF F is known and its flux is -dF/dt over dF/dx, by automatic differentiation.
    With y = M x, the rows of G G^T = M diag(noise^2 x^2) M^T have the divergence M (2 noise^2 x).
    """
    turn = np.eye(len(z))
    if len(z) > 1:
        c, s = math.cos(angle), math.sin(angle)
        turn[:2, :2] = [[c, -s], [s, c]]
    x = np.exp((growth - 0.5 * noise**2) * t + noise * math.sqrt(t) * z)
    speed, score = np.zeros(len(z)), np.zeros(len(z))
    for i, (mu, sigma) in enumerate(zip(growth, noise, strict=True)):

        def cdf(x, t, mu=mu, sigma=sigma):
            return norm.cdf((anp.log(x) - (mu - 0.5 * sigma**2) * t) / (sigma * anp.sqrt(t)))

        density = grad(cdf, 0)
        speed[i] = -grad(cdf, 1)(x[i], t) / density(x[i], t)
        score[i] = grad(lambda y, density=density: anp.log(density(y, t)))(x[i])
    diffusion = turn @ np.diag(noise**2 * x**2) @ turn.T
    general = turn @ (growth * x), diffusion, turn @ (2 * noise**2 * x), turn @ score
    scale = np.max(abs(speed)) + np.max(abs(growth * x)) + np.max(noise**2 * x * (2 + x * abs(score)))
    return general, turn @ speed, scale


@equation(
    "SDE-5/any-sde",
    title="the probability flow of any SDE",
    formula=sde.general_flow_velocity,
    latex=r"\frac{dx}{dt}=\mu-\tfrac12\nabla\cdot(GG^\top)-\tfrac12GG^\top\nabla\log p_t",
    sources=[CONTINUOUS, SONG_2021("app. D.1")],
    evidence="oracle",
    how="geometric Brownian motions, turned: their laws are log-normal, and what crosses a point is -dF_t/dt",
    given=MOTIONS,
    tolerance=1e-9,
    examples=30,
)
def flow_of_any_sde(general_flow_velocity, **motion):
    general, speed, scale = turned(**motion)
    return general_flow_velocity(*general), speed, scale


@misprint(
    "ERR-32",
    of="SDE-5/any-sde",
    printed=r"\text{any SDE: }dx=\big[f-\tfrac12g^2\nabla\log p_t\big]dt",
    correct=r"dx=\big[f-\tfrac12\nabla\cdot(GG^\top)-\tfrac12GG^\top\nabla\log p_t\big]dt",
    source=CONTINUOUS,
    why="true for noise that depends on time alone; dx = x dW / 2 moves another law along",
)
def flow_without_divergence(drift, diffusion, divergence, score):
    return drift - 0.5 * (diffusion @ score)


@mutant("whole", of="SDE-5/any-sde", why="the divergence without its half")
def flow_with_whole_divergence(drift, diffusion, divergence, score):
    return drift - divergence - 0.5 * (diffusion @ score)


@equation(
    "SDE-4/any-sde",
    title="the reverse of any SDE",
    formula=sde.general_reverse_drift,
    latex=r"dx=\big[\mu-\nabla\cdot(GG^\top)-GG^\top\nabla\log p_t\big]dt+G\,d\bar w\quad(dt<0)",
    sources=[CONTINUOUS, ANDERSON_1982("section 3"), SONG_2021("app. A")],
    evidence="oracle",
    how="Fokker and Planck backwards in time: the drift plus half of div(G G^T) + G G^T score is what "
    "crosses a point, for turned geometric Brownian motions",
    given=MOTIONS,
    tolerance=1e-9,
    examples=30,
)
def reverse_of_any_sde(general_reverse_drift, **motion):
    general, speed, scale = turned(**motion)
    _, diffusion, divergence, score = general
    return general_reverse_drift(*general) + 0.5 * (divergence + diffusion @ score), speed, scale


@misprint(
    "ERR-32/reverse",
    of="SDE-4/any-sde",
    printed=r"\text{any SDE has a reverse SDE: }dx=\big[f-g^2\nabla\log p_t\big]dt+g\,d\bar w",
    correct=r"dx=\big[f-\nabla\cdot(GG^\top)-GG^\top\nabla\log p_t\big]dt+G\,d\bar w",
    source=CONTINUOUS,
    why="as for the flow: noise that depends on x needs the divergence, twice as much of it",
)
def reverse_without_divergence(drift, diffusion, divergence, score):
    return drift - diffusion @ score


@mutant("half", of="SDE-4/any-sde", why="half of the divergence, which is the flow's share")
def reverse_with_half_divergence(drift, diffusion, divergence, score):
    return drift - 0.5 * divergence - diffusion @ score
