"""Cards of the conversions between noise, clean data, score and velocity (PAR-4)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad, jacobian
from hypothesis import strategies as st

from refgen.cards import definition, equation, mutant
from refgen.cards.strategies import levels, points, positives, reals, rungs, together
from refgen.formulas import parametrisation, velocity
from refgen.sources import FIELD, HO_2020, KIM, LUO_2022, SALIMANS_2022, SJTU

ASPECTS = KIM("'Diffusion Model', the three aspects of training")
CONVERSIONS = LUO_2022("'Three Equivalent Interpretations'")


def noised(**more):
    """Clean data and noise at any level, whether or not signal^2 + std^2 = 1."""
    scales = dict(signal=positives(1e-3, 10.0), std=positives(1e-3, 10.0))
    return rungs(lambda d: together(x_0=points(d), eps=points(d), **scales, **more), 1, 2, 5)


@equation(
    "PAR-4/x_0",
    title="clean data from noise",
    formula=parametrisation.x_0_from_eps,
    latex=r"\hat x_0=\frac{x_t-\sqrt{1-\bar\alpha_t}\,\hat\epsilon}{\sqrt{\bar\alpha_t}}",
    sources=[ASPECTS, SJTU("slide 19"), HO_2020("eq. 15")],
    evidence="algebra",
    how="round trip: noise that was added comes off again",
    given=noised(),
    tolerance=1e-12,
)
def data_come_back(x_0_from_eps, x_0, eps, signal, std):
    scale = abs(x_0) + std / signal * abs(eps)
    return x_0_from_eps(signal * x_0 + std * eps, eps, signal, std), x_0, scale


@mutant("variance", of="PAR-4/x_0", why="1 - alpha_bar, the variance, where its root, the std, belongs")
def data_with_variance(x_t, eps, signal, std):
    return parametrisation.x_0_from_eps(x_t, eps, signal, std**2)


@equation(
    "PAR-4/eps",
    title="noise from clean data",
    formula=parametrisation.eps_from_x_0,
    latex=r"\hat\epsilon=\frac{x_t-\sqrt{\bar\alpha_t}\,\hat x_0}{\sqrt{1-\bar\alpha_t}}",
    sources=[ASPECTS, CONVERSIONS],
    evidence="algebra",
    how="round trip: the noise that was added is found again",
    given=noised(),
    tolerance=1e-12,
)
def noise_comes_back(eps_from_x_0, x_0, eps, signal, std):
    scale = abs(eps) + signal / std * abs(x_0)
    return eps_from_x_0(signal * x_0 + std * eps, x_0, signal, std), eps, scale


@mutant("variance", of="PAR-4/eps", why="divided by 1 - alpha_bar, the variance, instead of its root")
def noise_over_variance(x_t, x_0, signal, std):
    return parametrisation.eps_from_x_0(x_t, x_0, signal, std) / std


@equation(
    "PAR-4/score",
    title="noise from the score",
    formula=parametrisation.eps_from_score,
    latex=r"\hat\epsilon=-\sqrt{1-\bar\alpha_t}\,\hat s",
    sources=[ASPECTS, CONVERSIONS],
    evidence="autodiff",
    how="round trip: the score of q(x_t|x_0), by differentiation, gives back the noise in x_t",
    given=noised(),
    tolerance=1e-12,
)
def score_gives_the_noise(eps_from_score, x_0, eps, signal, std):
    score = elementwise_grad(lambda x: -0.5 * ((x - signal * x_0) / std) ** 2)(signal * x_0 + std * eps)
    return eps_from_score(score, std), eps, abs(eps) + signal / std * abs(x_0)


@mutant("sign", of="PAR-4/score", why="no minus: the score points against the noise")
def noise_along_the_score(score, std):
    return std * score


@mutant("variance", of="PAR-4/score", why="times the variance 1 - alpha_bar instead of its root")
def noise_from_score_by_variance(score, std):
    return -(std**2) * score


definition(
    "PAR-4/x_0-score",
    title="clean data from the score",
    latex=r"\hat x_0=\frac{x_t+(1-\bar\alpha_t)\hat s}{\sqrt{\bar\alpha_t}}",
    sources=[ASPECTS, CONVERSIONS],
    shown_by=["TWE-2", "TWE-3"],
    module=__name__,
)


@equation(
    "PAR-4/v",
    title="velocity is the derivative by the angle",
    formula=velocity.v_from_x_0_and_eps,
    latex=r"v=\mathrm{signal}\,\epsilon-\mathrm{std}\,x_0=\frac{d x_\phi}{d\phi},\quad "
    r"x_\phi=r(\cos\phi\,x_0+\sin\phi\,\epsilon)",
    sources=[SALIMANS_2022("appendix D")],
    evidence="autodiff",
    how="the derivative of x_t along the circle from data to noise, with respect to the angle",
    given=noised(),
    tolerance=1e-12,
)
def velocity_is_the_derivative(v_from_x_0_and_eps, x_0, eps, signal, std):
    angle, radius = np.arctan2(std, signal), np.hypot(signal, std)
    derived = jacobian(lambda phi: radius * (anp.cos(phi) * x_0 + anp.sin(phi) * eps))(angle)
    return v_from_x_0_and_eps(x_0, eps, signal, std), derived, radius * (abs(x_0) + abs(eps))


@mutant("sign", of="PAR-4/v", why="std x_0 - signal eps: towards the data, as in some programs")
def velocity_backwards(x_0, eps, signal, std):
    return std * x_0 - signal * eps


@equation(
    "PAR-4/v-eps",
    title="velocity from noise",
    formula=parametrisation.v_from_eps,
    latex=r"v=\frac{\epsilon-\mathrm{std}\,x_t}{\mathrm{signal}}\quad(\mathrm{signal}^2+\mathrm{std}^2=1)",
    sources=[SALIMANS_2022("appendix D")],
    evidence="algebra",
    how="the definition, with the data that x_t was made of",
    given=rungs(lambda d: together(x_0=points(d), eps=points(d), angle=reals(0, 1.57)), 1, 2, 5),
    tolerance=1e-12,
)
def velocity_by_noise_is_its_definition(v_from_eps, x_0, eps, angle):
    return velocity_by_noise_at_any_power(v_from_eps, x_0, eps, float(np.cos(angle)), float(np.sin(angle)))


@mutant("data-for-noise", of="PAR-4/v-eps", why="x_t - std eps, the data times the signal, for eps - std x_t")
def velocity_by_noise_exchanged(x_t, eps, signal, std):
    return (x_t - std * eps) / signal


@equation(
    "PAR-4/v-eps-any",
    title="velocity from noise, at any power",
    formula=parametrisation.v_from_eps,
    latex=r"v=\frac{(\mathrm{signal}^2+\mathrm{std}^2)\,\epsilon-\mathrm{std}\,x_t}{\mathrm{signal}}",
    sources=[SALIMANS_2022("appendix D")],
    evidence="algebra",
    how="the definition, with the data that x_t was made of",
    given=noised(),
    tolerance=1e-12,
)
def velocity_by_noise_at_any_power(v_from_eps, x_0, eps, signal, std):
    x_t, power = signal * x_0 + std * eps, signal**2 + std**2
    derived = np.array([-std, signal]) @ np.stack([x_0, eps])
    return v_from_eps(x_t, eps, signal, std), derived, power / signal * abs(eps) + std * abs(x_0)


@mutant("power", of="PAR-4/v-eps-any", why="signal^2 + std^2 taken for one, which a VE level is not")
def velocity_by_noise_of_unit_power(x_t, eps, signal, std):
    return (eps - std * x_t) / signal


def turned_back(x_t, v, signal, std):
    """(x_0, eps) of shape (2, d): the solution of x_t = signal x_0 + std eps, v = signal eps - std x_0."""
    system = np.array([[signal, std], [-std, signal]])
    scale = (abs(x_t) + abs(v)) * max(signal, std) / (signal**2 + std**2)
    return np.linalg.solve(system, np.stack([x_t, v])), scale


def turned_at_unit_power():
    """x_t and a predicted velocity at signal = cos(angle), std = sin(angle), as schedules have them."""
    return rungs(lambda d: together(x_t=points(d), v=points(d), angle=reals(0, np.pi / 2)), 1, 2, 5)


def turned():
    """x_t and a predicted velocity, any two points, at any level; at its ends signal or std is zero."""

    def of(d, signal, std):
        return together(x_t=points(d), v=points(d), signal=signal, std=std)

    inside = [of(d, positives(1e-3, 10.0), positives(1e-3, 10.0)) for d in (1, 2, 5)]
    return [*inside, of(2, st.just(0.0), st.just(1.0)), of(2, st.just(1.0), st.just(0.0))]


@equation(
    "PAR-4/x_0-v",
    title="clean data from velocity, even without signal",
    formula=velocity.x_0_from_v,
    latex=r"\hat x_0=\mathrm{signal}\,x_t-\mathrm{std}\,v\quad(\mathrm{signal}^2+\mathrm{std}^2=1)",
    sources=[SALIMANS_2022("appendix D")],
    evidence="algebra",
    how="solving the two equations that define x_t and v",
    given=turned_at_unit_power(),
    tolerance=1e-12,
)
def data_by_velocity_solve_the_system(x_0_from_v, x_t, v, angle):
    return data_by_velocity_at_any_power(x_0_from_v, x_t, v, float(np.cos(angle)), float(np.sin(angle)))


@mutant("sign", of="PAR-4/x_0-v", why="plus std v: the turn the wrong way round")
def data_by_velocity_turned_on(x_t, v, signal, std):
    return velocity.x_0_from_v(x_t, -v, signal, std)


@equation(
    "PAR-4/x_0-v-any",
    title="clean data from velocity, at any power",
    formula=velocity.x_0_from_v,
    latex=r"\hat x_0=\frac{\mathrm{signal}\,x_t-\mathrm{std}\,v}{\mathrm{signal}^2+\mathrm{std}^2}",
    sources=[SALIMANS_2022("appendix D")],
    evidence="algebra",
    how="solving the two equations that define x_t and v",
    given=turned(),
    tolerance=1e-12,
)
def data_by_velocity_at_any_power(x_0_from_v, x_t, v, signal, std):
    (x_0, _), scale = turned_back(x_t, v, signal, std)
    return x_0_from_v(x_t, v, signal, std), x_0, scale


@mutant("power", of="PAR-4/x_0-v-any", why="signal^2 + std^2 taken for one, which a VE level is not")
def data_by_velocity_at_unit_power(x_t, v, signal, std):
    return signal * x_t - std * v


@equation(
    "PAR-4/eps-v",
    title="noise from velocity",
    formula=parametrisation.eps_from_v,
    latex=r"\hat\epsilon=\mathrm{signal}\,v+\mathrm{std}\,x_t\quad(\mathrm{signal}^2+\mathrm{std}^2=1)",
    sources=[SALIMANS_2022("appendix D")],
    evidence="algebra",
    how="solving the two equations that define x_t and v",
    given=turned_at_unit_power(),
    tolerance=1e-12,
)
def noise_by_velocity_solves_the_system(eps_from_v, x_t, v, angle):
    return noise_by_velocity_at_any_power(eps_from_v, x_t, v, float(np.cos(angle)), float(np.sin(angle)))


@mutant("swapped", of="PAR-4/eps-v", why="signal and std swapped, as the letters alpha and sigma often are")
def noise_by_velocity_swapped(x_t, v, signal, std):
    return parametrisation.eps_from_v(x_t, v, std, signal)


@equation(
    "PAR-4/eps-v-any",
    title="noise from velocity, at any power",
    formula=parametrisation.eps_from_v,
    latex=r"\hat\epsilon=\frac{\mathrm{signal}\,v+\mathrm{std}\,x_t}{\mathrm{signal}^2+\mathrm{std}^2}",
    sources=[SALIMANS_2022("appendix D")],
    evidence="algebra",
    how="solving the two equations that define x_t and v",
    given=turned(),
    tolerance=1e-12,
)
def noise_by_velocity_at_any_power(eps_from_v, x_t, v, signal, std):
    (_, eps), scale = turned_back(x_t, v, signal, std)
    return eps_from_v(x_t, v, signal, std), eps, scale


@mutant("power", of="PAR-4/eps-v-any", why="signal^2 + std^2 taken for one, which a VE level is not")
def noise_by_velocity_at_unit_power(x_t, v, signal, std):
    return signal * v + std * x_t


@equation(
    "PAR-4/error",
    title="an error in v never grows on the way to x_0",
    formula=velocity.x_0_from_v,
    latex=r"\lVert\hat x_0(x_t,v+\delta)-\hat x_0(x_t,v)\rVert\le\lVert\delta\rVert\quad"
    r"(\mathrm{signal}^2+\mathrm{std}^2=1)",
    sources=[SALIMANS_2022("section 4"), FIELD("a clipped cosine schedule multiplies an error in eps by 31")],
    evidence="algebra",
    how="going back is a turn, and no coordinate of a turned vector is longer than the vector",
    given=rungs(
        lambda d: together(x_t=points(d), v=points(d), error=points(d), alpha_bar=levels(6)), 1, 2, 5
    ),
    relation="<=",
    tolerance=1e-12,
)
def errors_in_velocity_do_not_grow(x_0_from_v, x_t, v, error, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    moved = x_0_from_v(x_t, v + error, signal, std) - x_0_from_v(x_t, v, signal, std)
    size = np.linalg.norm(x_t) + np.linalg.norm(v) + np.linalg.norm(error)
    return np.linalg.norm(moved), np.linalg.norm(error), size


@mutant("eps", of="PAR-4/error", why="predicting noise instead: its error grows by std / signal")
def data_by_noise_for_velocity(x_t, v, signal, std):
    return parametrisation.x_0_from_eps(x_t, v, signal, std)
