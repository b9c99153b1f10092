"""Cards of the denoising loss: its mean, its constant, its weight, its gradient (DSM-3, 5, 6, 7, 12)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad, grad

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import covariances, points, positives, reals, rungs, together
from refgen.derivations import line
from refgen.derivations.directions import clouds, features, matrices, model, models
from refgen.formulas import denoising, parametrisation
from refgen.sources import HO_2020, ISACHENKO, KIM, SJTU, SONG_2019, SONG_NOTES, VINCENT_2011

DENOISING = SONG_NOTES("'Denoising Score Matching'")
SUMMARY = SONG_NOTES("'Denoising Score Matching', summary")
THEOREM = ISACHENKO("'Denoising score matching'")
WIKI = SONG_NOTES("'Denoising Score Matching', the Korean text")


def log_kernel(x_noisy, x, std):
    return -0.5 * anp.sum((x_noisy - x) ** 2) / std**2


# ---- DSM-3: the constant
def gaussians(d):
    """Data N(mean, cov), and a linear model -B (x - centre)."""
    return together(
        mean=points(d), cov=covariances(d), model=matrices(d, d), centre=points(d), std=positives(0.05, 5.0)
    )


@equation(
    "DSM-3/gaussian",
    title="conditional and marginal loss differ by a constant, in any dimension",
    formula=parametrisation.score_loss_gap,
    latex=r"E\lVert s_\theta-\nabla\log q_\sigma(\tilde x\mid x)\rVert^2"
    r"-E\lVert s_\theta-\nabla\log q_\sigma(\tilde x)\rVert^2"
    r"=\frac d{\sigma^2}-E\lVert\nabla\log q_\sigma\rVert^2",
    sources=[THEOREM, DENOISING, VINCENT_2011("section 4")],
    evidence="algebra",
    how="both losses of a linear model on Gaussian data, from the joint covariance of noisy point and noise",
    given=rungs(gaussians, 1, 2, 3),
    tolerance=1e-10,
)
def constant_of_gaussian_data(score_loss_gap, mean, cov, model, centre, std):
    d = len(mean)
    noisy = cov + std**2 * np.eye(d)
    information, shift = np.linalg.inv(noisy), np.sum((model @ (mean - centre)) ** 2)
    # s - target = -B (x_noisy - centre) + eps / std, where x_noisy and eps have the covariance std I
    conditional = np.trace(model @ noisy @ model.T) + shift - 2 * np.trace(model) + d / std**2
    left = information - model
    marginal = np.trace(left @ noisy @ left.T) + shift
    claimed = d * score_loss_gap(np.trace(information) / d, std)
    return claimed, conditional - marginal, abs(conditional) + abs(marginal) + d / std**2


@mutant("one", of="DSM-3/gaussian", why="d / std for d / std^2: the noise's own score has variance 1 / std^2")
def gap_over_std(mean_square_score, std):
    return 1 / std - mean_square_score


@equation(
    "DSM-3/mixture",
    title="the two objectives are equal up to a constant that is not zero",
    formula=parametrisation.score_loss_gap,
    latex=r"\tfrac12E\lVert\nabla\log q_\sigma(\tilde x)-s_\theta\rVert^2"
    r"=\tfrac12E\lVert\nabla\log q_\sigma(\tilde x\mid x)-s_\theta\rVert^2-C,\quad "
    r"C=\tfrac12\Big(\frac d{\sigma^2}-E\lVert\nabla\log q_\sigma\rVert^2\Big)",
    sources=[THEOREM, DENOISING, VINCENT_2011("section 4")],
    evidence="quadrature",
    how="both sides of a model with a wave in it, by sums over x and the noisy point",
    given=line.lines(1, 2, slope=reals(-2, 2), wave=reals(-2, 2), std=positives(0.2, 3.0)),
    tolerance=1e-9,
    examples=30,
)
def constant_of_a_mixture(score_loss_gap, law, slope, wave, std):
    x, x_noisy, mass = line.joint(law, 1.0, std)
    s, mass_noisy = slope * x_noisy + wave * np.sin(2 * x_noisy), mass.sum(0)
    marginal = line.score(x_noisy, line.noisy(law, 1.0, std))
    conditional_loss = 0.5 * np.sum(mass * (s - (x[:, None] - x_noisy) / std**2) ** 2)
    marginal_loss = 0.5 * mass_noisy @ (s - marginal) ** 2
    claimed = 0.5 * score_loss_gap(mass_noisy @ marginal**2, std)
    return claimed, conditional_loss - marginal_loss, conditional_loss + marginal_loss


@misprint(
    "ERR-44",
    of="DSM-3/mixture",
    printed=r"\tfrac12E_{q_\sigma}\lVert\nabla\log q_\sigma(\tilde x)-s_\theta\rVert^2"
    r"=\tfrac12EE\lVert\nabla\log q_\sigma(\tilde x\mid x)-s_\theta\rVert^2",
    correct=r"\tfrac12E_{q_\sigma}\lVert\nabla\log q_\sigma(\tilde x)-s_\theta\rVert^2"
    r"=\tfrac12EE\lVert\nabla\log q_\sigma(\tilde x\mid x)-s_\theta\rVert^2-C",
    source=WIKI,
    why="the constant dropped: same minimiser, other value, and the loss of the exact score is not zero",
)
def no_constant(mean_square_score, std):
    return 0.0 * mean_square_score


# ---- DSM-5 and DSM-6: the loss
@equation(
    "DSM-5",
    title="the mean of the loss is the Fisher divergence from the noisy law, and a constant",
    formula=denoising.denoising,
    latex=r"\tfrac12E\lVert s_\theta(\tilde x)-\nabla\log q_\sigma(\tilde x\mid x)\rVert^2"
    r"=\tfrac12E\lVert s_\theta-\nabla\log q_\sigma\rVert^2+\tfrac12\Big(\frac d{\sigma^2}"
    r"-E\lVert\nabla\log q_\sigma\rVert^2\Big)",
    sources=[DENOISING, VINCENT_2011("section 4")],
    evidence="quadrature",
    how="both sides summed over x and the noisy point; the score by differentiating the noisy log-density",
    given=line.lines(1, 2, slope=reals(-2, 2), wave=reals(-2, 2), std=positives(0.2, 3.0)),
    tolerance=1e-9,
    examples=30,
)
def mean_loss_is_a_divergence(denoising, law, slope, wave, std):
    x, x_noisy, mass = line.joint(law, 1.0, std)
    s, mass_noisy = slope * x_noisy + wave * np.sin(2 * x_noisy), mass.sum(0)
    pairs = [np.broadcast_to(a, mass.shape)[..., None] for a in (s, x[:, None], x_noisy)]
    claimed = np.sum(mass * denoising(*pairs, std))
    marginal = line.score(x_noisy, line.noisy(law, 1.0, std))
    constant = 1 / std**2 - mass_noisy @ marginal**2
    derived = 0.5 * mass_noisy @ (s - marginal) ** 2 + 0.5 * constant
    return claimed, derived, mass_noisy @ s**2 + 1 / std**2


@misprint(
    "ERR-47",
    of="DSM-5",
    printed=r"\frac1n\sum_i\lVert s_\theta(\tilde x_i)-\nabla\log q_\sigma(\tilde x_i\mid x_i)\rVert^2",
    correct=r"\frac1{2n}\sum_i\lVert s_\theta(\tilde x_i)-\nabla\log q_\sigma(\tilde x_i\mid x_i)\rVert^2",
    source=SUMMARY,
    why="the half is lost between the objective and its estimate, which is then twice as large",
)
def loss_without_half(s, x, x_noisy, std):
    return np.sum((s + (x_noisy - x) / std**2) ** 2, axis=-1)


@mutant("clean", of="DSM-5", why="the target at the clean point, where the kernel's score is zero")
def loss_at_the_clean_point(s, x, x_noisy, std):
    return 0.5 * np.sum(s**2, axis=-1) + 0 * x[..., 0]


@equation(
    "DSM-6",
    title="the loss of Gaussian noise",
    formula=denoising.denoising,
    latex=r"\tfrac12\lVert s_\theta(\tilde x)-\nabla\log q_\sigma(\tilde x\mid x)\rVert^2"
    r"=\tfrac12\Big\lVert s_\theta(\tilde x)+\frac{\tilde x-x}{\sigma^2}\Big\rVert^2",
    sources=[DENOISING, VINCENT_2011("section 4")],
    evidence="autodiff",
    how="the target by differentiating the log-density of the noisy point",
    given=rungs(
        lambda d: together(s=points(d), x=points(d), eps=points(d), std=positives(0.01, 10)), 1, 2, 5
    ),
    tolerance=1e-12,
)
def loss_by_differentiation(denoising, s, x, eps, std):
    x_noisy = x + std * eps
    gap = s - elementwise_grad(log_kernel)(x_noisy, x, std)
    scale = np.sum((abs(s) + (abs(x) + abs(x_noisy)) / std**2) ** 2)
    return denoising(s, x, x_noisy, std), 0.5 * gap @ gap, scale


@mutant("sign", of="DSM-6", why="the displacement taken off, not added: the optimum is minus the score")
def loss_with_the_sign(s, x, x_noisy, std):
    return 0.5 * np.sum((s - (x_noisy - x) / std**2) ** 2, axis=-1)


@mutant("std", of="DSM-6", why="the displacement over std, not over its square")
def loss_over_std(s, x, x_noisy, std):
    return 0.5 * np.sum((s + (x_noisy - x) / std) ** 2, axis=-1)


@mutant("variance", of="DSM-6", why="std taken for a variance and squared again")
def loss_of_squared_variance(s, x, x_noisy, std):
    return 0.5 * np.sum((s + (x_noisy - x) / std**4) ** 2, axis=-1)


# ---- DSM-12: the same as predicting the noise
@equation(
    "DSM-12",
    title="with weight std^2 it is the loss of predicting the noise",
    formula=denoising.noise_prediction,
    latex=r"\sigma^2\Big\lVert s+\frac{\tilde x-x}{\sigma^2}\Big\rVert^2=\lVert\hat\epsilon-\epsilon\rVert^2,"
    r"\quad\hat\epsilon=-\sigma s",
    sources=[
        KIM("'Diffusion Model', score matching at all noise levels"),
        SJTU("'Score-based Diffusion Models'"),
        SONG_2019("eq. 5"),
        HO_2020("section 3.2"),
    ],
    evidence="algebra",
    how="the squared distance of score and displacement over std^2, times std^2",
    given=rungs(
        lambda d: together(s=points(d), x=points(d), eps=points(d), std=positives(0.01, 10)), 1, 2, 5
    ),
    tolerance=1e-12,
)
def weighted_loss_is_noise_prediction(noise_prediction, s, x, eps, std):
    x_noisy = x + std * eps
    parts = std**2 * 0.5 * (s + (x_noisy - x) / std**2) ** 2
    scale = np.sum((std * abs(s) + (abs(x) + abs(x_noisy)) / std) ** 2) + 1
    return noise_prediction(s, eps, std), np.sum(parts), scale


@mutant("sign", of="DSM-12", why="eps_hat = std s: the minus between noise and score forgotten")
def noise_prediction_with_the_sign(s, eps, std):
    return 0.5 * np.sum((std * s - eps) ** 2, axis=-1)


@mutant("unweighted", of="DSM-12", why="weight one: then small noise levels outweigh all others")
def noise_prediction_without_weight(s, eps, std):
    return 0.5 * np.sum((s + eps / std) ** 2, axis=-1)


# ---- DSM-7: the gradient by the parameters
@equation(
    "DSM-7",
    title="the gradient of the loss",
    formula=denoising.denoising_gradient,
    latex=r"\nabla_\theta J=\frac1n\sum_i(\partial_\theta s_\theta(\tilde x_i))^\top"
    r"\big(s_\theta(\tilde x_i)-\nabla\log q_\sigma(\tilde x_i\mid x_i)\big)",
    sources=[SUMMARY, VINCENT_2011("section 4")],
    evidence="autodiff",
    how="reverse mode through the mean loss of a network, by its last layer",
    given=rungs(
        lambda d: together(net=models(d, 3), x_noisy=clouds(3, d), target=clouds(3, d)), 1, 2, 3
    ),
    tolerance=1e-11,
)  # fmt: skip
def gradient_by_reverse_mode(denoising_gradient, net, x_noisy, target):
    t, u = features(net, x_noisy), net["u"]
    loss = lambda u: 0.5 * anp.sum((t @ u - target) ** 2) / len(t)  # noqa: E731
    d = x_noisy.shape[1]
    s_param = np.einsum("nk,ij->nikj", t, np.eye(d)).reshape(len(t), d, u.size)
    claimed = denoising_gradient(model(net, x_noisy), target, s_param)
    return claimed, grad(loss)(u).ravel(), 1 + np.sum(abs(target)) + np.sum(abs(u))


@misprint(
    "ERR-48",
    of="DSM-7",
    printed=r"\nabla_\theta J=\frac1n\sum_i"
    r"\lVert\nabla_\theta(\nabla\log q_\sigma)-\nabla_\theta s_\theta\rVert^2",
    correct=r"\nabla_\theta J=\frac1n\sum_i(\partial_\theta s_\theta)^\top"
    r"\big(s_\theta-\nabla\log q_\sigma\big)",
    source=SUMMARY,
    why="the square of a gradient for the gradient of a square: never negative, and no step ever ends it",
)
def square_of_the_gradient(s, target, s_param):
    return np.mean(np.sum(s_param**2, axis=-2), axis=0)


@mutant("twice", of="DSM-7", why="a 2 from the square, though the half has taken it")
def gradient_twice(s, target, s_param):
    return 2 * denoising.denoising_gradient(s, target, s_param)
