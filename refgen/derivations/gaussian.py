"""Cards of Gaussian identities and divergences (GAU)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from hypothesis import strategies as st
from scipy.special import roots_hermitenorm
from scipy.stats import norm

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import covariances, points, positives, reals, rungs, together
from refgen.formulas import gaussian
from refgen.sources import BISHOP_2006, KIM, SJTU, SONG_NOTES


def matrices(d, low=-4.0, high=4.0):
    return st.lists(reals(low, high), min_size=d * d, max_size=d * d).map(lambda a: np.reshape(a, (d, d)))


@lru_cache
def normal_nodes(d, n=3):
    """Nodes (n^d, d) and weights of Gauss-Hermite quadrature for N(0, I), exact to degree 2n - 1."""
    nodes, weights = roots_hermitenorm(n)
    grids = np.meshgrid(*[nodes] * d), np.meshgrid(*[weights / weights.sum()] * d)
    return np.stack(grids[0], -1).reshape(-1, d), np.prod(np.stack(grids[1], -1).reshape(-1, d), -1)


def log_density(x, mean, cov):
    """Gaussian log-density as a sum of one-dimensional ones along the principal axes."""
    variances, axes = np.linalg.eigh(cov)
    return -0.5 * np.sum(((x - mean) @ axes) ** 2 / variances + np.log(2 * np.pi * variances), axis=-1)


# ---- GAU-1: the density and its normaliser
@equation(
    "GAU-1/normaliser",
    title="the integral that normalises a Gaussian",
    formula=gaussian.log_normaliser,
    latex=r"\ln\int e^{-\lVert x-\mu\rVert^2/2\sigma^2}dx = \tfrac d2\ln(2\pi\sigma^2)",
    sources=[BISHOP_2006("section 2.3"), SONG_NOTES("'Normalizing constant for Gaussians'")],
    evidence="quadrature",
    how="trapezoidal sum of the exponential in one dimension, to the power d (Fubini)",
    given=rungs(lambda d: together(var=positives(), d=st.just(d)), 1, 2, 3, 10),
    tolerance=1e-12,
)
def normaliser_is_the_integral(log_normaliser, var, d):
    x, step = np.linspace(-12, 12, 121, retstep=True)
    integral = np.sum(np.exp(-(x**2) / 2)) * step * np.sqrt(var)
    return log_normaliser(var, d), d * np.log(integral), d * (1 + abs(np.log(var)))


@misprint(
    "ERR-33",
    of="GAU-1/normaliser",
    printed=r"Z_\mu = \frac1{(2\pi)^{d/2}}",
    correct=r"Z_\mu = (2\pi)^{d/2}",
    source=SONG_NOTES("'Normalizing constant for Gaussians'"),
    why="the inverse of the integral: a density divided by it integrates to (2 pi)^d",
)
def normaliser_inverted(var, d=1):
    return -0.5 * d * np.log(2 * np.pi * var)  # the print has var = 1


@equation(
    "GAU-1/density",
    title="density of a Gaussian with a full covariance",
    formula=gaussian.log_prob,
    latex=r"N(x;\mu,\Sigma) = \det(2\pi\Sigma)^{-1/2}\exp(-\tfrac12(x-\mu)^\top\Sigma^{-1}(x-\mu))",
    sources=[SJTU("slide 18"), BISHOP_2006("eq. 2.43")],
    evidence="algebra",
    how="sum of one-dimensional densities along the eigenvectors of the covariance",
    given=rungs(lambda d: together(x=points(d), mean=points(d), cov=covariances(d)), 1, 2, 3, 5),
    tolerance=1e-11,
)
def density_is_a_product_along_principal_axes(log_prob, x, mean, cov):
    variances, axes = np.linalg.eigh(cov)
    terms = 1 + np.abs(np.log(variances)) + ((x - mean) @ axes) ** 2 / variances
    return log_prob(x, mean, cov), log_density(x, mean, cov), np.sum(terms)


@mutant("whole-log-det", of="GAU-1/density", why="ln det Sigma without its half: a variance taken for a std")
def log_prob_with_whole_log_det(x, mean, cov):
    return gaussian.log_prob(x, mean, cov) - 0.5 * np.linalg.slogdet(cov)[1]


@equation(
    "GAU-1/isotropic",
    title="density of an isotropic Gaussian: total mass, mean and variance",
    formula=gaussian.log_prob_isotropic,
    latex=r"N(x;\mu,\sigma^2I) = (2\pi\sigma^2)^{-d/2}\exp(-\lVert x-\mu\rVert^2/2\sigma^2)",
    sources=[SJTU("slide 18"), BISHOP_2006("section 2.3")],
    evidence="quadrature",
    how="trapezoidal sum over a grid of +-9 std: it integrates to 1, to its mean and to its variance",
    given=rungs(lambda d: together(mean=points(d), var=positives(1e-2, 1e2)), 1, 2, 3),
    tolerance=1e-11,
    examples=25,
)
def isotropic_density_integrates_to_its_moments(log_prob_isotropic, mean, var):
    d, std = len(mean), np.sqrt(var)
    offsets = np.stack(np.meshgrid(*[np.linspace(-9, 9, 31) * std] * d), -1).reshape(-1, d)
    p = np.exp(log_prob_isotropic(mean + offsets, mean, var)) * (0.6 * std) ** d
    claimed = np.concatenate([[np.sum(p)], p @ offsets, p @ offsets**2])
    scale = np.repeat([1.0, std, var], [1, d, d])
    return claimed, np.repeat([1.0, 0.0, var], [1, d, d]), scale


@mutant(
    "one-dimension",
    of="GAU-1/isotropic",
    why="-0.5 log(2 pi sigma^2) whatever d: in two dimensions, at sigma = 1, the 'density' integrates to 2.5",
)
def isotropic_with_normaliser_of_one_dimension(x, mean, var):
    return gaussian.log_prob_isotropic(x, mean, var) + gaussian.log_normaliser(var, x.shape[-1] - 1)


@mutant("std-for-var", of="GAU-1/isotropic", why="divided by sigma where sigma^2 belongs")
def isotropic_with_std_for_var(x, mean, var):
    return gaussian.log_prob_isotropic(x, mean, var**0.5)


# ---- GAU-2: sums
@equation(
    "GAU-2",
    title="the sum of two independent Gaussians is Gaussian",
    formula=gaussian.sum_of_gaussians,
    latex=r"X\perp Y \Rightarrow X+Y \sim N(\mu_1+\mu_2, \sigma_1^2+\sigma_2^2)",
    sources=[KIM("'Diffusion Model'"), SJTU("slide 15")],
    evidence="quadrature",
    how="density of the sum as the convolution of the two, by the trapezoidal rule",
    given=together(
        mean_1=reals(), std_1=positives(0.05, 20), mean_2=reals(), std_2=positives(0.05, 20),
        u=reals(-2, 2), v=reals(-2, 2),
    ),
    tolerance=1e-11,
)  # fmt: skip
def sum_is_a_convolution(sum_of_gaussians, mean_1, std_1, mean_2, std_2, u, v):
    x = (mean_1 + u * std_1) + (mean_2 + v * std_2)
    mean, var = sum_of_gaussians(mean_1, std_1**2, mean_2, std_2**2)
    claimed = norm.logpdf(x, mean, np.sqrt(var))
    # Integrate over the narrower of the two; the integrand is then resolved wherever it is not small.
    if std_1 > std_2:
        mean_1, std_1, mean_2, std_2 = mean_2, std_2, mean_1, std_1
    y, step = np.linspace(mean_1 - 12 * std_1, mean_1 + 12 * std_1, 121, retstep=True)
    convolution = np.sum(norm.pdf(y, mean_1, std_1) * norm.pdf(x - y, mean_2, std_2)) * step
    return claimed, np.log(convolution), 1 + abs(np.log(convolution)) + u * u + v * v


@mutant("stds-added", of="GAU-2", why="standard deviations added where the variances add")
def sum_with_stds_added(mean_1, var_1, mean_2, var_2, covariance=0.0):
    return mean_1 + mean_2, (var_1**0.5 + var_2**0.5) ** 2


@equation(
    "GAU-2/dependent",
    title="the sum of two dependent Gaussians has twice their covariance more variance",
    formula=gaussian.sum_of_gaussians,
    latex=r"\mathrm{Var}(X+Y) = \sigma_1^2+\sigma_2^2+2\,\mathrm{Cov}(X,Y)",
    sources=[BISHOP_2006("section 2.3")],
    evidence="quadrature",
    how="Gauss-Hermite moments of x + y under the joint Gaussian",
    given=together(
        mean_1=reals(), std_1=positives(0.1, 10), mean_2=reals(), std_2=positives(0.1, 10),
        correlation=st.one_of(st.sampled_from([-0.5, 0.5, 0.0]), st.floats(-0.95, 0.95)),
    ),
    tolerance=1e-12,
)  # fmt: skip
def sum_moments_by_quadrature(sum_of_gaussians, mean_1, std_1, mean_2, std_2, correlation):
    covariance = correlation * std_1 * std_2
    claimed = sum_of_gaussians(mean_1, std_1**2, mean_2, std_2**2, covariance)
    z, w = normal_nodes(2)
    x = std_1 * z[:, 0]
    y = std_2 * (correlation * z[:, 0] + np.sqrt(1 - correlation**2) * z[:, 1])
    spread = w @ (x + y) ** 2 - (w @ (x + y)) ** 2
    derived = np.array([mean_1 + mean_2 + w @ (x + y), spread])
    scale = np.array([abs(mean_1) + abs(mean_2) + std_1 + std_2, w @ (x**2 + y**2)])
    return np.array(claimed), derived, scale


@misprint(
    "ERR-1",
    of="GAU-2/dependent",
    printed=r"X\sim N(\mu_1,\sigma_1^2), Y\sim N(\mu_2,\sigma_2^2) \Rightarrow "
    r"X+Y\sim N(\mu_1+\mu_2,\sigma_1^2+\sigma_2^2)",
    correct=r"X\perp Y \Rightarrow X+Y\sim N(\mu_1+\mu_2,\sigma_1^2+\sigma_2^2)",
    source=KIM("'Diffusion Model', constraints; the same on SJTU slide 15"),
    why="independence is not asked for; std 1 and 2 with correlation -0.8 give variance 1.8 and not 5",
)
def sum_as_if_independent(mean_1, var_1, mean_2, var_2, covariance=0.0):
    return mean_1 + mean_2, var_1 + var_2


@equation(
    "GAU-2/uncorrelated",
    title="to be uncorrelated is not enough for a Gaussian sum",
    formula=gaussian.sum_is_gaussian,
    latex=r"X\sim N(0,1),\ Y=SX,\ P(S=\pm1)=\tfrac12:\ \mathrm{Cov}(X,Y)=0,\ P(X+Y=0)=\tfrac12",
    sources=[KIM("'Diffusion Model'"), SJTU("slide 15")],
    evidence="quadrature",
    how="fourth moment of the sum over the square of its second, which is 3 for a Gaussian",
    given=together(jointly_gaussian=st.booleans(), correlation=st.sampled_from([0.0, 0.5, -0.5, 0.8, 1.0])),
    kind="claim",
    tolerance32=None,
)
def sum_is_gaussian_by_its_kurtosis(sum_is_gaussian, jointly_gaussian, correlation):
    z, w = normal_nodes(2, 5)
    if jointly_gaussian:
        total = (1 + correlation) * z[:, 0] + np.sqrt(1 - correlation**2) * z[:, 1]
        second, fourth = w @ total**2, w @ total**4
    else:  # Y = X with probability (1 + correlation) / 2, else Y = -X and the sum is 0
        same = (1 + correlation) / 2
        second, fourth = same * (w @ (2 * z[:, 0]) ** 2), same * (w @ (2 * z[:, 0]) ** 4)
    return sum_is_gaussian(jointly_gaussian, correlation), bool(abs(fourth / second**2 - 3) < 1e-9)


@misprint(
    "ERR-1/uncorrelated",
    of="GAU-2/uncorrelated",
    printed=r"X, Y \text{ Gaussian} \Rightarrow X+Y \text{ Gaussian}",
    correct=r"X, Y \text{ jointly Gaussian} \Rightarrow X+Y \text{ Gaussian}",
    source=KIM("'Diffusion Model', constraints; the same on SJTU slide 15"),
    why="X and SX with a random sign S are uncorrelated, and their sum is 0 half of the time",
)
def sum_is_always_gaussian(jointly_gaussian, correlation):
    return True


# ---- GAU-3: merging noise
@equation(
    "GAU-3",
    title="two independent noises are one noise",
    formula=gaussian.merge_noise,
    latex=r"a\epsilon_1+b\epsilon_2 = \sqrt{a^2+b^2}\,\epsilon,\quad \epsilon\sim N(0,I)",
    sources=[KIM("'Diffusion Model', forward chain"), SJTU("slide 15")],
    evidence="algebra",
    how="path by path std eps is the sum; eps is linear in both, with squared coefficients that add to 1",
    given=rungs(
        lambda d: together(
            eps_1=points(d), eps_2=points(d), std_1=positives(1e-3, 10), std_2=positives(1e-3, 10)
        ),
        1,
        2,
    ),
    tolerance=1e-13,
)
def merged_noise_is_the_sum(merge_noise, eps_1, eps_2, std_1, std_2):
    eps, std = merge_noise(eps_1, eps_2, std_1, std_2)
    one, zero = np.ones(1), np.zeros(1)
    coefficients = [merge_noise(one, zero, std_1, std_2)[0], merge_noise(zero, one, std_1, std_2)[0]]
    claimed = np.concatenate([std * eps, np.sum(np.square(coefficients), axis=0), [std]])
    derived = np.concatenate([std_1 * eps_1 + std_2 * eps_2, one, [np.hypot(std_1, std_2)]])
    sizes = std_1 * abs(eps_1) + std_2 * abs(eps_2) + std_1 + std_2
    return claimed, derived, np.concatenate([sizes, one, [std_1 + std_2]])


@mutant("stds-added", of="GAU-3", why="a + b for sqrt(a^2 + b^2): noise that is shared, not independent")
def merge_noise_with_stds_added(eps_1, eps_2, std_1, std_2):
    std = std_1 + std_2
    return (std_1 * eps_1 + std_2 * eps_2) / std, std


@mutant("variance", of="GAU-3", why="a^2 + b^2 without the root: a variance where a std belongs")
def merge_noise_with_variance(eps_1, eps_2, std_1, std_2):
    var = std_1**2 + std_2**2
    return (std_1 * eps_1 + std_2 * eps_2) / var, var
