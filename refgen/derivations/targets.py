"""Cards of the losses of a prediction: for data, noise, score and velocity they are one (PAR-5)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import levels, points, positives, rungs, steps, together
from refgen.formulas import ddpm, elbo, parametrisation
from refgen.sources import HANG_2023, HO_2020, KIM, LUO_2022, SALIMANS_2022

ASPECTS = KIM("'Diffusion Model', the three aspects of training")
TARGETS = ("eps", "x_0", "score", "v")


def with_prediction(log_snr=20.0):
    """A step with points, and a prediction x_hat of the data."""
    return [together(step=step, x_hat=points(d)) for step, d in zip(steps(log_snr), (1, 2, 5), strict=True)]


def kl_of_step(step, x_hat):
    """KL of q(x_s|x_t,x_0) from q(x_s|x_t,x_hat), and their variance: Gaussians of equal precision."""
    alpha_t, alpha_bar_s = step["alpha_t"], step["alpha_bar_s"]
    precision = alpha_t / (1 - alpha_t) + 1 / (1 - alpha_bar_s)
    shift = np.sqrt(alpha_bar_s) / (1 - alpha_bar_s) / precision * (x_hat - step["x_0"])
    return 0.5 * precision * np.sum(shift**2), 1 / precision


def level(step):
    """(alpha_bar_t, 1 - alpha_bar_t), the second by the recursion of the chain."""
    alpha_t, alpha_bar_s = step["alpha_t"], step["alpha_bar_s"]
    return alpha_t * alpha_bar_s, alpha_t * (1 - alpha_bar_s) + (1 - alpha_t)


@equation(
    "PAR-5/x_0",
    title="the KL of a step as an error in x_0",
    formula=elbo.x_0_weight,
    latex=r"D_{KL}=\frac1{2\sigma_q^2}\frac{\bar\alpha_{t-1}(1-\alpha_t)^2}{(1-\bar\alpha_t)^2}"
    r"\lVert\hat x_\theta-x_0\rVert^2",
    sources=[ASPECTS, LUO_2022("eq. 99")],
    evidence="algebra",
    how="KL of the two Gaussians that Bayes' rule gives for x_0 and for the prediction",
    given=with_prediction(),
    tolerance=1e-12,
)
def x_0_loss_is_the_kl(x_0_weight, step, x_hat):
    kl, var = kl_of_step(step, x_hat)
    weight = x_0_weight(step["alpha_t"], step["alpha_bar_s"], float(var))
    return weight * np.sum((x_hat - step["x_0"]) ** 2), kl


@mutant(
    "root", of="PAR-5/x_0", why="sqrt(alpha_bar_s), as in the mean: the square of the error squares it too"
)
def x_0_weight_with_root(alpha_t, alpha_bar_s, var):
    return elbo.x_0_weight(alpha_t, alpha_bar_s, var) / float(np.sqrt(alpha_bar_s))


@equation(
    "PAR-5/eps",
    title="the KL of a step as an error in the noise",
    formula=elbo.eps_weight,
    latex=r"D_{KL}=\frac1{2\sigma_q^2}\frac{(1-\alpha_t)^2}{(1-\bar\alpha_t)\alpha_t}"
    r"\lVert\epsilon_0-\hat\epsilon_\theta\rVert^2",
    sources=[ASPECTS, HO_2020("eq. 12")],
    evidence="algebra",
    how="the same KL; at a fixed x_t an error in x_0 is one in eps",
    given=with_prediction(),
    tolerance=1e-12,
)
def eps_loss_is_the_kl(eps_weight, step, x_hat):
    kl, var = kl_of_step(step, x_hat)
    alpha_bar, rest = level(step)
    error_in_eps = np.sqrt(alpha_bar / rest) * (step["x_0"] - x_hat)
    return eps_weight(step["alpha_t"], step["alpha_bar_s"], float(var)) * np.sum(error_in_eps**2), kl


@mutant(
    "alpha-bar",
    of="PAR-5/eps",
    why="alpha_bar_t for alpha_t in the denominator, the slip of the mean carried on",
)
def eps_weight_with_alpha_bar(alpha_t, alpha_bar_s, var):
    return elbo.eps_weight(alpha_t, alpha_bar_s, var) / alpha_bar_s


@equation(
    "PAR-5/score",
    title="the KL of a step as an error in the score",
    formula=parametrisation.conditional_score,
    latex=r"D_{KL}=\frac1{2\sigma_q^2}\frac{(1-\alpha_t)^2}{\alpha_t}"
    r"\lVert s_\theta-\nabla\log q(x_t\mid x_0)\rVert^2",
    sources=[ASPECTS, LUO_2022("'Three Equivalent Interpretations'")],
    evidence="algebra",
    how="the same KL, by Bayes' rule; the formula is the target of the score",
    given=with_prediction(log_snr=10.0),
    tolerance=1e-12,
)
def score_loss_is_the_kl(target, step, x_hat):
    kl, var = kl_of_step(step, x_hat)
    alpha_t, (alpha_bar, rest) = step["alpha_t"], level(step)
    signal = float(np.sqrt(alpha_bar))
    predicted = -(step["x_t"] - signal * x_hat) / rest
    true = target(step["x_t"], step["x_0"], signal, float(np.sqrt(rest)))
    weight = (1 - alpha_t) ** 2 / (2 * var * alpha_t)
    size = np.sum((abs(step["x_t"]) + signal * (abs(x_hat) + abs(step["x_0"]))) ** 2) / rest**2
    return weight * np.sum((predicted - true) ** 2), kl, weight * size


@misprint(
    "ERR-6",
    of="PAR-5/score",
    printed=r"\frac1{2\sigma_q^2}\frac{(1-\alpha_t)^2}{\alpha_t}\lVert s_\theta-\nabla\log p(x_t)\rVert^2",
    correct=r"\frac1{2\sigma_q^2}\frac{(1-\alpha_t)^2}{\alpha_t}"
    r"\lVert s_\theta-\nabla\log q(x_t\mid x_0)\rVert^2",
    source=ASPECTS,
    why="with the marginal score as target the loss is not the other two: a KL given x_0 cannot be written "
    "without x_0. Here for data from N(0, I), whose noisy law has the score -x_t",
)
def marginal_score_of_unit_gaussian_data(x_t, x_0, signal, std):
    return -x_t


@equation(
    "PAR-5/errors",
    title="errors in eps, x_0, score and v, one from another",
    formula=ddpm.eps_error_factor,
    latex=r"\lVert\epsilon-\hat\epsilon\rVert^2=\mathrm{SNR}\lVert x_0-\hat x_0\rVert^2"
    r"=(1-\bar\alpha_t)\lVert s-\hat s\rVert^2=\bar\alpha_t\lVert v-\hat v\rVert^2",
    sources=[ASPECTS, SALIMANS_2022("section 4"), HANG_2023("section 3.4")],
    evidence="algebra",
    how="at a fixed x_t two linear equations tie the errors in x_0 and eps; they are solved",
    given=rungs(
        lambda d: together(target=st.sampled_from(TARGETS), error=points(d), alpha_bar=levels()), 1, 2, 5
    ),
    tolerance=1e-12,
)
def factors_carry_errors(eps_error_factor, target, error, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    _, error_in_eps = errors_in_data_and_noise(target, error, signal, std)
    return eps_error_factor(target, signal, std) * np.sum(error**2), np.sum(error_in_eps**2)


def errors_in_data_and_noise(target, error, signal, std):
    """The errors in x_0 and eps that an error in the prediction means, at a fixed x_t."""
    rows = {"x_0": (1, 0), "eps": (0, 1), "score": (0, -1 / std), "v": (-std, signal)}
    return np.linalg.solve(np.array([(signal, std), rows[target]]), np.stack([0 * error, error]))


@mutant("v-weight", of="PAR-5/errors", why="the v weight of an x_0 loss without the division by SNR + 1")
def eps_error_factor_of_v_without_one(target, signal, std):
    return (signal / std) ** 2 if target == "v" else ddpm.eps_error_factor(target, signal, std)


@mutant("score-std", of="PAR-5/errors", why="the score's loss weighted by std where its square belongs")
def eps_error_factor_of_score_by_std(target, signal, std):
    return std if target == "score" else ddpm.eps_error_factor(target, signal, std)


@equation(
    "PAR-5/min-snr",
    title="the capped SNR weight is one loss for all targets",
    formula=ddpm.min_snr_weight,
    latex=r"\frac{\min(\mathrm{SNR},\gamma)}{\mathrm{SNR}}\lVert\epsilon-\hat\epsilon\rVert^2"
    r"=\min(\mathrm{SNR},\gamma)\lVert x_0-\hat x_0\rVert^2",
    sources=[HANG_2023("section 3.4")],
    evidence="algebra",
    how="the same two linear equations; the cap applied to the error in x_0",
    given=rungs(
        lambda d: together(
            target=st.sampled_from(TARGETS), error=points(d), alpha_bar=levels(), gamma=positives(0.1, 100.0)
        ),
        1,
        2,
    ),
    tolerance=1e-12,
)
def capped_weight_is_one_loss(min_snr_weight, target, error, alpha_bar, gamma):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    error_in_data, error_in_eps = errors_in_data_and_noise(target, error, signal, std)
    cap = min(alpha_bar / (1 - alpha_bar), gamma)
    return min_snr_weight(signal, std, gamma) * np.sum(error_in_eps**2), cap * np.sum(error_in_data**2)


@mutant("clamp", of="PAR-5/min-snr", why="the larger of SNR and gamma: the clamp the wrong way")
def max_snr_weight(signal, std, gamma):
    return np.maximum(1.0, gamma * (std / signal) ** 2)
