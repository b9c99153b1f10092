"""Cards of generative adversarial networks (GAN): the best discriminator, the game's value, the losses."""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, points, positives, reals, rungs, together
from refgen.formulas import adversarial
from refgen.sources import ARJOVSKY_2017, ARJOVSKY_2017_WGAN, GOODFELLOW_2014, GULRAJANI_2017, MESCHEDER_2018

LOGITS = [together(logits=st.lists(reals(-15, 15), min_size=n, max_size=n).map(np.array)) for n in (1, 3)]


def pairs(**more):
    """Laws of the data and of the generator on a few states."""
    return rungs(lambda k: together(p=laws(k), q=laws(k), **more), 2, 3, 5)


def sigmoid(a):
    return 1 / (1 + anp.exp(-a))


# ---- GAN-1: the best discriminator
@equation(
    "GAN-1",
    title="the best discriminator is the data's share of the points",
    formula=adversarial.optimal_discriminator,
    latex=r"D^*=\arg\max_D\,p\log D+q\log(1-D)=\frac p{p+q}",
    sources=[GOODFELLOW_2014("proposition 1")],
    evidence="algebra",
    how="bisection of the slope of p log D + q log(1 - D), state by state",
    given=pairs(),
    tolerance=1e-11,
)
def best_by_bisection(optimal_discriminator, p, q):
    low, high = np.zeros_like(p), np.ones_like(p)
    for _ in range(60):
        middle = (low + high) / 2
        rises = p * (1 - middle) > q * middle  # the slope times D (1 - D)
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return optimal_discriminator(np.log(p), np.log(q)), (low + high) / 2


@mutant("swapped", of="GAN-1", why="how likely a point is the generator's")
def share_of_the_generator(log_p, log_q):
    return 1 / (1 + np.exp(log_p - log_q))


@mutant("ratio", of="GAN-1", why="the ratio of the densities, which is the odds and not the probability")
def ratio_of_densities(log_p, log_q):
    return np.exp(log_p - log_q)


@mutant("density", of="GAN-1", why="the data's density alone")
def density_alone(log_p, log_q):
    return np.exp(log_p) + 0 * log_q


# ---- GAN-2: the value of the game at the best discriminator
LINE = np.linspace(-40, 40, 4001)


def normal(mean, std):
    return -(((LINE - mean) / std) ** 2) / 2 - math.log(std) - math.log(2 * math.pi) / 2


@equation(
    "GAN-2",
    title="the game's value at the best discriminator is 2 JS - 2 log 2",
    formula=adversarial.game_value,
    latex=r"\mathbb E_p\log\frac p{p+q}+\mathbb E_q\log\frac q{p+q}=2D_{JS}(p,q)-2\log2",
    sources=[GOODFELLOW_2014("theorem 1")],
    evidence="quadrature",
    how="two Gaussians on a line: the value from p / (p + q), the divergence from three entropies",
    given=together(mean=reals(-6, 6), std=positives(0.3, 3)),
    relative=False,
    tolerance=1e-10,
)
def value_by_quadrature(game_value, mean, std):
    log_p, log_q = normal(0.0, 1.0), normal(mean, std)
    p, q = np.exp(log_p), np.exp(log_q)
    log_both = np.logaddexp(log_p, log_q)
    log_mixed = log_both - math.log(2)

    def integral(f):
        return float(np.sum(f) * (LINE[1] - LINE[0]))

    entropies = [-integral(p * log_p), -integral(q * log_q), -integral(np.exp(log_mixed) * log_mixed)]
    divergence = entropies[2] - (entropies[0] + entropies[1]) / 2
    return game_value(divergence), integral(p * (log_p - log_both)) + integral(q * (log_q - log_both))


@mutant("once", of="GAN-2", why="the divergence once, where each of the two laws brings it")
def value_with_one_divergence(divergence):
    return divergence - 2 * math.log(2)


@mutant("log2", of="GAN-2", why="log 2 once: equal laws would have the value -log 2")
def value_with_one_log(divergence):
    return 2 * divergence - math.log(2)


@mutant("sign", of="GAN-2", why="the sign of the loss: laws that differ would be hard to tell apart")
def value_as_a_loss(divergence):
    return 2 * math.log(2) - 2 * divergence


# ---- GAN-3: the generator of the minimax game
@equation(
    "GAN-3",
    title="the generator's loss in the minimax game is log(1 - D)",
    formula=adversarial.minimax_loss,
    latex=r"\log(1-D)=-\log(1+e^a),\qquad D=\frac1{1+e^{-a}}",
    sources=[GOODFELLOW_2014("eq. 1")],
    evidence="algebra",
    how="the probability first, then its logarithm",
    given=LOGITS,
    tolerance=1e-8,
)
def log_of_one_less_the_probability(minimax_loss, logits):
    return minimax_loss(logits), np.log(1 - sigmoid(logits))


@mutant("log-D", of="GAN-3", why="log D for log(1 - D)")
def log_of_the_probability(logits):
    return -np.log1p(np.exp(-logits))


@mutant("sign", of="GAN-3", why="- log(1 - D): the generator would help the discriminator")
def minimax_loss_with_sign(logits):
    return np.log1p(np.exp(logits))


@mutant("nonsaturating", of="GAN-3", why="-log D, which has another value")
def nonsaturating_for_minimax(logits):
    return np.log1p(np.exp(-logits))


