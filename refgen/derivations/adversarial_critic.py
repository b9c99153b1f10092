"""Cards of the critic of a Wasserstein GAN and of the penalty on slopes (GAN-5, GAN-6)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, reals, rungs, together
from refgen.formulas import adversarial
from refgen.sources import ARJOVSKY_2017_WGAN, GULRAJANI_2017, MESCHEDER_2018


# ---- GAN-5: the critic
def on_a_line(n):
    """As many points of data as fake ones on a line, none at the place of another."""
    drawn = st.lists(reals(-4, 4), min_size=2 * n, max_size=2 * n, unique=True).map(np.array)
    return together(both=drawn)


def best_critic(x, y):
    """The values at x and at y of the critic that tells them apart best, its slopes 1 and -1.

    Between two neighbours it rises where more of y than of x lies to the left.
    """
    places = np.sort(np.concatenate([x, y]))
    more = np.array([np.sum(y <= at) - np.sum(x <= at) for at in places[:-1]])
    values = np.concatenate([[0.0], np.cumsum(np.sign(more) * np.diff(places))])
    return (values[np.searchsorted(places, z)] for z in (x, y))


@equation(
    "GAN-5",
    title="the best critic with no slope above 1 finds the Wasserstein distance",
    formula=adversarial.critic_loss,
    latex=r"\min_{|f'|\le1}\ \mathbb E_qf-\mathbb E_pf=-W_1(p,q)",
    sources=[ARJOVSKY_2017_WGAN("eq. 2")],
    evidence="algebra",
    how="on a line: the mean distance of the points, both sides sorted",
    given=rungs(on_a_line, 1, 2, 4),
    relative=False,
    tolerance=1e-12,
)
def distance_of_sorted_points(critic_loss, both):
    x, y = both[: len(both) // 2], both[len(both) // 2 :]
    return critic_loss(*best_critic(x, y)), -np.mean(np.abs(np.sort(x) - np.sort(y)))


@mutant("sign", of="GAN-5", why="the sign turned round: what the critic wins, not what it loses")
def critic_loss_with_sign(values_data, values_fake):
    return np.mean(values_data) - np.mean(values_fake)


@mutant("half", of="GAN-5", why="half of it: the mean over both samples together")
def critic_loss_halved(values_data, values_fake):
    return (np.mean(values_fake) - np.mean(values_data)) / 2


@mutant("fake", of="GAN-5", why="the fake points alone: any constant would count")
def critic_loss_of_fake(values_data, values_fake):
    return np.mean(values_fake) + 0 * np.mean(values_data)


@mutant("logistic", of="GAN-5", why="the logistic loss, as if the critic were a logit")
def critic_loss_logistic(values_data, values_fake):
    return np.mean(np.log1p(np.exp(-values_data))) + np.mean(np.log1p(np.exp(values_fake)))


# ---- GAN-6: the penalty on slopes
@equation(
    "GAN-6",
    title="the penalty on a critic's slope",
    formula=adversarial.gradient_penalty,
    latex=r"\big(\lVert\nabla f\rVert-k\big)^2",
    sources=[GULRAJANI_2017("eq. 3"), MESCHEDER_2018("eq. 9")],
    evidence="algebra",
    how="the largest of the slopes along directions, (k - |g|)^2: that along g itself, by a turn of the axes",
    given=rungs(
        lambda d: together(gradient=points(d, -10, 10), target=st.sampled_from([1.0, 0.0, 2.0])), 1, 2, 5
    ),
    relative=False,
    tolerance=1e-9,
    tolerance32=1e-3,
)
def penalty_of_the_steepest_direction(gradient_penalty, gradient, target):
    slope = 0.0
    for part in gradient:  # turn the axes by pairs until one of them lies along the gradient
        angle = math.atan2(part, slope)
        slope = math.cos(angle) * slope + math.sin(angle) * part
    return gradient_penalty(gradient, target), (target - slope) ** 2


@mutant("square", of="GAN-6", why="the square of the norm less k, squared")
def penalty_of_the_square(gradient, target=1.0):
    return (np.sum(gradient**2, axis=-1) - target) ** 2


@mutant("parts", of="GAN-6", why="each partial derivative drawn to k, not the norm")
def penalty_of_the_parts(gradient, target=1.0):
    return np.sum((np.abs(gradient) - target) ** 2, axis=-1)


@mutant("one-sided", of="GAN-6", why="only slopes above k count: another penalty, of the same name at times")
def penalty_one_sided(gradient, target=1.0):
    return np.maximum(np.sqrt(np.sum(gradient**2, axis=-1)) - target, 0) ** 2


@mutant("absolute", of="GAN-6", why="not squared")
def penalty_absolute(gradient, target=1.0):
    return np.abs(np.sqrt(np.sum(gradient**2, axis=-1)) - target)
