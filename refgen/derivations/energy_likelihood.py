"""Cards of the likelihood of an energy, and of its divergence (EBM-4, EBM-13, EBM-14)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import definition, equation, mutant, z_limit
from refgen.cards.strategies import covariances, laws, points, positives, reals, rungs, together
from refgen.formulas import energy, gaussian, probability
from refgen.sources import (
    CS167,
    FIELD,
    HINTON_2002,
    SJTU,
    SONG_KINGMA_2021,
    SONG_NOTES,
)

LINE, STEP = np.linspace(-8, 8, 1601, retstep=True)


# ---- EBM-4: the gradient of the likelihood
THETA = st.tuples(reals(-1, 1), reals(-1, 1), reals(-1, 1), positives(0.2, 1)).map(np.array)


def polynomial(theta, x):
    """theta_1 x + ... + theta_4 x^4."""
    return sum(theta[k] * x ** (k + 1) for k in range(4))


def model_mass(theta):
    exponent = -polynomial(theta, LINE)
    mass = np.exp(exponent - np.max(exponent))
    return mass / np.sum(mass)


@equation(
    "EBM-4",
    title="the gradient of the likelihood has a term for the data and one for the model",
    formula=energy.contrastive_loss,
    latex=r"\nabla_\theta\log p_\theta(x)"
    r"=-\nabla_\theta E_\theta(x)+\mathbb E_{p_\theta}[\nabla_\theta E_\theta]",
    sources=[SJTU("'Score-based'"), SONG_NOTES("'Normalizing constant'"), HINTON_2002()],
    evidence="quadrature",
    how="differentiating the mean of -log p, log Z included, by a complex step through the sum over a grid",
    given=rungs(lambda n: together(theta=THETA, data=points(n, -2, 2)), 1, 3),
    tolerance=1e-11,
)
def likelihood_gradient(contrastive_loss, theta, data):
    mass = model_mass(theta)
    loss = lambda t: contrastive_loss(polynomial(t, data), polynomial(t, LINE), mass)  # noqa: E731
    derived = []
    for step in 1e-30j * np.eye(4):
        exponent = -polynomial(theta + step, LINE)
        log_z = np.log(np.sum(np.exp(exponent - np.max(exponent.real)) * STEP))
        derived.append(np.mean(polynomial(theta + step, data)).imag * 1e30 + log_z.imag * 1e30)
    scale = 1 + np.array([np.mean(abs(data) ** k) + mass @ abs(LINE) ** k for k in range(1, 5)])
    return grad(loss)(theta), np.array(derived), scale


@mutant("frozen", of="EBM-4", why="the second term forgotten, as if Z did not depend on the parameters")
def likelihood_without_z(energy_data, energy_model, mass_model):
    return anp.mean(energy_data) + 0 * anp.sum(energy_model)


@mutant("sign", of="EBM-4", why="both terms with the sign of the other convention: the likelihood falls")
def likelihood_downhill(energy_data, energy_model, mass_model):
    return anp.sum(mass_model * energy_model) - anp.mean(energy_data)


@mutant("grid", of="EBM-4", why="all points of the grid count alike, where p_theta should weigh them")
def likelihood_unweighted(energy_data, energy_model, mass_model):
    return anp.mean(energy_data) - anp.mean(energy_model)


@equation(
    "EBM-4/draws",
    title="the model's term from draws of the model",
    formula=energy.contrastive_loss,
    latex=r"\mathbb E_{p_\theta}[\nabla_\theta E_\theta]\approx\frac1m\sum_j\nabla_\theta E_\theta(x_j)",
    sources=[HINTON_2002(), SONG_KINGMA_2021()],
    evidence="monte carlo",
    how="z-scores at E = x^2 theta / 2, where the gradient is (mean of x^2 over the data - 1 / theta) / 2",
    cases=[dict(theta=theta, seed=seed) for theta in (0.5, 1.0, 4.0) for seed in (0, 1)],
    relative=False,
    tolerance=z_limit(6),
    reject_at=10,
)
def draws_estimate_the_gradient(contrastive_loss, theta, seed):
    data, m = np.array([0.5, -1.0, 2.0]), 20_000
    draws = np.random.default_rng(seed).normal(size=m) / np.sqrt(theta)
    found = grad(lambda t: contrastive_loss(0.5 * t * data**2, 0.5 * t * draws**2))(theta)
    exact = 0.5 * (np.mean(data**2) - 1 / theta)
    return (found - exact) / (0.5 * np.sqrt(2 / m) / theta), 0.0


@mutant("sum", of="EBM-4/draws", why="the sum over the draws where their mean belongs")
def gradient_by_sum(energy_data, energy_model, mass_model=None):
    return anp.mean(energy_data) - anp.sum(energy_model)


# ---- EBM-13: maximum likelihood is the nearest law in KL
@equation(
    "EBM-13/tables",
    title="the KL divergence is the likelihood, up to the data's entropy",
    formula=probability.kl_discrete,
    latex=r"D_{KL}(p\Vert p_\theta)=-H(p)-\mathbb E_p\log p_\theta",
    sources=[SONG_NOTES("'Training generative models'")],
    evidence="algebra",
    how="the counts of a data set drawn in these shares, and the mean of log p over its members",
    given=rungs(
        lambda k: together(
            counts=st.lists(st.integers(1, 9), min_size=k, max_size=k).map(np.array), model=laws(k)
        ),
        2,
        3,
        5,
    ),
    tolerance=1e-12,
)
def likelihood_is_divergence(kl_discrete, counts, model):
    members = np.repeat(np.arange(len(counts)), counts)
    n = len(members)
    entropy = np.log(n) - np.mean(np.log(counts[members]))
    return kl_discrete(counts / n, model), -entropy - np.mean(np.log(model[members])), 1 + abs(entropy)


@mutant("reversed", of="EBM-13/tables", why="KL the other way round, which likelihood does not minimise")
def reversed_divergence(p, q):
    return np.sum(q * np.log(q / p), axis=-1)


@mutant("entropy", of="EBM-13/tables", why="the cross-entropy alone, which is not 0 for the true law")
def cross_entropy(p, q):
    return -np.sum(p * np.log(q), axis=-1)


@equation(
    "EBM-13/gaussian",
    title="the same for Gaussians",
    formula=gaussian.kl_gaussian,
    latex=r"D_{KL}(p\Vert p_\theta)=-H(p)-\mathbb E_p\log p_\theta",
    sources=[SONG_NOTES("'Training generative models'")],
    evidence="algebra",
    how="the entropy of a Gaussian and the mean of a quadratic, by the moments of p",
    given=rungs(
        lambda d: together(mean_0=points(d), cov_0=covariances(d), mean_1=points(d), cov_1=covariances(d)),
        1,
        2,
        3,
    ),
    tolerance=1e-10,
)
def likelihood_is_divergence_of_gaussians(kl_gaussian, mean_0, cov_0, mean_1, cov_1):
    d = len(mean_0)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * cov_0)[1]
    second = cov_0 + np.outer(mean_0 - mean_1, mean_0 - mean_1)
    square = np.trace(np.linalg.inv(cov_1) @ second)
    cross = 0.5 * (np.linalg.slogdet(2 * np.pi * cov_1)[1] + square)
    return kl_gaussian(mean_0, cov_0, mean_1, cov_1), cross - entropy, d + abs(entropy) + abs(cross) + square


@mutant("reversed", of="EBM-13/gaussian", why="KL the other way round")
def reversed_divergence_of_gaussians(mean_0, cov_0, mean_1, cov_1):
    return gaussian.kl_gaussian(mean_1, cov_1, mean_0, cov_0)


@equation(
    "EBM-13/moments",
    title="at maximum likelihood a Gaussian has the moments of the data",
    formula=energy.contrastive_loss,
    latex=r"\nabla_\theta\,\mathbb E_{\mathrm{data}}\log p_\theta=0"
    r"\iff\mu=\bar x,\ \sigma^2=\overline{(x-\bar x)^2}",
    sources=[SONG_NOTES("'Training generative models'")],
    evidence="quadrature",
    how="the gradient of the likelihood, in the energy's two coefficients, at the moments of the data",
    given=rungs(lambda n: together(data=points(n, -1, 1)), 2, 3, 5),
    relative=False,
    tolerance=1e-10,
    tolerance32=1e-3,
)
def likeliest_gaussian_has_the_moments(contrastive_loss, data):
    data = data + np.linspace(-1.5, 1.5, len(data))  # so that they differ
    mean, var = np.mean(data), np.mean((data - np.mean(data)) ** 2)
    energies = lambda t, x: t[0] * x + t[1] * x**2  # noqa: E731
    theta = np.array([-mean / var, 0.5 / var])
    x = mean + np.sqrt(var) * np.linspace(-9, 9, 181)
    mass = np.exp(-energies(theta, x) + np.min(energies(theta, x)))
    mass = mass / np.sum(mass)
    return grad(lambda t: contrastive_loss(energies(t, data), energies(t, x), mass))(theta), np.zeros(2)


@mutant("data", of="EBM-13/moments", why="the model's term forgotten: energies fall without end")
def no_stationary_point(energy_data, energy_model, mass_model):
    return anp.mean(energy_data) + 0 * anp.sum(energy_model)


definition(
    "EBM-14",
    title="three ways round the normalising constant",
    latex=r"Z\text{ estimated};\quad Z=1\text{ by construction};\quad\text{no density, only a sampler}",
    sources=[
        SONG_NOTES("'The key challenge'"),
        CS167("'PDF Estimation'"),
        FIELD("that a VAE approximates Z"),
    ],
    shown_by=["EBM-2/importance", "EBM-4/draws", "GAU-11", "DELBO-2/bound"],
    how="an energy's constant is estimated from draws (EBM-2, EBM-4); a product of conditional laws has "
    "Z = 1 (GAU-11); a latent variable model has Z = 1 for the joint law, and of the data a bound (DELBO)",
    module=__name__,
)
