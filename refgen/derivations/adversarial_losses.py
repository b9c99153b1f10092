"""Cards of what the generator of an adversarial network loses (GAN-3, GAN-4)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, reals, rungs, together
from refgen.formulas import adversarial
from refgen.sources import ARJOVSKY_2017, GOODFELLOW_2014

LOGITS = [together(logits=st.lists(reals(-15, 15), min_size=n, max_size=n).map(np.array)) for n in (1, 3)]
PAIRS = rungs(lambda k: together(p=laws(k), q=laws(k)), 2, 3, 5)


def sigmoid(a):
    return 1 / (1 + anp.exp(-a))


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
    given=PAIRS,
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
    given=PAIRS,
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
