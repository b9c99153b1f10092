"""Cards of importance weights and of the bound for any decoder (ELBO-2 to ELBO-4)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations.gaussian import log_density, matrices, normal_nodes
from refgen.derivations.latent_lines import TABLES
from refgen.formulas import gaussian, latent
from refgen.sources import BURDA_2016, KIM, KINGMA_2014


# ---- ELBO-3: several draws
@equation(
    "ELBO-3/importance",
    title="the bound of two draws",
    formula=latent.importance_bound,
    latex=r"E[\mathcal L_2]=\sum_{i,j}q_iq_j\log\tfrac12(w_i+w_j),\quad w_i=p(x,z_i)/q_i",
    sources=[BURDA_2016("section 3")],
    evidence="chain",
    how="the sum over all pairs of states, with the plain weights",
    given=TABLES,
    tolerance=1e-13,
    examples=40,
)
def bound_of_two_draws(importance_bound, prior, likelihood, q):
    w, pairs = prior * likelihood / q, np.outer(q, q)
    each, other = np.broadcast_arrays(np.log(w)[:, None], np.log(w))
    claimed = np.sum(pairs * importance_bound(np.stack([each, other], -1)))
    terms = np.log((w[:, None] + w) / 2)
    return claimed, np.sum(pairs * terms), 1 + np.sum(pairs * (abs(each) + abs(other)))


@mutant("sum", of="ELBO-3/importance", why="log of the sum of the weights: log K is not subtracted")
def bound_of_the_sum(log_weights, axis=-1):
    return np.log(np.sum(np.exp(log_weights), axis=axis))


@mutant("mean-of-logs", of="ELBO-3/importance", why="the mean of the logarithms: the ELBO, whatever K")
def bound_of_logs(log_weights, axis=-1):
    return np.mean(log_weights, axis=axis)


@equation(
    "ELBO-3/order",
    title="more draws, a tighter bound, and still a bound",
    formula=latent.importance_bound,
    latex=r"E[\mathcal L_1]\le E[\mathcal L_2]\le\log p(x)",
    sources=[BURDA_2016("section 3")],
    evidence="chain",
    how="the ELBO and log p(x) as sums over the states",
    given=TABLES,
    relation="<=",
    relative=False,
    tolerance=1e-13,
    tolerance32=1e-5,
    examples=40,
)
def two_draws_lie_between(importance_bound, prior, likelihood, q):
    joint, pairs = prior * likelihood, np.outer(q, q)
    log_w = np.log(joint / q)
    each = np.broadcast_arrays(log_w[:, None], log_w)
    two = np.sum(pairs * importance_bound(np.stack(each, -1)))
    return np.array([two, -two]), np.array([np.log(np.sum(joint)), -(q @ log_w)])


@mutant("sum", of="ELBO-3/order", why="log K is not subtracted: above log p(x)")
def larger_bound(log_weights, axis=-1):
    return np.log(np.sum(np.exp(log_weights), axis=axis))


@mutant("least", of="ELBO-3/order", why="the smallest weight in place of the mean: below the ELBO")
def smaller_bound(log_weights, axis=-1):
    return np.min(log_weights, axis=axis)


@equation(
    "ELBO-3/gradient",
    title="the gradient of the bound weighs the draws by their importance",
    formula=latent.importance_weights,
    latex=r"\partial\mathcal L_K/\partial\log w_k=w_k/\sum_jw_j\ne1/K",
    sources=[BURDA_2016("section 3")],
    evidence="autodiff",
    how="log of the mean weight, differentiated",
    given=rungs(lambda k: together(log_weights=points(k)), 2, 4),
    tolerance=1e-12,
    examples=40,
)
def gradient_of_the_bound(importance_weights, log_weights):
    return importance_weights(log_weights), grad(lambda a: anp.log(anp.mean(anp.exp(a))))(log_weights)


@mutant("mean", of="ELBO-3/gradient", why="1/K for each draw: the gradient of the mean of the logarithms")
def equal_weights(log_weights, axis=-1):
    return 0 * log_weights + 1 / log_weights.shape[axis]


@mutant("not-normalised", of="ELBO-3/gradient", why="the weights over their largest: their sum is not one")
def weights_over_the_largest(log_weights, axis=-1):
    return np.exp(log_weights - np.max(log_weights, axis=axis, keepdims=True))


# ---- ELBO-4: reconstruction less divergence, for any decoder
def autoencoders(d, k):
    """An encoder's mean and variances, and a decoder that bends: x_mean = W sin z."""
    stds = st.lists(positives(0.1, 2), min_size=k, max_size=k).map(np.array)
    weight = matrices(max(d, k), -1, 1).map(lambda a: a[:d, :k])
    return together(x=points(d), mean=points(k, -2, 2), std=stds, weight=weight, x_var=positives(0.1, 5))


