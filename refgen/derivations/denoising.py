"""Cards of denoising score matching: noise, target and what is learned (DSM-1, 2, 11, 13, 14)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad, grad

from refgen.cards import definition, equation, misprint, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations import line
from refgen.formulas import denoising, mixture
from refgen.sources import FIELD, ISACHENKO, SONG_2019, SONG_NOTES, VINCENT_2011

NOISED = SONG_NOTES("'Denoising Score Matching', the noisy distribution")
DENOISING = SONG_NOTES("'Denoising Score Matching'")
SUMMARY = SONG_NOTES("'Denoising Score Matching', summary")
THEOREM = ISACHENKO("'Denoising score matching'")
NCSN = ISACHENKO("'Noise conditioned score network'")
WIKI = SONG_NOTES("'Denoising Score Matching', the Korean text")


# ---- DSM-1: the noisy law
@equation(
    "DSM-1",
    title="noise of variance std^2 widens each component by it",
    formula=mixture.log_prob,
    latex=r"q_\sigma(\tilde x)=\int\pi(x)\,\mathcal N(\tilde x;x,\sigma^2I)\,dx",
    sources=[NOISED, THEOREM, VINCENT_2011("section 4")],
    evidence="quadrature",
    how="the convolution of data and noise, summed over x",
    given=line.lines(x=reals(), std=positives(0.05, 5.0)),
    tolerance=1e-10,
    examples=60,
)
def noisy_density_is_a_convolution(log_prob, law, x, std):
    at, mass = line.tabulated(law, std)
    kernel = np.exp(-0.5 * ((x - at) / std) ** 2) / np.sqrt(2 * np.pi * std**2)
    covs = mixture.diffused_covs(law.stds[:, None, None] ** 2, 1.0, std)
    claimed = log_prob(np.array([x]), law.weights, law.means[:, None], covs)
    derived = np.log(mass @ kernel)
    return claimed, derived, 1 + abs(derived)


@mutant("conditional", of="DSM-1", why="one kernel about the mean of the data, for the mean of all kernels")
def density_of_one_kernel(x, weights, means, covs):
    spread = covs[:1] + weights @ (means[:, 0] - weights @ means[:, 0]) ** 2
    return mixture.log_prob(x, np.ones_like(weights[:1]), (weights @ means)[None], spread)


@mutant("sharper", of="DSM-1", why="components made narrower, as if noise could be taken off a density")
def density_too_narrow(x, weights, means, covs):
    return mixture.log_prob(x, weights, means, covs / 2)


# ---- DSM-2: the target
def noised(d, low=1e-3, high=10.0):
    return together(x=points(d), eps=points(d), std=positives(low, high))


def log_kernel(x_noisy, x, std):
    return -0.5 * anp.sum((x_noisy - x) ** 2) / std**2


@equation(
    "DSM-2",
    title="the score of the noise kernel",
    formula=denoising.kernel_score,
    latex=r"\nabla_{\tilde x}\log q_\sigma(\tilde x\mid x)=-\frac{\tilde x-x}{\sigma^2}",
    sources=[THEOREM, DENOISING, VINCENT_2011("section 4")],
    evidence="autodiff",
    how="differentiating the log-density of the noisy point",
    given=rungs(noised, 1, 2, 5),
    tolerance=1e-12,
)
def target_is_the_gradient(kernel_score, x, eps, std):
    x_noisy = x + std * eps
    derived = elementwise_grad(log_kernel)(x_noisy, x, std)
    return kernel_score(x, x_noisy, std), derived, (abs(x_noisy) + abs(x)) / std**2


@misprint(
    "ERR-45",
    of="DSM-2",
    printed=r"\nabla_{\tilde x}\log q_\sigma(\tilde x\mid x)=-\frac{x-\tilde x}{\sigma^2}",
    correct=r"\nabla_{\tilde x}\log q_\sigma(\tilde x\mid x)=-\frac{\tilde x-x}{\sigma^2}",
    source=WIKI,
    why="the sign: it leads away from the data, and a model learns the energy upside down",
)
def target_with_the_sign(x, x_noisy, std):
    return -(x - x_noisy) / std**2


@misprint(
    "ERR-50",
    of="DSM-2",
    printed=r"\nabla_{\mathbf x}'\log p(\mathbf x'\mid\mathbf x,\sigma_l)",
    correct=r"\nabla_{\mathbf x'}\log p(\mathbf x'\mid\mathbf x,\sigma_l)",
    source=NCSN,
    why="the prime stands at the nabla: read as printed, the gradient is by the clean x, of the other sign",
)
def gradient_by_the_clean_point(x, x_noisy, std):
    return (x_noisy - x) / std**2


@mutant("std", of="DSM-2", why="divided by the std once, not by the variance")
def target_over_std(x, x_noisy, std):
    return (x - x_noisy) / std


@mutant("variance", of="DSM-2", why="a variance handed over for the std, and squared again")
def target_of_squared_variance(x, x_noisy, std):
    return (x - x_noisy) / std**4


@equation(
    "DSM-13/target",
    title="only the conditional score is known without the law of the data",
    formula=denoising.kernel_score,
    latex=r"\nabla_{\tilde x}\log\big[\pi(x)\,q_\sigma(\tilde x\mid x)\big]"
    r"=\nabla_{\tilde x}\log q_\sigma(\tilde x\mid x)\quad\text{for every }\pi",
    sources=[DENOISING, THEOREM],
    evidence="autodiff",
    how="differentiating the joint density of data and noisy point, for any mixture that the data are from",
    given=line.lines(x=reals(), eps=reals(), std=positives(0.01, 5.0)),
    tolerance=1e-11,
)
def target_needs_no_law(kernel_score, law, x, eps, std):
    x, x_noisy = np.array([x]), np.array([x + std * eps])

    def log_joint(z):
        return anp.sum(line.log_density(x, law)) + log_kernel(z, x, std)

    return kernel_score(x, x_noisy, std), grad(log_joint)(x_noisy), (abs(x_noisy) + abs(x)) / std**2


@misprint(
    "ERR-43",
    of="DSM-13/target",
    printed=r"\nabla\log p_{data}\to\text{ the computable }\nabla_{\tilde x}\log q_\sigma(\tilde x)",
    correct=r"\nabla\log p_{data}\to\text{ the computable }\nabla_{\tilde x}\log q_\sigma(\tilde x\mid x)",
    source=WIKI,
    why="the score of the noisy law takes the whole law of the data and is as unknown as theirs. "
    "Here for data from N(0, I), whose noisy law has the score -x / (1 + std^2)",
)
def target_by_the_marginal(x, x_noisy, std):
    return -x_noisy / (1 + std**2)


definition(
    "DSM-13/passes",
    title="no reverse pass by x, no Jacobian",
    latex=r"s_\theta(\tilde x)\text{ is only evaluated; }\mathrm{tr}\,\nabla_xs_\theta\text{ does not occur}",
    sources=[DENOISING, THEOREM],
    shown_by=["tests/formulas/test_denoising.py::test_needs_no_derivative_of_the_model"],
    module=__name__,
)


# ---- DSM-11 and DSM-14: what is learned
@equation(
    "DSM-11",
    title="the best model is the score of the noisy law, and denoises",
    formula=denoising.kernel_score,
    latex=r"s^*(\tilde x)=\frac{E[x\mid\tilde x]-\tilde x}{\sigma^2}=\nabla\log q_\sigma(\tilde x)",
    sources=[
        THEOREM,
        SONG_NOTES("'Denoising Score Matching', the denoising process"),
        VINCENT_2011("section 4"),
    ],
    evidence="quadrature",
    how="E[x|noisy x] by a sum over x; the score by differentiating the noisy law's log-density",
    given=line.lines(x_noisy=reals(), std=positives(0.05, 5.0)),
    tolerance=1e-10,
    examples=60,
)
def posterior_mean_gives_the_score(kernel_score, law, x_noisy, std):
    x, mass = line.posterior(x_noisy, law, 1.0, std)
    derived = line.score(np.array([x_noisy]), line.noisy(law, 1.0, std))
    scale = mass @ (abs(x) + abs(x_noisy)) / std**2
    return kernel_score(np.array([mass @ x]), np.array([x_noisy]), std), derived, scale


@mutant("sign", of="DSM-11", why="from the noisy point away from its mean: the residual with the wrong sign")
def score_away_from_the_mean(x, x_noisy, std):
    return (x_noisy - x) / std**2


@mutant("std", of="DSM-11", why="the residual in units of the noise, which is minus eps and not the score")
def score_in_units_of_noise(x, x_noisy, std):
    return (x - x_noisy) / std


@equation(
    "DSM-11/linear",
    title="the best linear model points back to the data",
    formula=denoising.denoising,
    latex=r"\arg\min_\theta\tfrac12E\Big(\theta\tilde x+\frac{\tilde x-x}{\sigma^2}\Big)^2"
    r"=-\frac1{E[x^2]+\sigma^2}",
    sources=[VINCENT_2011("section 4"), FIELD("the sign of a denoising target")],
    evidence="quadrature",
    how="the second moment of a mixture; the parabola in theta from three values of the mean loss",
    given=line.lines(1, 2, std=positives(0.3, 3.0)),
    tolerance=1e-9,
    examples=30,
)
def linear_optimum(denoising, law, std):
    x, x_noisy, mass = line.joint(law, 1.0, std)
    at = np.broadcast_to(x_noisy, mass.shape)[..., None]
    clean = np.broadcast_to(x[:, None], mass.shape)[..., None]
    down, flat, up = (np.sum(mass * denoising(theta * at, clean, at, std)) for theta in (-1.0, 0.0, 1.0))
    claimed = (down - up) / (2 * (up + down - 2 * flat))
    moment = law.weights @ (law.means**2 + law.stds**2) + std**2
    return claimed, -1 / moment, (1 + (up + down) / moment) / moment


@mutant("sign", of="DSM-11/linear", why="the displacement taken off: the optimum climbs the energy")
def linear_loss_with_the_sign(s, x, x_noisy, std):
    return 0.5 * np.sum((s - (x_noisy - x) / std**2) ** 2, axis=-1)


@mutant("std", of="DSM-11/linear", why="the displacement over std: the score of another level")
def linear_loss_over_std(s, x, x_noisy, std):
    return 0.5 * np.sum((s + (x_noisy - x) / std) ** 2, axis=-1)


definition(
    "DSM-14",
    title="one model for all noise levels takes the level as an argument",
    latex=r"s_\theta(x',\sigma),\quad s^*(x',\sigma)=\nabla\log q_\sigma(x')",
    sources=[THEOREM, SONG_2019("section 3")],
    shown_by=["DSM-11", "tests/formulas/test_denoising.py::test_a_level_for_each_point"],
    module=__name__,
)
