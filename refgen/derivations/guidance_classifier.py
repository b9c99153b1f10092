"""Cards of the classifier that guides: p(c | x_t), its slope, and its loss (GUIDE-4, GUIDE-7)."""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad, grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, levels, points, rungs, tables, together
from refgen.derivations import line
from refgen.derivations.guidance import at_level, by_hand, classes
from refgen.formulas import guidance
from refgen.sources import DHARIWAL_2021, FIELD, HO_2022, SONG_2021


# ---- GUIDE-4: p(c | x_t) at every level
@equation(
    "GUIDE-4",
    title="p(c|x_t) at a level of noise is Bayes' rule on the noisy laws of the classes",
    formula=guidance.log_class,
    latex=r"p(c\mid x_t)=\frac{p(c)\,q_t(x_t\mid c)}{\sum_b p(b)\,q_t(x_t\mid b)}",
    sources=[SONG_2021("section 5")],
    evidence="quadrature",
    how="E[p(c|x_0) | x_t] by a sum over the clean x_0, where p(c|x_0) is known",
    given=classes(),
    tolerance=1e-9,
    examples=50,
)
def class_by_clean_points(log_class, law, x_t, alpha_bar):
    signal, std, noisy = at_level(law, alpha_bar)
    x_0, mass = line.posterior(x_t, law, signal, std)
    z = (x_0[:, None] - law.means) / law.stds
    parts = law.weights / law.stds * np.exp(-(z**2) / 2)
    derived = mass @ (parts / np.maximum(np.sum(parts, axis=1, keepdims=True), 1e-300))
    z_t = (x_t - noisy.means) / noisy.stds
    claimed = log_class(-(z_t**2) / 2 - np.log(noisy.stds), np.log(law.weights))
    return np.exp(claimed), derived, np.ones_like(derived)


@mutant("prior", of="GUIDE-4", why="the shares of the classes left out: all taken for equally likely")
def class_without_prior(log_likelihoods, log_prior):
    e = np.exp(log_likelihoods - np.max(log_likelihoods))
    return np.log(e / np.sum(e))


@mutant("joint", of="GUIDE-4", why="not divided by the density of x_t: its gradient is the conditional score")
def class_not_normalised(log_likelihoods, log_prior):
    return log_likelihoods + log_prior


def places(**more):
    return rungs(lambda n: together(x_t=points(n), alpha_bar=levels(4.0), law=LINE, **more), 1, 3)


LINE = st.one_of(*(rung.map(lambda drawn: drawn["law"]) for rung in line.lines(2, 3)))


def first_component(law):
    """log p(c | x) of the first component at points (n, 1), by numbers alone, so that x may be anywhere."""
    log_heights = [math.log(w / std) for w, std in zip(law.weights, law.stds, strict=True)]
    components = list(zip(log_heights, law.means.tolist(), law.stds.tolist(), strict=True))

    def log_prob_c(x):
        parts = [height - 0.5 * ((x[:, 0] - mean) / std) ** 2 for height, mean, std in components]
        largest = parts[0]
        for part in parts[1:]:
            largest = anp.maximum(largest, part)
        return parts[0] - largest - anp.log(sum(anp.exp(part - largest) for part in parts))

    return log_prob_c


@equation(
    "GUIDE-4/gradient",
    title="the classifier's slope is the conditional score less the unconditional one",
    formula=guidance.class_score,
    latex=r"\nabla\log p(c\mid x_t)=\nabla\log q_t(x_t\mid c)-\nabla\log q_t(x_t)",
    sources=[HO_2022("section 3.2"), FIELD("the gradient of a probability in place of its logarithm")],
    evidence="algebra",
    how="the two scores of a noisy mixture in closed form; the formula differentiates the classifier",
    given=places(),
    tolerance=1e-12,
    examples=50,
)
def slope_is_a_difference_of_scores(class_score, law, x_t, alpha_bar):
    _, _, noisy = at_level(law, alpha_bar)
    claimed = class_score(first_component(noisy), x_t[:, None])
    scores = [by_hand(float(x), noisy) for x in x_t]
    derived = np.array([conditional - unconditional for conditional, unconditional in scores])
    return claimed, derived, np.array([abs(a) + abs(b) for a, b in scores]) + 1e-9


@mutant("probability", of="GUIDE-4/gradient", why="the gradient of p(c|x_t), not of its logarithm")
def slope_of_the_probability(log_prob_c, x):
    return elementwise_grad(lambda x: anp.exp(log_prob_c(x)))(x)


@mutant("loss", of="GUIDE-4/gradient", why="the gradient of the classifier's loss, which has the other sign")
def slope_of_the_loss(log_prob_c, x):
    return elementwise_grad(lambda x: -log_prob_c(x))(x)


@mutant(
    "mean",
    of="GUIDE-4/gradient",
    why="half the mean over the batch, for the sum: the more points, the less guidance",
)
def slope_of_the_mean(log_prob_c, x):
    return elementwise_grad(lambda x: anp.mean(log_prob_c(x)) / 2)(x)


# ---- GUIDE-7: the loss of a classifier
@equation(
    "GUIDE-7",
    title="the cross-entropy of a classifier is least at p(c|x)",
    formula=guidance.cross_entropy,
    latex=r"\frac{\partial}{\partial\log\phi}\,\mathbb E_{x,c}\big[-\log p_\phi(c\mid x)\big]=0\ "
    r"\text{at}\ p_\phi(c\mid x)=p(c\mid x)",
    sources=[DHARIWAL_2021("section 4")],
    evidence="autodiff",
    how="the gradient by the logits, over a whole population on a few places, each with its law of classes",
    given=rungs(lambda n, c: together(weights=laws(n), truth=tables(n, c)), (1, 2), (2, 2), (3, 3)),
    relative=False,
    tolerance=1e-12,
)
def slope_at_the_truth(cross_entropy, weights, truth):
    def risk(logits):
        log_probs = logits - anp.log(anp.sum(anp.exp(logits), axis=1, keepdims=True))
        return anp.sum(weights * cross_entropy(truth, log_probs))

    return grad(risk)(np.log(truth)), 0 * truth


@mutant("square", of="GUIDE-7", why="the mean square of the log-probabilities: an error that is not proper")
def squared_logarithms(labels, log_probs):
    return anp.sum(labels * log_probs**2, axis=-1)


@mutant("linear", of="GUIDE-7", why="the probability itself, without the logarithm: it pays to be too sure")
def probability_of_the_label(labels, log_probs):
    return -anp.sum(labels * anp.exp(log_probs), axis=-1)


@mutant("others", of="GUIDE-7", why="the log-probabilities of the other classes added")
def other_classes_too(labels, log_probs):
    return -anp.sum((labels - 0.5) * log_probs, axis=-1)
