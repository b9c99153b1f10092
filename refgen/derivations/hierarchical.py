"""Cards of hierarchies of latent variables: their densities and their bound (HVAE-1, HVAE-2)."""

from __future__ import annotations

import math

import numpy as np

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations.gaussian import log_density, matrices, normal_nodes
from refgen.formulas import gaussian, hierarchical
from refgen.sources import KIM, LUO_2022

HIERARCHY = KIM("'Diffusion Model', the ELBO of the hierarchical VAE")
CHAIN = KIM("'Diffusion Model', the Markov chain of latents")


def steps_of(to, of):
    weight = matrices(max(to, of), -1.5, 1.5).map(lambda a: a[:to, :of])
    return together(weight=weight, bias=points(to, -1, 1), var=positives(0.1, 3)).map(
        lambda d: hierarchical.Step(**d)
    )


def chains_of(*dims):
    """A point of dims[0] coordinates, and steps up to levels of dims[1], dims[2], ... and down again."""
    drawn = {"x": points(dims[0])}
    for t in range(1, len(dims)):
        drawn[f"up_{t}"], drawn[f"down_{t}"] = steps_of(dims[t], dims[t - 1]), steps_of(dims[t - 1], dims[t])
    return together(**drawn).map(gathered)


def gathered(drawn):
    T = len(drawn) // 2
    return {
        "x": drawn["x"],
        "encoder": [drawn[f"up_{t}"] for t in range(1, T + 1)],
        "decoder": [drawn[f"down_{t}"] for t in range(1, T + 1)],
    }


CHAINS = rungs(chains_of, (1, 1), (1, 1, 1), (2, 1), (1, 2, 1), (2, 1, 1, 1))


def walk(mean, cov, steps):
    """Mean and covariance of a start and of all that the steps make of it, in one vector."""
    last = slice(0, len(mean))
    for weight, bias, var in steps:
        end = len(mean)
        across = weight @ cov[last]
        onward = weight @ cov[last, last] @ weight.T + var * np.eye(len(bias))
        cov = np.block([[cov, across.T], [across, onward]])
        mean = np.append(mean, weight @ mean[last] + bias)
        last = slice(end, len(mean))
    return mean, cov


def of_encoder(x, encoder):
    """Mean and covariance of z_1, ..., z_T given x."""
    mean, cov = walk(x, np.zeros((len(x), len(x))), encoder)
    return mean[len(x) :], cov[len(x) :, len(x) :]


def of_decoder(decoder):
    """Mean and covariance of x, z_1, ..., z_T under the model."""
    sizes = [len(step.bias) for step in decoder] + [decoder[-1].weight.shape[1]]
    mean, cov = walk(np.zeros(sizes[-1]), np.eye(sizes[-1]), decoder[::-1])
    parts = np.split(np.arange(len(mean)), np.cumsum(sizes[::-1])[:-1])
    order = np.concatenate(parts[::-1])
    return mean[order], cov[np.ix_(order, order)]


def evidence(x, decoder):
    mean, cov = of_decoder(decoder)
    return log_density(x, mean[: len(x)], cov[: len(x), : len(x)])


def bound_of_joints(x, z_mean, z_cov, mean, cov):
    """E_q[log p(x, z)] plus the entropy of q = N(z_mean, z_cov), and the sum of the terms' magnitudes."""
    d = len(x)
    shift = np.append(x, z_mean) - mean
    spread = np.outer(shift, shift)
    spread[d:, d:] += z_cov
    precision = np.linalg.inv(cov)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * z_cov)[1]
    log_det = -0.5 * np.linalg.slogdet(2 * np.pi * cov)[1]
    square = -0.5 * np.sum(precision * spread)
    return entropy + log_det + square, 1 + abs(entropy) + abs(log_det) + np.sum(abs(precision) * abs(spread))


def bound(x, encoder, decoder):
    return bound_of_joints(x, *of_encoder(x, encoder), *of_decoder(decoder))


def means_of(levels, steps):
    return [z @ step.weight.T + step.bias for z, step in zip(levels, steps, strict=True)]


def variances_of(steps):
    return [step.var for step in steps]


# ---- HVAE-2: the Markov factorisation
def with_levels(*dims):
    z = {f"z_{t}": points(dims[t]) for t in range(1, len(dims))}
    return together(chain=chains_of(*dims), **z).map(
        lambda drawn: drawn["chain"] | {"z": [drawn[name] for name in z]}
    )


LEVELS = rungs(with_levels, (1, 1), (1, 1, 1), (2, 1), (1, 2, 1))


