"""Cards of the conditional score, and of what it has to do with the marginal one (PAR-6 to PAR-8)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import levels, points, reals, rungs, together
from refgen.derivations import line
from refgen.formulas import parametrisation
from refgen.sources import FIELD, KIM, LUO_2022, VINCENT_2011

ASPECTS = KIM("'Diffusion Model', the three aspects of training")


def noised_at(*dims):
    return rungs(lambda d: together(x_0=points(d), eps=points(d), alpha_bar=levels()), *dims)


def score_of_kernel(x_t, x_0, alpha_bar):
    """The gradient of log q(x_t|x_0) in x_t, and the size of its terms."""
    log_q = lambda x: -0.5 * anp.sum((x - np.sqrt(alpha_bar) * x_0) ** 2) / (1 - alpha_bar)  # noqa: E731
    return elementwise_grad(log_q)(x_t), (abs(x_t) + np.sqrt(alpha_bar) * abs(x_0)) / (1 - alpha_bar)


@equation(
    "PAR-6/data",
    title="score of q(x_t|x_0), by the data",
    formula=parametrisation.conditional_score,
    latex=r"\nabla_{x_t}\log q(x_t\mid x_0)=-\frac{x_t-\sqrt{\bar\alpha_t}x_0}{1-\bar\alpha_t}",
    sources=[ASPECTS, VINCENT_2011()],
    evidence="autodiff",
    how="differentiating the log-density of the Gaussian that x_t has given x_0",
    given=noised_at(1, 2, 5),
    tolerance=1e-12,
)
def conditional_score_is_the_gradient(conditional_score, x_0, eps, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    x_t = signal * x_0 + std * eps
    return conditional_score(x_t, x_0, signal, std), *score_of_kernel(x_t, x_0, alpha_bar)


@misprint(
    "ERR-5",
    of="PAR-6/data",
    printed=r"\nabla\log p(x_t)=-\frac1{\sqrt{1-\bar\alpha_t}}\epsilon_0",
    correct=r"\nabla\log q(x_t\mid x_0)=-\frac1{\sqrt{1-\bar\alpha_t}}\epsilon_0",
    source=ASPECTS,
    why="p(x_t) does not know which noise was drawn; its score is only the mean of -eps / std given x_t. "
    "Here for data from N(0, I), whose noisy law has the score -x_t",
)
def score_of_the_noisy_law(x_t, x_0, signal, std):
    return -x_t


@mutant("sign", of="PAR-6/data", why="the minus forgotten: the target points away from the data")
def conditional_score_with_sign(x_t, x_0, signal, std):
    return (x_t - signal * x_0) / std**2


@mutant("std", of="PAR-6/data", why="divided by the std once, not by the variance")
def conditional_score_over_std(x_t, x_0, signal, std):
    return (signal * x_0 - x_t) / std


@mutant("variance", of="PAR-6/data", why="a variance handed over where a std is expected, and squared again")
def conditional_score_of_squared_variance(x_t, x_0, signal, std):
    return (signal * x_0 - x_t) / std**4


@equation(
    "PAR-6/noise",
    title="score of q(x_t|x_0), by the noise",
    formula=parametrisation.score_from_eps,
    latex=r"\nabla_{x_t}\log q(x_t\mid x_0)=-\frac{\epsilon_0}{\sqrt{1-\bar\alpha_t}}",
    sources=[ASPECTS, LUO_2022("'Three Equivalent Interpretations'")],
    evidence="autodiff",
    how="differentiating the log-density at the x_t that this noise leads to",
    given=noised_at(1, 2, 5),
    tolerance=1e-12,
)
def noise_is_the_score(score_from_eps, x_0, eps, alpha_bar):
    x_t = np.sqrt(alpha_bar) * x_0 + np.sqrt(1 - alpha_bar) * eps
    return score_from_eps(eps, float(np.sqrt(1 - alpha_bar))), *score_of_kernel(x_t, x_0, alpha_bar)


@mutant("sign", of="PAR-6/noise", why="the minus forgotten")
def score_along_the_noise(eps, std):
    return eps / std


@mutant("variance", of="PAR-6/noise", why="eps over the variance: noise and displacement std eps confused")
def score_over_variance(eps, std):
    return -eps / std**2


# ---- PAR-7, PAR-8: the marginal score is the mean of the conditional one
@equation(
    "PAR-7",
    title="the marginal score is the mean noise given x_t",
    formula=parametrisation.score_from_eps,
    latex=r"\nabla\log q_t(x_t)=-\frac{E[\epsilon_0\mid x_t]}{\sqrt{1-\bar\alpha_t}}"
    r"=E[\nabla\log q(x_t\mid x_0)\mid x_t]",
    sources=[ASPECTS, VINCENT_2011(), FIELD("which of the two scores a noise predictor learns")],
    evidence="quadrature",
    how="E[eps|x_t] by a sum over x_0; the score by differentiating the exact log-density of a noisy mixture",
    given=line.lines(x_t=reals(), alpha_bar=levels(6.0)),
    tolerance=1e-10,
    examples=50,
)
def mean_noise_is_the_marginal_score(score_from_eps, law, x_t, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    x_0, mass = line.posterior(x_t, law, signal, std)
    eps = (x_t - signal * x_0) / std
    derived = line.score(np.array([x_t]), line.noisy(law, signal, std))
    return score_from_eps(np.array([mass @ eps]), std), derived, mass @ abs(eps) / std


@mutant("sign", of="PAR-7", why="the minus forgotten: a score model with this sign climbs the energy")
def mean_noise_with_sign(eps, std):
    return eps / std


@mutant("unscaled", of="PAR-7", why="minus eps itself taken for the score, the division by std forgotten")
def mean_noise_unscaled(eps, std):
    return -eps


@equation(
    "PAR-8",
    title="conditional and marginal loss differ by a constant",
    formula=parametrisation.score_loss_gap,
    latex=r"E\lVert s_\theta-\nabla\log q(x_t\mid x_0)\rVert^2-E\lVert s_\theta-\nabla\log q_t\rVert^2"
    r"=\frac d{1-\bar\alpha_t}-E\lVert\nabla\log q_t\rVert^2",
    sources=[ASPECTS, VINCENT_2011()],
    evidence="quadrature",
    how="both losses of two unlike models, by sums over x_0 and x_t",
    given=line.lines(1, 2, slope=reals(-2, 2), wave=reals(-2, 2), alpha_bar=levels(2.0)),
    tolerance=1e-9,
    examples=30,
)
def losses_differ_by_a_constant(score_loss_gap, law, slope, wave, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    x_0, x_t, mass = line.joint(law, signal, std)
    conditional = (signal * x_0[:, None] - x_t) / std**2
    marginal, mass_t = line.score(x_t, line.noisy(law, signal, std)), mass.sum(0)
    gaps, sizes = [], []
    for model in (slope * x_t + 1, wave * np.sin(3 * x_t)):
        against_conditional = np.sum(mass * (model - conditional) ** 2)
        against_marginal = mass_t @ (model - marginal) ** 2
        gaps.append(against_conditional - against_marginal)
        sizes.append(against_conditional + against_marginal)
    claimed = score_loss_gap(mass_t @ marginal**2, std)
    return np.array([claimed, claimed]), np.array(gaps), np.array(sizes)


@misprint(
    "ERR-6/equal",
    of="PAR-8",
    printed=r"\arg\min_\theta\lVert\epsilon_0-\hat\epsilon_\theta\rVert^2\text{ and }"
    r"\arg\min_\theta\lVert s_\theta-\nabla\log p(x_t)\rVert^2\text{ as one problem, no expectation}",
    correct=r"E\lVert s_\theta-\nabla\log q(x_t\mid x_0)\rVert^2"
    r"=E\lVert s_\theta-\nabla\log p(x_t)\rVert^2+c",
    source=ASPECTS,
    why="read as equal losses: they differ by a number that no model can change, and it is only their "
    "expectations that have the same minimiser",
)
def no_gap(mean_square_score, std):
    return 0.0 * mean_square_score


@mutant("sum", of="PAR-8", why="the mean square of the marginal score added where it is taken off")
def gap_with_sign(mean_square_score, std):
    return 1 / std**2 + mean_square_score