def softmax(b):
    return anp.exp(b) / anp.sum(anp.exp(b))


def kl(p, q):
    return anp.sum(p * anp.log(p / q))


def jensen_shannon(p, q):
    return (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / 2


def generator_slope(loss, p, q):
    """Of the mean loss by the logits b of q = softmax(b), the discriminator held at its best for q."""
    best = np.log(p) - np.log(q)
    return grad(lambda b: anp.sum(softmax(b) * loss(best)))(np.log(q))


@equation(
    "GAN-3/slope",
    title="against the best discriminator the minimax loss has the slope of 2 JS",
    formula=adversarial.minimax_loss,
    latex=r"\nabla_\theta\mathbb E_{q_\theta}\log(1-D^*)=\nabla_\theta\,2D_{JS}(p,q_\theta)",
    sources=[GOODFELLOW_2014("section 4.1"), ARJOVSKY_2017("section 2")],
    evidence="autodiff",
    how="the divergence from its definition, differentiated by the logits of a law on a few states",
    given=pairs(),
    relative=False,
    tolerance=1e-11,
)
def slope_of_the_divergence(minimax_loss, p, q):
    derived = grad(lambda b: 2 * jensen_shannon(p, softmax(b)))(np.log(q))
    return generator_slope(minimax_loss, p, q), derived


@mutant("log-D", of="GAN-3/slope", why="log D for log(1 - D)")
def slope_of_log_probability(logits):
    return -anp.log1p(anp.exp(-logits))


@mutant("nonsaturating", of="GAN-3/slope", why="-log D has the slope of another divergence")
def slope_of_nonsaturating(logits):
    return anp.log1p(anp.exp(-logits))


@mutant("half", of="GAN-3/slope", why="a factor of one half: JS once")
def slope_of_one_divergence(logits):
    return -0.5 * anp.log1p(anp.exp(logits))


@equation(
    "GAN-3/saturates",
    title="the slope of the minimax loss is -D: none where the discriminator is sure",
    formula=adversarial.minimax_loss,
    latex=r"\frac{\partial}{\partial a}\log(1-D)=-D",
    sources=[GOODFELLOW_2014("section 3")],
    evidence="autodiff",
    how="the derivative by the logit, against the probability",
    given=LOGITS,
    tolerance=1e-12,
)
def slope_is_the_probability(minimax_loss, logits):
    return grad(lambda a: anp.sum(minimax_loss(a)))(logits), -1 / (1 + np.exp(-logits))


@mutant("nonsaturating", of="GAN-3/saturates", why="-log D slopes by 1 - D, most where D is 0")
def saturation_of_nonsaturating(logits):
    return anp.log1p(anp.exp(-logits))


@mutant("sign", of="GAN-3/saturates", why="the discriminator's side of the game")
def saturation_with_sign(logits):
    return anp.log1p(anp.exp(logits))


# ---- GAN-4: the generator of the game that does not saturate
@equation(
    "GAN-4",
    title="the loss that does not saturate is -log D",
    formula=adversarial.nonsaturating_loss,
    latex=r"-\log D=\log(1+e^{-a})",
    sources=[GOODFELLOW_2014("section 3")],
    evidence="algebra",
    how="the probability first, then its logarithm",
    given=LOGITS,
    tolerance=1e-8,
)
def minus_log_of_the_probability(nonsaturating_loss, logits):
    return nonsaturating_loss(logits), -np.log(sigmoid(logits))


@mutant("minimax", of="GAN-4", why="log(1 - D), the minimax loss")
def minimax_for_nonsaturating(logits):
    return -np.log1p(np.exp(logits))


@mutant("sign", of="GAN-4", why="log D: the generator would be glad to be found out")
def nonsaturating_with_sign(logits):
    return -np.log1p(np.exp(-logits))


@mutant("linear", of="GAN-4", why="1 - D without the logarithm, which saturates too")
def one_less_the_probability(logits):
    return 1 / (1 + np.exp(logits))


@equation(
    "GAN-4/slope",
    title="against the best discriminator -log D has the slope of KL(q || p) - 2 JS",
    formula=adversarial.nonsaturating_loss,
    latex=r"-\nabla_\theta\mathbb E_{q_\theta}\log D^*=\nabla_\theta[D_{KL}(q_\theta\Vert p)-2D_{JS}]",
    sources=[ARJOVSKY_2017("theorem 2.5")],
    evidence="autodiff",
    how="both divergences from their definitions, differentiated by the logits of a law on a few states",
    given=pairs(),
    relative=False,
    tolerance=1e-11,
)
def slope_of_the_difference(nonsaturating_loss, p, q):
    def difference(b):
        return kl(softmax(b), p) - 2 * jensen_shannon(p, softmax(b))

    return generator_slope(nonsaturating_loss, p, q), grad(difference)(np.log(q))


@mutant("minimax", of="GAN-4/slope", why="log(1 - D) has the slope of 2 JS")
def slope_of_minimax(logits):
    return -anp.log1p(anp.exp(logits))


@mutant("odds", of="GAN-4/slope", why="minus the logit, the sum of both losses: KL(q || p) alone")
def slope_of_minus_logit(logits):
    return -logits


@mutant("sign", of="GAN-4/slope", why="log D")
def slope_of_log_d(logits):
    return -anp.log1p(anp.exp(-logits))


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