@equation(
    "HVAE-2/decoder",
    title="the decoder's joint density is a product over steps",
    formula=hierarchical.log_joint,
    latex=r"p(x,z_{1:T})=p(z_T)\,p(x|z_1)\prod_{t=2}^Tp(z_{t-1}|z_t)",
    sources=[CHAIN, LUO_2022("'Hierarchical Variational Autoencoders'")],
    evidence="algebra",
    how="one Gaussian of all levels together, its covariance by recursion from z_T down",
    given=LEVELS,
    tolerance=1e-11,
    examples=25,
)
def decoder_density_of_all_levels(log_joint, x, z, encoder, decoder):
    mean, cov = of_decoder(decoder)
    together_ = np.concatenate([x, *z])
    claimed = log_joint([x, *z], means_of(z, decoder), variances_of(decoder))
    shift = together_ - mean
    scale = 1 + len(mean) + abs(shift) @ abs(np.linalg.inv(cov)) @ abs(shift)
    return claimed, log_density(together_, mean, cov), scale


@mutant("prior-of-each", of="HVAE-2/decoder", why="every latent level N(0, I), not only the last")
def joint_with_priors(levels, means, variances):
    zeros = [means[0], *[0 * mean for mean in means[1:]]]
    return hierarchical.log_joint(levels, zeros, [variances[0], *[1.0 for _ in variances[1:]]])


@mutant("no-prior", of="HVAE-2/decoder", why="p(z_T) left out: the steps alone are no density of all levels")
def joint_without_prior(levels, means, variances):
    z = levels[-1]
    return hierarchical.log_joint(levels, means, variances) - gaussian.log_prob_isotropic(z, 0 * z, 1.0)


@equation(
    "HVAE-2/encoder",
    title="the encoder's density is a product over steps",
    formula=hierarchical.log_q,
    latex=r"q(z_{1:T}|x)=q(z_1|x)\prod_{t=2}^Tq(z_t|z_{t-1})",
    sources=[CHAIN, LUO_2022("'Hierarchical Variational Autoencoders'")],
    evidence="algebra",
    how="one Gaussian of all latent levels together, its covariance by recursion from x up",
    given=LEVELS,
    tolerance=1e-11,
    examples=25,
)
def encoder_density_of_all_levels(log_q, x, z, encoder, decoder):
    mean, cov = of_encoder(x, encoder)
    claimed = log_q([x, *z], means_of([x, *z[:-1]], encoder), variances_of(encoder))
    shift = np.concatenate(z) - mean
    scale = 1 + len(mean) + abs(shift) @ abs(np.linalg.inv(cov)) @ abs(shift)
    return claimed, log_density(np.concatenate(z), mean, cov), scale


@mutant("last-alone", of="HVAE-2/encoder", why="q(z_T | z_{T-1}) alone: the levels below are drawn, too")
def encoder_of_the_last_level(levels, means, variances):
    return gaussian.log_prob_isotropic(levels[-1], means[-1], variances[-1])


@mutant("shifted", of="HVAE-2/encoder", why="each level's variance taken from the step after it")
def encoder_with_shifted_variances(levels, means, variances):
    return hierarchical.log_q(levels, means, [*variances[1:], variances[0]])


@equation(
    "HVAE-2/markov",
    title="levels that are not neighbours do not meet: the precision is tridiagonal",
    formula=hierarchical.log_joint,
    latex=r"-\partial_{z_s}\partial_{z_t}\log p(x,z_{1:T})=(\Sigma^{-1})_{st},\quad=0\text{ for }|s-t|\ge2",
    sources=[CHAIN],
    evidence="algebra",
    how="inverse of the covariance of x, z_1, ..., z_T by recursion; entries far off the diagonal are 0",
    given=rungs(chains_of, (1, 1, 1), (1, 1, 1, 1)),
    tolerance=1e-9,
    examples=25,
)
def precision_is_tridiagonal(log_joint, x, encoder, decoder):
    n = len(decoder) + 1
    mean, cov = of_decoder(decoder)
    units = np.eye(n)
    corners = np.stack([units[i] + units[j] for i in range(n) for j in range(n)] + [*units, np.zeros(n)])
    levels = list(corners.T[:, :, None] + mean[:, None, None])
    f = log_joint(levels, means_of(levels[1:], decoder), variances_of(decoder))
    pairs, single, none = f[: n * n].reshape(n, n), f[n * n : -1], f[-1]
    curvature = -(pairs - single[:, None] - single + none)  # a square has no higher differences
    derived = np.linalg.inv(cov)
    far = abs(np.subtract.outer(range(n), range(n))) >= 2
    return curvature, np.where(far, 0.0, derived), np.full((n, n), 1 + abs(f).max() + abs(derived).max())


