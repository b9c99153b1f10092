"""Cards of mixtures, one coordinate after the other: density, distribution function, draws (TAX-4, TAX-5)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from hypothesis import strategies as st
from scipy.special import ndtr

from refgen.cards import definition, equation, mutant
from refgen.cards.strategies import covariances, points, reals, rungs, together
from refgen.formulas import autoregressive
from refgen.sources import BENGIO_2000, BISHOP_2006, FIELD, GERMAIN_2015, OORD_2016, SONG_NOTES

CHAIN = [BENGIO_2000(), OORD_2016("eq. 1"), SONG_NOTES("'The key challenge'")]
NETWORK = [BISHOP_2006("section 5.6")]


# ---- one coordinate: a mixture on the line, by logits, means and logarithms of stds
def _numbers(k, low, high):
    return st.lists(reals(low, high), min_size=k, max_size=k).map(np.array)


def _on_line(k):
    return dict(logits=_numbers(k, -3, 3), means=_numbers(k, -3, 3), log_stds=_numbers(k, -1.5, 1))


def _all_coordinates(d, k):
    def stacked(numbers):
        return st.lists(numbers, min_size=d, max_size=d).map(np.stack)

    return together(x=points(d), **{name: stacked(numbers) for name, numbers in _on_line(k).items()})


def _shares(logits):
    """A softmax, as it is written down."""
    return np.exp(logits) / np.sum(np.exp(logits), axis=-1, keepdims=True)


def _densities(x, means, log_stds):
    """Those of the components, (..., K)."""
    stds = np.exp(log_stds)
    return np.exp(-0.5 * ((x[..., None] - means) / stds) ** 2) / ((2 * np.pi) ** 0.5 * stds)


def _magnitude(x, logits, means, log_stds):
    """How large the terms of the logarithms are that are added up."""
    squares = ((x[..., None] - means) / np.exp(log_stds)) ** 2
    return np.sum(3 + np.max(squares + abs(log_stds) + abs(logits), axis=-1))


@equation(
    "TAX-5/mixture",
    title="log-density of a point, each coordinate a mixture of Gaussians",
    formula=autoregressive.log_prob,
    latex=r"\log p(x)=\sum_i\log\sum_k\pi_{ik}\,N(x_i;m_{ik},s_{ik}^2),\quad\pi_i=\mathrm{softmax}(a_i)",
    sources=[*CHAIN, *NETWORK],
    evidence="algebra",
    how="one large mixture: a component for each choice of one in every coordinate, weights multiplied",
    given=rungs(_all_coordinates, (1, 1), (1, 2), (2, 2), (3, 3)),
    tolerance=1e-12,
    examples=60,
)
def all_choices_of_components(log_prob, x, logits, means, log_stds):
    logs = np.zeros(1)
    for here, a, m, s in zip(x, logits, means, log_stds, strict=True):
        terms = (
            np.log(_shares(a)) - 0.5 * ((here - m) / np.exp(s)) ** 2 - np.log(np.sqrt(2 * np.pi) * np.exp(s))
        )
        logs = np.ravel(logs[:, None] + terms)
    return (
        log_prob(x, logits, means, log_stds),
        np.logaddexp.reduce(logs),
        _magnitude(x, logits, means, log_stds),
    )


@mutant("no-log-std", of="TAX-5/mixture", why="the width left out of the normaliser")
def log_prob_without_log_std(x, logits, means, log_stds):
    densities = _densities(x, means, log_stds) * np.exp(log_stds)
    return np.sum(np.log(np.sum(_shares(logits) * densities, axis=-1)), axis=-1)


@mutant("not-normalised", of="TAX-5/mixture", why="logits taken for the logarithms of weights: no softmax")
def log_prob_of_raw_logits(x, logits, means, log_stds):
    return np.sum(np.log(np.sum(np.exp(logits) * _densities(x, means, log_stds), axis=-1)), axis=-1)


@mutant("bound", of="TAX-5/mixture", why="the mean of the components' logarithms: Jensen's bound")
def log_prob_by_jensen(x, logits, means, log_stds):
    return np.sum(_shares(logits) * np.log(_densities(x, means, log_stds)), axis=(-2, -1))


@mutant("log-var", of="TAX-5/mixture", why="the logarithm of a variance where that of a std belongs")
def log_prob_of_log_var(x, logits, means, log_stds):
    return autoregressive.log_prob(x, logits, means, 0.5 * log_stds)


@mutant("mean", of="TAX-5/mixture", why="the mean over coordinates where their sum belongs")
def log_prob_as_mean(x, logits, means, log_stds):
    return autoregressive.log_prob(x, logits, means, log_stds) / x.shape[-1]


@equation(
    "TAX-5/normalised",
    title="conditional mixtures need no constant, however they depend on what was before",
    formula=autoregressive.log_prob,
    latex=r"\int\prod_i\sum_k\pi_k(x_{<i})\,N(x_i;m_k(x_{<i}),s_k^2(x_{<i}))\,dx=1",
    sources=[*CHAIN, GERMAIN_2015("section 2")],
    evidence="quadrature",
    how="a trapezoid rule over the plane; weights, means and widths of the second bend with the first",
    given=together(bend=reals(-1.5, 1.5), lean=reals(-2, 2), log_scale=reals(-0.3, 0.3)),
    tolerance=1e-10,
    examples=12,
)
def conditional_mixtures_have_mass_one(log_prob, bend, lean, log_scale):
    axes = np.linspace(-17, 17, 103), np.linspace(-18, 18, 109)
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    told = np.stack([0 * x[..., 0], x[..., 0]], axis=-1)[..., None]  # of x_1 nothing, of x_2 what x_1 is
    logits = lean * np.tanh(told) * np.array([1.0, -1.0])
    means = bend * np.sin(told) + np.array([-1.0, 1.5])
    log_stds = log_scale * np.cos(told) + np.array([0.0, 0.3])
    return np.sum(np.exp(log_prob(x, logits, means, log_stds))) / 9, 1.0


@mutant("no-log-std", of="TAX-5/normalised", why="the width left out of the normaliser")
def mass_without_log_std(x, logits, means, log_stds):
    return log_prob_without_log_std(x, logits, means, log_stds)


@mutant("not-normalised", of="TAX-5/normalised", why="logits taken for logarithms of weights")
def mass_of_raw_logits(x, logits, means, log_stds):
    return log_prob_of_raw_logits(x, logits, means, log_stds)


@mutant("itself", of="TAX-5/normalised", why="a mask off by one: a mean that looks at its own coordinate")
def mass_that_sees_itself(x, logits, means, log_stds):
    return autoregressive.log_prob(x, logits, means + 0.3 * np.tanh(x)[..., None], log_stds)


# ---- the distribution function, and draws
@equation(
    "TAX-5/cdf",
    title="distribution function of a mixture on the line",
    formula=autoregressive.cdf,
    latex=r"F(x)=\int_{-\infty}^xp(y)\,dy=\sum_k\pi_k\,\Phi\big((x-m_k)/s_k\big)",
    sources=NETWORK,
    evidence="oracle",
    how="SciPy's normal distribution function, for each component",
    given=rungs(lambda k: together(x=reals(-40, 40), **_on_line(k)), 1, 2, 4),
    relative=False,
    tolerance=1e-14,
    tolerance32=1e-5,
)
def mass_below_a_point(cdf, x, logits, means, log_stds):
    derived = _shares(logits) @ ndtr((x - means) / np.exp(log_stds))
    return cdf(np.array(x), logits, means, log_stds), derived


@mutant("not-normalised", of="TAX-5/cdf", why="logits taken for the logarithms of weights")
def cdf_of_raw_logits(x, logits, means, log_stds):
    return autoregressive.cdf(x, logits, means, log_stds) * np.sum(np.exp(logits), axis=-1)


@mutant("erf", of="TAX-5/cdf", why="erf(z) and not erf(z / sqrt 2): a normal law of variance one half")
def cdf_by_erf(x, logits, means, log_stds):
    return autoregressive.cdf(x * 2**0.5, logits, means * 2**0.5, log_stds)


@equation(
    "TAX-5/draw",
    title="a component by chance, and a normal: the moments of what is drawn",
    formula=autoregressive.draw,
    latex=r"x=m_k+s_k\epsilon,\ k\sim\pi\ \Rightarrow\ E[x^n]=\sum_k\pi_k\,E[(m_k+s_k\epsilon)^n]",
    sources=[*NETWORK, FIELD("the mean of a mixture taken for a draw of it")],
    evidence="quadrature",
    how="means of x, x^2 and x^3 over all u, of which each component has its share, and Hermite's nodes",
    given=rungs(
        lambda k: together(
            counts=st.lists(st.integers(1, 9), min_size=k, max_size=k), means=_numbers(k, -3, 3),
            log_stds=_numbers(k, -1.5, 1),
        ),
        1, 2, 4,
    ),
    tolerance=1e-12,
    examples=60,
)  # fmt: skip
def moments_of_draws(draw, counts, means, log_stds):
    total = sum(counts)
    u = (np.arange(total) + 0.5) / total
    nodes, shares = np.polynomial.hermite_e.hermegauss(6)
    both = np.broadcast_to(u[:, None], (total, 6)), np.broadcast_to(nodes, (total, 6))
    law = [np.broadcast_to(a, (total, 6, len(a))) for a in (np.log(counts), means, log_stds)]
    x, pi, std = draw(*both, *law), np.array(counts) / total, np.exp(log_stds)
    exact = [pi @ means, pi @ (means**2 + std**2), pi @ (means**3 + 3 * means * std**2)]
    found = [np.mean(x**n @ shares) / np.sum(shares) for n in (1, 2, 3)]
    return np.array(found), np.array(exact), np.sum((abs(means) + 2 * std) ** 3) + 1


@mutant("mean", of="TAX-5/draw", why="mean and std of the whole mixture: one Gaussian, no modes")
def draw_of_one_gaussian(u, eps, logits, means, log_stds):
    pi = _shares(logits)
    mean = np.sum(pi * means, -1)
    var = np.sum(pi * (means**2 + np.exp(2 * log_stds)), -1) - mean**2
    return mean + np.sqrt(var) * eps + 0 * u


@mutant("average", of="TAX-5/draw", why="the components' draws averaged: means right, modes gone")
def draw_averaged(u, eps, logits, means, log_stds):
    return np.sum(_shares(logits) * (means + np.exp(log_stds) * eps[..., None]), -1) + 0 * u


@mutant("likeliest", of="TAX-5/draw", why="the heaviest component always: no chance in the choice")
def draw_from_the_heaviest(u, eps, logits, means, log_stds):
    k = np.argmax(logits, axis=-1)[..., None]
    mean, log_std = (np.take_along_axis(a, k, -1)[..., 0] for a in (means, log_stds))
    return mean + np.exp(log_std) * eps + 0 * u


def _regression(mean, cov):
    """Coordinates of N(mean, cov) given those before them: of Python floats, x_<i -> what `draw` takes."""
    steps = []
    for i in range(len(mean)):
        gain = np.linalg.solve(cov[:i, :i], cov[:i, i]) if i else np.zeros(0)
        log_std = 0.5 * np.log(cov[i, i] - gain @ cov[:i, i])
        steps.append((float(mean[i]), mean[:i].tolist(), gain.tolist(), float(log_std)))

    def conditional(before):
        centre, means, gain, log_std = steps[before.shape[-1]]
        blank = 0 * anp.sum(before, axis=-1, keepdims=True)
        shift = sum(g * (before[..., j : j + 1] - means[j]) for j, g in enumerate(gain))
        return blank, blank + centre + shift, blank + log_std

    return conditional


@equation(
    "TAX-5/ancestral",
    title="drawn one after the other: a Gaussian's triangular root",
    formula=autoregressive.ancestral,
    latex=r"x_i\sim N(\mu_i(x_{<i}),\sigma_i^2)\ \Rightarrow\ x=\mu+L\epsilon,\quad LL^\top=\Sigma",
    sources=[*CHAIN, BISHOP_2006("section 2.3.1")],
    evidence="algebra",
    how="the triangular root of the covariance, times the noise",
    given=rungs(lambda d: together(eps=points(d), mean=points(d), cov=covariances(d)), 1, 2, 3, 5),
    tolerance=1e-10,
    examples=60,
)
def draws_by_a_triangular_root(ancestral, eps, mean, cov):
    derived = mean + np.linalg.cholesky(cov) @ eps
    scale = np.linalg.cond(cov) * (1 + np.sum(abs(derived)) + np.sum(abs(eps)))
    return ancestral(0.5 + 0 * eps, eps, _regression(mean, cov)), derived, scale


@mutant("independent", of="TAX-5/ancestral", why="none is told what was drawn before it")
def ancestral_without_memory(u, eps, conditional):
    each = [conditional(0 * eps[..., :i]) for i in range(eps.shape[-1])]
    drawn = [autoregressive.draw(u[..., i], eps[..., i], *law) for i, law in enumerate(each)]
    return np.stack(drawn, axis=-1)


@mutant("noise", of="TAX-5/ancestral", why="told the noise of those before it, and not what was drawn")
def ancestral_told_the_noise(u, eps, conditional):
    each = [conditional(eps[..., :i]) for i in range(eps.shape[-1])]
    drawn = [autoregressive.draw(u[..., i], eps[..., i], *law) for i, law in enumerate(each)]
    return np.stack(drawn, axis=-1)


# ---- TAX-4: what a density is for
definition(
    "TAX-4",
    title="a model's law serves to sample, and to tell data from outliers",
    kind="experiment",
    latex=r"p_\theta(x)>p_\theta(y)\ \text{for nearly all pairs of data }x\text{ and outliers }y",
    sources=[SONG_NOTES("'Model Distribution'")],
    shown_by=["tests/models/test_outliers.py::test_data_are_likelier_than_outliers"],
    how="trained models with a density: the share of such pairs (AUC) is at least 0.95",
    module=__name__,
)