@equation(
    "ELBO-4",
    title="the bound is reconstruction less divergence from the prior",
    formula=latent.elbo,
    latex=r"E_q\Big[\log\frac{p(x,z)}{q(z|x)}\Big]=E_q[\log p(x|z)]-D_{KL}(q(z|x)\Vert p(z))",
    sources=[KIM("'VAE', the two terms"), KINGMA_2014("eqs. 3 and 10")],
    evidence="quadrature",
    how="the log-ratio itself at Gauss and Hermite's nodes of q, no divergence in closed form",
    given=rungs(autoencoders, (1, 1), (2, 1), (1, 2)),
    tolerance=1e-12,
    examples=40,
)
def bound_is_the_mean_log_ratio(elbo, x, mean, std, weight, x_var):
    d, k = weight.shape
    nodes, w = normal_nodes(k)
    z = mean + std * nodes
    x_mean = np.sin(z) @ weight.T
    same = np.broadcast_to(x, x_mean.shape)
    claimed = w @ elbo(same, x_mean, x_var, mean + 0 * z, std**2)
    terms = [
        log_density(x, x_mean, x_var * np.eye(d)),
        log_density(z, np.zeros(k), np.eye(k)),
        -log_density(z, mean, np.diag(std**2)),
    ]
    return claimed, w @ sum(terms), w @ sum(map(abs, terms))


@mutant("log-std", of="ELBO-4", why="the logarithm of a variance read as that of a std, twice too large")
def elbo_with_log_std(x, x_mean, x_var, mean, var):
    return latent.elbo(x, x_mean, x_var, mean, var) + 0.5 * np.sum(np.log(var) + 0 * mean, axis=-1)


@mutant("mean-for-sum", of="ELBO-4", why="the divergence averaged over the coordinates of z, not summed")
def elbo_with_mean_divergence(x, x_mean, x_var, mean, var):
    kl = latent.kl_to_prior(mean, var)
    return latent.elbo(x, x_mean, x_var, mean, var) + kl * (1 - 1 / mean.shape[-1])


@mutant("one-dimension", of="ELBO-4", why="-0.5 log(2 pi x_var) whatever the dimension of x")
def elbo_with_normaliser_of_one_dimension(x, x_mean, x_var, mean, var):
    right = latent.elbo(x, x_mean, x_var, mean, var)
    return right + gaussian.log_normaliser(x_var, x.shape[-1] - 1)


@mutant("square", of="ELBO-4", why="the bare squared error for -log p(x|z): the decoder's variance forgotten")
def elbo_with_squared_error(x, x_mean, x_var, mean, var):
    return -0.5 * np.sum((x - x_mean) ** 2, axis=-1) - latent.kl_to_prior(mean, var)


# ---- ELBO-2 for Gaussians, point by point
@equation(
    "ELBO-2/weight",
    title="mean log-weight and divergence from the posterior make log p(x)",
    formula=latent.log_weight,
    latex=r"E_q[\log w]=\log p(x)-D_{KL}(q(z|x)\Vert p(z|x)),\quad w=p(x,z)/q(z|x)",
    sources=[KIM("'VAE', eqs. 14 and 15"), BURDA_2016("section 3")],
    evidence="quadrature",
    how="one latent coordinate: posterior by Bayes' rule on a line, the divergence by the log-ratio",
    given=together(
        x=reals(), mean=reals(-2, 2), std=positives(0.1, 2), slope=reals(-2, 2), x_var=positives(0.1, 5)
    ),
    tolerance=1e-12,
    examples=40,
)
def mean_log_weight(log_weight, x, mean, std, slope, x_var):
    nodes, w = normal_nodes(1)
    z = mean + std * nodes
    same = np.full_like(z, x)
    claimed = w @ log_weight(same, z, slope * z, x_var, mean + 0 * z, np.array([std**2]))
    total = slope**2 + x_var
    exact_mean, exact_var = slope * x / total, x_var / total
    evidence = log_density(np.array([x]), np.zeros(1), np.array([[total]]))
    q = log_density(z, mean, np.array([[std**2]]))
    divergence = w @ (q - log_density(z, exact_mean, np.array([[exact_var]])))
    return claimed, evidence - divergence, 1 + abs(evidence) + abs(divergence) + w @ abs(q)


@mutant("prior", of="ELBO-2/weight", why="p(x|z) / q(z|x): the prior left out of the joint density")
def log_weight_without_prior(x, z, x_mean, x_var, mean, var):
    right = latent.log_weight(x, z, x_mean, x_var, mean, var)
    return right - gaussian.log_prob_isotropic(z, 0 * z, 1.0)


@mutant("encoder", of="ELBO-2/weight", why="log p(x, z) alone: the encoder's density is not divided by")
def log_weight_without_encoder(x, z, x_mean, x_var, mean, var):
    return latent.log_joint(x, z, x_mean, x_var)