@mutant("skip", of="HVAE-2/markov", why="p(x | z_1, z_2): a decoder that looks past its neighbour")
def joint_with_skip(levels, means, variances):
    return hierarchical.log_joint(levels, [means[0] + levels[2], *means[1:]], variances)


# ---- HVAE-1: the bound
@equation(
    "HVAE-1",
    title="the bound of a chain, level by level",
    formula=hierarchical.elbo,
    latex=r"\mathrm{ELBO}=E_q\Big[\log\frac{p(x,z_{1:T})}{q(z_{1:T}|x)}\Big]",
    sources=[HIERARCHY],
    evidence="algebra",
    how="the two Gaussians of all levels together: a trace, a square and two determinants",
    given=CHAINS,
    tolerance=1e-10,
    examples=25,
)
def bound_level_by_level(elbo, x, encoder, decoder):
    return elbo(x, encoder, decoder), *bound(x, encoder, decoder)


def plug_in(x, encoder, decoder):
    """Levels at their means."""
    levels = [x]
    for step in encoder:
        levels.append(levels[-1] @ step.weight.T + step.bias)
    p = means_of(levels[1:], decoder), variances_of(decoder)
    q = means_of(levels[:-1], encoder), variances_of(encoder)
    return hierarchical.log_weight(levels, *p, *q)


@mutant("at-the-means", of="HVAE-1", why="the log-weight at the encoder's means, not its mean")
def bound_at_the_means(x, encoder, decoder):
    return plug_in(x, encoder, decoder)


@mutant("no-entropy", of="HVAE-1", why="E_q[log p(x, z)] without the entropy of q")
def bound_without_entropy(x, encoder, decoder):
    entropy = sum(0.5 * len(s.bias) * math.log(2 * math.pi * math.e * s.var) for s in encoder)
    return hierarchical.elbo(x, encoder, decoder) - entropy


@equation(
    "HVAE-1/skips",
    title="the bound of a hierarchy that is not Markovian",
    formula=hierarchical.log_weight,
    latex=r"E_q\Big[\log\frac{p(z_2)p(z_1|z_2)p(x|z_1,z_2)}{q(z_1|x)q(z_2|z_1,x)}\Big]=\mathrm{ELBO}",
    sources=[HIERARCHY],
    evidence="quadrature",
    how="the two Gaussians of x, z_1, z_2 together against the log-weights at nodes of the noise",
    given=together(
        x=reals(), up=points(3, -1.5, 1.5), down=points(3, -1.5, 1.5),
        q_var=points(2).map(lambda a: 0.2 + a**2 / 8), p_var=points(2).map(lambda a: 0.2 + a**2 / 8),
    ),
    tolerance=1e-11,
    examples=25,
)  # fmt: skip
def bound_with_skips(log_weight, x, up, down, q_var, p_var):
    nodes, w = normal_nodes(2)
    xs = np.full((len(w), 1), x)
    q_1 = up[0] * xs
    z_1 = q_1 + np.sqrt(q_var[0]) * nodes[:, :1]
    q_2 = up[1] * z_1 + up[2] * xs
    z_2 = q_2 + np.sqrt(q_var[1]) * nodes[:, 1:]
    p_means = [down[0] * z_1 + down[1] * z_2, down[2] * z_2]
    claimed = w @ log_weight([xs, z_1, z_2], p_means, list(p_var), [q_1, q_2], list(q_var))
    # the same as linear maps of independent noise
    root = np.array([[1, 0], [up[1], 1]]) * np.sqrt(q_var)
    z_mean = np.array([up[0], up[1] * up[0] + up[2]]) * x
    of_x = down[0] * np.array([0, 1, down[2]]) + np.array([1, 0, down[1]])
    p_root = np.stack([of_x, [0, 1, down[2]], [0, 0, 1]]) * np.sqrt([p_var[0], p_var[1], 1.0])
    derived, scale = bound_of_joints(np.array([x]), z_mean, root @ root.T, np.zeros(3), p_root @ p_root.T)
    return claimed, derived, scale


@mutant("first-level", of="HVAE-1/skips", why="q(z_1 | x) alone in the denominator")
def weight_with_one_factor(levels, p_means, p_variances, q_means, q_variances):
    right = hierarchical.log_weight(levels, p_means, p_variances, q_means, q_variances)
    return right + gaussian.log_prob_isotropic(levels[2], q_means[1], q_variances[1])
