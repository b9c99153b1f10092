"""Cards of flow matching along straight lines (FM)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, points, positives, reals, rungs, together
from refgen.formulas import flow_matching
from refgen.sources import ALBERGO_2023, LIPMAN_2023, LIU_2023

TIMES = st.one_of(st.sampled_from([0.5, 0.25, 0.75]), st.floats(0.02, 0.98))


def pairs(**more):
    return rungs(lambda d: together(x_0=points(d), eps=points(d), **more), 1, 2, 5)


# ---- FM-1: the path and its speed
@equation(
    "FM-1",
    title="the speed of the straight path from data at t = 0 to noise at t = 1",
    formula=flow_matching.target_velocity,
    latex=r"\frac d{dt}\big[(1-t)x_0+t\,\epsilon\big]=\epsilon-x_0",
    sources=[LIPMAN_2023("section 4"), LIU_2023("equation 1"), ALBERGO_2023("section 2")],
    evidence="autodiff",
    how="the derivative of each coordinate of the path by t",
    given=pairs(t=TIMES),
    tolerance=1e-12,
)
def speed_of_the_path(target_velocity, x_0, eps, t):
    along = [grad(lambda t, a=a, b=b: (1 - t) * a + t * b)(t) for a, b in zip(x_0, eps, strict=True)]
    return target_velocity(x_0, eps), np.array(along), 1 + np.abs(x_0) + np.abs(eps)


@mutant("sign", of="FM-1", why="from noise to data: the sign where t = 0 is noise, as some papers have it")
def velocity_to_the_data(x_0, eps):
    return x_0 - eps


@mutant("noise", of="FM-1", why="the noise itself, as a DDPM's network predicts it")
def noise_as_velocity(x_0, eps):
    return eps + 0 * x_0


@equation(
    "FM-1/step",
    title="Euler's step along a line is exact, from any time to any other",
    formula=flow_matching.straight_step,
    latex=r"x_s=x_t+(s-t)\,u",
    sources=[LIU_2023("section 2.1")],
    evidence="algebra",
    how="the path's point at time s",
    given=pairs(t=TIMES, s=st.one_of(st.sampled_from([0.0, 1.0]), TIMES)),
    tolerance=1e-12,
)
def point_at_another_time(straight_step, x_0, eps, t, s):
    x_t, x_s = ((1 - r) * x_0 + r * eps for r in (t, s))
    return straight_step(x_t, eps - x_0, t, s), x_s, 1 + np.abs(x_0) + np.abs(eps)


@mutant("sign", of="FM-1/step", why="the step with t - s: from data towards data's other side")
def step_backwards(x_t, u, t, s):
    return x_t + (t - s) * u


@mutant("reversed", of="FM-1/step", why="time counted from the noise, velocity from the data")
def step_in_reversed_time(x_t, u, t, s):
    return x_t + ((1 - s) - (1 - t)) * u


# ---- FM-2: what the squared error against the speed of single pairs descends
def populations(k):
    counted = st.lists(st.integers(1, 5), min_size=k * k, max_size=k * k).map(
        lambda c: np.array(c).reshape(k, k)
    )
    theta = st.lists(reals(-2, 2), min_size=3, max_size=3).map(np.array)
    return together(counts=counted, theta=theta, shift=st.integers(-2, 2), quarter=st.integers(1, 3))


@equation(
    "FM-2",
    title="the gradient against the speeds of pairs is that against their mean at each point",
    formula=flow_matching.target_velocity,
    latex=r"\nabla_\theta E\lVert v_\theta(x_t)-(\epsilon-x_0)\rVert^2"
    r"=\nabla_\theta E\lVert v_\theta(x_t)-u_t(x_t)\rVert^2,\quad u_t(x)=E[\epsilon-x_0\mid x_t=x]",
    sources=[LIPMAN_2023("theorem 2")],
    evidence="autodiff",
    how="a population of pairs of whole numbers, in any pairing, whose lines meet at quarters: the mean way "
    "still to go from each meeting point, over the time left",
    given=rungs(populations, 2, 3),
    examples=50,
    tolerance=1e-11,
)
def gradients_agree(target_velocity, counts, theta, shift, quarter):
    t, k = quarter / 4, len(counts)
    which = np.repeat(np.arange(k * k), counts.reshape(-1))
    x_0, eps = which // k, which % k + shift
    x_t = ((4 - quarter) * x_0 + quarter * eps) / 4  # quarters: equal ones are equal to the bit
    speed = np.zeros(len(x_t))
    for x in np.unique(x_t):
        speed[x_t == x] = np.mean(eps[x_t == x] - x) / (1 - t)

    def slope(target):
        def loss(theta):
            model = theta[0] + theta[1] * x_t + theta[2] * x_t**2
            return anp.mean((model - target) ** 2)

        return grad(loss)(theta)

    size = 1 + np.abs(theta) @ np.abs([1, 8, 64])
    return slope(target_velocity(x_0[:, None] * 1.0, eps[:, None] * 1.0)[:, 0]), slope(speed), 64 * size


@mutant("sign", of="FM-2", why="from noise to data")
def target_to_the_data(x_0, eps):
    return x_0 - eps


@mutant("noise", of="FM-2", why="the noise itself")
def target_noise(x_0, eps):
    return eps + 0 * x_0


# ---- FM-3: the mean speed is the velocity of the probability flow
def moved_by_mass(x, t, weights, means, var):
    """The velocity on a line that carries the mixture's mass: -dF/dt over the density, F the share below x.

    The mixture at t: means (1 - t) m, variances (1 - t)^2 v + t^2. Shares of the components at x, their
    heights z and stds come back as well.
    """
    std = np.sqrt((1 - t) ** 2 * var + t**2)
    z = (x - (1 - t) * means) / std
    log_height = np.log(weights) - z**2 / 2 - np.log(std)
    share = np.exp(log_height - log_height.max())
    share /= share.sum()
    z_by_t = means / std - z * (t - (1 - t) * var) / std**2
    return -np.sum(share * z_by_t * std), share, z, std


def mixtures(k, low, high):
    means = st.lists(reals(-3, 3), min_size=k, max_size=k).map(np.array)
    return together(weights=laws(k), means=means, var=positives(low, high), x=reals(-3, 3), t=TIMES)


@equation(
    "FM-3",
    title="with the score, the velocity of the straight process's probability flow",
    formula=flow_matching.velocity_from_score,
    latex=r"u_t(x)=-\frac{x+t\,\nabla\log q_t(x)}{1-t}=f(t)\,x-\tfrac12g^2(t)\,\nabla\log q_t(x)",
    sources=[LIPMAN_2023("section 4"), ALBERGO_2023("section 2")],
    evidence="oracle",
    how="mass on a line: how fast the share below x of an exact mixture falls, over the density at x",
    given=rungs(lambda k: mixtures(k, 0.05, 4.0), 1, 2, 3),
    tolerance=1e-10,
)
def flow_carries_the_mass(velocity_from_score, weights, means, var, x, t):
    derived, share, z, std = moved_by_mass(x, t, weights, means, var)
    score = np.array([-np.sum(share * z / std)])
    scale = (1 + abs(x) + np.sum(share * (np.abs(means) + np.abs(z) / std))) / (1 - t)
    return velocity_from_score(np.array([x]), score, 1 - t, t), np.array([derived]), scale


@mutant("sign", of="FM-3", why="the sign of time where t = 0 is noise")
def flow_to_the_data(x_t, score, signal, std):
    return -flow_matching.velocity_from_score(x_t, score, signal, std)


@mutant("swapped", of="FM-3", why="t and 1 - t swapped")
def flow_with_times_swapped(x_t, score, signal, std):
    return flow_matching.velocity_from_score(x_t, score, std, signal)


@mutant("whole", of="FM-3", why="g^2 in place of g^2 / 2: the drift of the reverse SDE, which needs noise")
def drift_of_the_reverse_sde(x_t, score, signal, std):
    return -(x_t + 2 * (signal + std) * std * score) / signal


@mutant("score", of="FM-3", why="the score's sign: the flow of a density that is spread, not carried")
def flow_with_the_scores_sign(x_t, score, signal, std):
    return flow_matching.velocity_from_score(x_t, -score, signal, std)


@equation(
    "FM-3/mean",
    title="the mean speed of the lines through a point is that velocity",
    formula=flow_matching.target_velocity,
    latex=r"E[\epsilon-x_0\mid x_t=x]=-\frac{\partial_tF_t(x)}{q_t(x)}",
    sources=[LIPMAN_2023("theorem 1"), LIU_2023("theorem 3.3")],
    evidence="oracle",
    how="mass on a line, for data at a few points: the share below x falls as fast as the mass flows past x",
    given=rungs(lambda k: mixtures(k, 1.0, 1.0), 1, 2, 3),
    tolerance=1e-10,
)
def mean_speed_carries_the_mass(target_velocity, weights, means, var, x, t):
    derived, share, eps, _ = moved_by_mass(x, t, weights, means, 0.0)
    claimed = np.sum(share[:, None] * target_velocity(means[:, None], eps[:, None]), axis=0)
    return claimed, np.array([derived]), 1 + np.sum(share * (np.abs(means) + np.abs(eps)))


@mutant("sign", of="FM-3/mean", why="from noise to data")
def mean_speed_to_the_data(x_0, eps):
    return x_0 - eps


@mutant("noise", of="FM-3/mean", why="the mean noise, which is minus std times the score and carries nothing")
def mean_noise(x_0, eps):
    return eps + 0 * x_0


# ---- FM-5: levels of other processes on the path
@equation(
    "FM-5",
    title="every level is a point of the straight path, scaled",
    formula=flow_matching.straight_time,
    latex=r"\frac{x_t}{\mathrm{signal}+\mathrm{std}}=(1-t)\,x_0+t\,\epsilon,\qquad "
    r"t=\frac{\mathrm{std}}{\mathrm{signal}+\mathrm{std}}",
    sources=[LIU_2023("section 2.2"), ALBERGO_2023("section 2")],
    evidence="algebra",
    how="the level's point over signal + std, whose shares of x_0 and eps then sum to one",
    given=pairs(signal=positives(0.01, 100.0), std=positives(0.01, 100.0)),
    tolerance=1e-12,
)
def point_on_the_path(straight_time, x_0, eps, signal, std):
    t = straight_time(signal, std)
    derived = (signal * x_0 + std * eps) / (signal + std)
    return (1 - t) * x_0 + t * eps, derived, 1 + np.abs(x_0) + np.abs(eps)


@mutant("power", of="FM-5", why="scaled to unit power, where the shares are a cosine and a sine")
def time_at_unit_power(signal, std):
    return std / np.sqrt(signal**2 + std**2)


@mutant("swapped", of="FM-5", why="t and 1 - t swapped")
def time_from_the_noise(signal, std):
    return signal / (signal + std)


@mutant("variance", of="FM-5", why="variances in place of stds")
def time_by_variances(signal, std):
    return std**2 / (signal**2 + std**2)
