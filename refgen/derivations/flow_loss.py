"""Cards of the loss of a flow and of the chain rule (FLOW-14, TAX-5)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad

from refgen.cards import equation, mutant, z_limit
from refgen.cards.strategies import covariances, points, reals, rungs, together
from refgen.derivations.directions import matrices
from refgen.derivations.fields import gradient
from refgen.derivations.flow_maps import Triangular, normal, triangles
from refgen.formulas import autoregressive, flow
from refgen.sources import BISHOP_2006, FIELD, REZENDE_2015, SJTU, SONG_NOTES

FLOWS = [SJTU("'Normalizing Flows'"), REZENDE_2015("section 3")]


# ---- FLOW-14: the loss
TRUE_FLOWS = [
    Triangular(np.array([0.5, -2.0]), np.array([1.0, 0.7]), np.array([[0.0, 0.0], [0.9, 0.0]])),
    Triangular(np.array([-3.0, 1.5]), np.array([0.2, -1.0]), np.array([[0.0, 0.0], [-0.5, 0.0]])),
]


@equation(
    "FLOW-14",
    title="the loss of the true flow is the entropy of the data",
    formula=flow.negative_log_likelihood,
    latex=r"L_D=-\tfrac1{\lvert D\rvert}\sum_{x\in D}\log p(x)\ \to\ "
    r"H=\tfrac d2\log(2\pi e)+\mathbb E\log\Big\lvert\det\frac{df}{dz}\Big\rvert",
    sources=FLOWS,
    evidence="monte carlo",
    how="z-scores against the entropy in closed form, for maps whose bends are even in the mean",
    cases=[dict(which=which, seed=seed) for which in (0, 1) for seed in (0, 1)],
    relative=False,
    tolerance=z_limit(4),
    reject_at=10,
)
def loss_is_the_entropy(negative_log_likelihood, which, seed):
    true, n = TRUE_FLOWS[which], 20_000
    z = np.random.default_rng(seed).normal(size=(n, 2))
    bend = np.tanh(true.w[1, 0] * z[:, 0])
    log_p = normal(z) - np.sum(np.log(np.abs(true.a))) - 0.5 * bend
    entropy = np.log(2 * np.pi * np.e) + np.sum(np.log(np.abs(true.a)))
    return (negative_log_likelihood(log_p) - entropy) / (np.std(log_p) / np.sqrt(n)), 0.0


@mutant("sign", of="FLOW-14", why="the mean log-density itself: training would make the data unlikely")
def loss_with_wrong_sign(log_prob):
    return np.mean(log_prob, axis=-1)


@mutant("dimensions", of="FLOW-14", why="per dimension, and not said so: half of it in two dimensions")
def loss_per_dimension(log_prob):
    return -0.5 * np.mean(log_prob, axis=-1)


@equation(
    "FLOW-14/gradient",
    title="the gradient of the loss of an affine flow on a line",
    formula=flow.negative_log_likelihood,
    latex=r"x=b+e^az:\quad\frac{\partial L_D}{\partial b}=-e^{-a}\bar z,\quad"
    r"\frac{\partial L_D}{\partial a}=1-\overline{z^2}",
    sources=FLOWS,
    evidence="autodiff",
    how="worked out by hand from z = (x - b) e^{-a}",
    given=together(x=points(4), b=reals(), a=reals(-1, 1)),
    tolerance=1e-12,
    examples=30,
)
def gradient_of_the_loss(negative_log_likelihood, x, b, a):
    def loss(theta):
        z = (x - theta[0]) * anp.exp(-theta[1])
        return negative_log_likelihood(-0.5 * z * z - theta[1])

    z = (x - b) * np.exp(-a)
    derived = np.array([-np.exp(-a) * np.mean(z), 1 - np.mean(z * z)])
    return grad(loss)(np.array([b, a])), derived, 1 + np.exp(-a) * np.mean(abs(z)) + np.mean(z * z)


@mutant(
    "sum", of="FLOW-14/gradient", why="the sum over the data: the step grows with the size of the data set"
)
def loss_summed(log_prob):
    return -anp.sum(log_prob, axis=-1)


@equation(
    "FLOW-14/fit",
    title="the affine flow of the largest likelihood",
    formula=flow.affine_fit,
    latex=r"b=\bar x,\qquad LL^\top=\tfrac1n\sum_i(x_i-\bar x)(x_i-\bar x)^\top",
    sources=[*FLOWS, BISHOP_2006("section 2.3.4")],
    evidence="autodiff",
    how="the loss is convex in the inverse matrix and its shift; there its complex-step gradient vanishes",
    given=rungs(
        lambda d: together(noise=matrices(2 * d + 2, d, -1, 1), b=points(d, -2, 2), lower=triangles(d)),
        1,
        2,
        3,
    ),
    tolerance=1e-10,
    examples=30,
)
def fit_makes_the_gradient_vanish(affine_fit, noise, b, lower):
    n, d = noise.shape
    steps = np.concatenate([2 * np.eye(d), -np.eye(d), np.zeros((2, d))])  # so that no data lie in a plane
    x = (noise + steps) @ lower.T + b
    shift, root = affine_fit(x)
    inverse, below = np.linalg.inv(root), np.tril_indices(d)

    def loss(theta):
        matrix = np.zeros((d, d), complex)
        matrix[below] = theta[d:]
        z = x @ matrix.T + theta[:d]
        return np.sum(z * z) / (2 * n) - np.sum(np.log(np.diagonal(matrix)))

    theta = np.concatenate([-inverse @ shift, inverse[below]])
    slopes = gradient(loss, theta.astype(complex))
    return slopes, 0 * slopes, 1 + np.linalg.cond(root) * (np.sum(abs(x)) + np.sum(abs(root)))


@mutant(
    "unbiased", of="FLOW-14/fit", why="divided by n - 1: the variance without bias is not the likeliest one"
)
def fit_without_bias(x):
    shift, root = flow.affine_fit(x)
    return shift, root * (len(x) / (len(x) - 1)) ** 0.5


@mutant("diagonal", of="FLOW-14/fit", why="each coordinate by itself: their correlations left out")
def fit_of_each_coordinate(x):
    return np.mean(x, axis=0), np.diag(np.std(x, axis=0))


# ---- TAX-5: the chain rule
def conditionals(cov):
    """x_i given those before it, for N(0, cov): of Python floats, (x_<i, x_i) -> log-density."""
    laws = []
    for i in range(len(cov)):
        weights = np.linalg.solve(cov[:i, :i], cov[:i, i]) if i else np.zeros(0)
        laws.append((weights.tolist(), float(cov[i, i] - weights @ cov[:i, i])))

    def conditional(before, x):
        weights, var = laws[np.shape(before)[-1]]
        mean = sum(w * before[..., j] for j, w in enumerate(weights))
        return -0.5 * ((x - mean) ** 2 / var + float(np.log(2 * np.pi * var)))

    return conditional


@equation(
    "TAX-5",
    title="chain rule: a joint density one coordinate after the other",
    formula=autoregressive.chain_rule_log_prob,
    latex=r"p(x)=\prod_ip(x_i\mid x_{<i})",
    sources=[SONG_NOTES("'The key challenge'")],
    evidence="algebra",
    how="the joint Gaussian along the axes of its covariance",
    given=rungs(lambda d: together(x=points(d), cov=covariances(d)), 1, 2, 3, 5),
    tolerance=1e-10,
    examples=40,
)
def conditionals_multiply_to_the_joint(chain_rule_log_prob, x, cov):
    variances, axes = np.linalg.eigh(cov)
    terms = (x @ axes) ** 2 / variances + np.log(2 * np.pi * variances)
    scale = np.sum(1 + (x @ axes) ** 2 / variances + abs(np.log(variances)))
    return chain_rule_log_prob(x, conditionals(cov)), -0.5 * np.sum(terms), scale


@mutant("independent", of="TAX-5", why="what came before is not looked at")
def product_that_looks_at_nothing(x, conditional):
    return sum(conditional(0 * x[..., :i], x[..., i]) for i in range(x.shape[-1]))


@mutant("turned", of="TAX-5", why="those before it handed over in the opposite order")
def product_with_order_turned(x, conditional):
    return sum(conditional(x[..., :i][..., ::-1], x[..., i]) for i in range(x.shape[-1]))


@equation(
    "TAX-5/constant",
    title="a product of conditional densities needs no constant",
    formula=autoregressive.chain_rule_log_prob,
    latex=r"\int\prod_ip(x_i\mid x_{<i})\,dx=1",
    sources=[SONG_NOTES("'The key challenge'"), FIELD("a mask that lets a coordinate see itself")],
    evidence="quadrature",
    how="a trapezoid rule over the plane; mean and width of the second coordinate bend with the first",
    given=together(bend=reals(-2, 2), log_scale=reals(-0.5, 0.5)),
    tolerance=1e-10,
    examples=15,
)
def product_of_conditionals_has_mass_one(chain_rule_log_prob, bend, log_scale):
    def conditional(before, x):
        if not np.shape(before)[-1]:
            return -0.5 * (x**2 + float(np.log(2 * np.pi)))
        mean, log_std = bend * anp.sin(before[..., 0]), log_scale * anp.tanh(before[..., 0])
        return -0.5 * (((x - mean) * anp.exp(-log_std)) ** 2 + float(np.log(2 * np.pi))) - log_std

    axes = np.linspace(-8, 8, 33), np.linspace(-16, 16, 97)
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return np.sum(np.exp(chain_rule_log_prob(x, conditional))) * 0.5 / 3, 1.0


@mutant("itself", of="TAX-5/constant", why="a mask off by one: each coordinate is told its own value")
def product_that_sees_itself(x, conditional):
    pairs = [(x[..., :i] * 0 + x[..., i : i + 1], x[..., i]) for i in range(x.shape[-1])]
    return sum(conditional(before, here) for before, here in pairs)
