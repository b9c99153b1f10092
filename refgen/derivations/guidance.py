"""Cards of guidance: the guided score, and its other forms (GUIDE-1 to GUIDE-3)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import levels, points, positives, reals, rungs, together
from refgen.derivations import line
from refgen.formulas import guidance
from refgen.sources import DHARIWAL_2021, FIELD, HO_2022, SONG_2021

__all__ = ["at_level", "by_hand", "classes"]

SCALES = st.one_of(st.sampled_from([2.0, 0.0, 1.0, 0.5]), st.floats(-1, 8, allow_subnormal=False))


def classes(*counts, **more):
    """Mixtures on a line whose first component is the class, a place and a level of noise."""
    return line.lines(*(counts or (2, 3)), x_t=reals(), alpha_bar=levels(4.0), **more)


def at_level(law, alpha_bar):
    """The level (signal, std), the noisy law, and the log-density of the class alone, with its share."""
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    return signal, std, line.noisy(law, signal, std)


def log_of_class(x, law):
    """log p(c | x) for the first component: its part of the density over the whole of it."""
    return anp.log(law.weights[0]) + line.log_density(x, alone(law)) - line.log_density(x, law)


def alone(law):
    return line.Law(np.ones(1), law.means[:1], law.stds[:1])


def tilted_score(x_t, law, s):
    """The derivative of log p(x) + s log p(c | x), and the size of its terms."""
    x = np.array([x_t])
    slopes = [elementwise_grad(f)(x, law) for f in (line.log_density, log_of_class)]
    derived = elementwise_grad(lambda x: line.log_density(x, law) + s * log_of_class(x, law))(x)
    return derived, abs(slopes[0]) + abs(s) * (abs(slopes[0]) + abs(slopes[0] + slopes[1])) + 1e-9


def by_hand(x_t, law):
    """The scores of the class and of all, from densities and their slopes written out."""
    z = (x_t - law.means) / law.stds
    log_parts = np.log(law.weights / law.stds) - z**2 / 2
    share = np.exp(log_parts - np.max(log_parts))
    slopes = -z / law.stds
    return np.array([slopes[0]]), np.array([share @ slopes / np.sum(share)])


# ---- GUIDE-1: without a classifier
@equation(
    "GUIDE-1",
    title="the guided score is that of q(x) p(c|x)^s",
    formula=guidance.guided,
    latex=r"\nabla\log q+s\,\big(\nabla\log q(\cdot\mid c)-\nabla\log q\big)"
    r"=\nabla\log\big(q(x)\,p(c\mid x)^s\big)",
    sources=[HO_2022("eq. 6, with w = s - 1"), FIELD("two conventions of the scale, off by one")],
    evidence="autodiff",
    how="differentiating log q + s log p(c|x), p(c|x) as a component's part of a noisy mixture",
    given=classes(s=SCALES),
    tolerance=1e-12,
    examples=50,
)
def guided_is_tilted(guided, law, x_t, alpha_bar, s):
    _, _, noisy = at_level(law, alpha_bar)
    return guided(*by_hand(x_t, noisy), s), *tilted_score(x_t, noisy, s)


@mutant("off-by-one", of="GUIDE-1", why="from the conditional on: at s = 1 no longer the conditional score")
def guided_from_the_conditional(conditional, unconditional, s):
    return conditional + s * (conditional - unconditional)


@mutant("swapped", of="GUIDE-1", why="the two swapped: away from the class")
def guided_away(conditional, unconditional, s):
    return conditional + s * (unconditional - conditional)


@mutant("sum", of="GUIDE-1", why="both added: the unconditional one is not taken off again")
def guided_as_a_sum(conditional, unconditional, s):
    return unconditional + s * conditional


@mutant("averaged", of="GUIDE-1", why="w in place of s in the form with two weights")
def guided_with_weight(conditional, unconditional, s):
    return (1 + s) * conditional - s * unconditional


@equation(
    "GUIDE-1/forms",
    title="eps, clean data and velocity are guided by the same rule as the score",
    formula=guidance.guided,
    latex=r"\tilde\epsilon=\hat\epsilon+s(\hat\epsilon_c-\hat\epsilon),\quad"
    r"\tilde x_0=\hat x_0+s(\hat x_{0,c}-\hat x_0),\quad\tilde v=\hat v+s(\hat v_c-\hat v)",
    sources=[HO_2022("eq. 6, with w = s - 1")],
    evidence="autodiff",
    how="the derivative of log q + s log p(c|x), taken to the other three by Tweedie's formula",
    given=classes(s=SCALES),
    tolerance=1e-12,
    examples=50,
)
def guided_in_other_forms(guided, law, x_t, alpha_bar, s):
    signal, std, noisy = at_level(law, alpha_bar)

    def forms(score):
        eps, x_0 = -std * score, (x_t + std**2 * score) / signal
        return np.concatenate([eps, x_0, signal * eps - std * x_0])

    conditional, unconditional = (forms(score) for score in by_hand(x_t, noisy))
    derived, size = tilted_score(x_t, noisy, s)
    size = (abs(x_t) + size) / signal + size
    return guided(conditional, unconditional, s), forms(derived), np.concatenate([size] * 3)


@mutant("off-by-one", of="GUIDE-1/forms", why="from the conditional on")
def forms_from_the_conditional(conditional, unconditional, s):
    return conditional + s * (conditional - unconditional)


@mutant("unbalanced", of="GUIDE-1/forms", why="weights that do not add up to one: x_t is counted twice")
def forms_unbalanced(conditional, unconditional, s):
    return s * conditional + unconditional


# ---- GUIDE-2: with a classifier
@equation(
    "GUIDE-2/score",
    title="guidance by a classifier has the same score",
    formula=guidance.tilted,
    latex=r"\nabla\log q(x)+s\,\nabla\log p(c\mid x)=\nabla\log\big(q(x)\,p(c\mid x)^s\big)",
    sources=[DHARIWAL_2021("section 4"), SONG_2021("section 5")],
    evidence="autodiff",
    how="differentiating log q + s log p(c|x); the classifier's slope is given in closed form",
    given=classes(s=SCALES),
    tolerance=1e-12,
    examples=50,
)
def classifier_is_tilted(tilted, law, x_t, alpha_bar, s):
    _, _, noisy = at_level(law, alpha_bar)
    conditional, unconditional = by_hand(x_t, noisy)
    return tilted(unconditional, conditional - unconditional, s), *tilted_score(x_t, noisy, s)


@mutant("sign", of="GUIDE-2/score", why="the classifier's slope taken off: away from the class")
def classifier_with_sign(base, of_class, s):
    return base - s * of_class


@mutant("weight", of="GUIDE-2/score", why="w in place of s: at 1 it would count twice")
def classifier_off_by_one(base, of_class, s):
    return base + (1 + s) * of_class


@mutant("averaged", of="GUIDE-2/score", why="the unconditional score weighed down as if this were a mean")
def classifier_as_a_mean(base, of_class, s):
    return (1 - s) * base + s * of_class


@equation(
    "GUIDE-2/eps",
    title="guidance by a classifier, in eps: times the std, with a minus",
    formula=guidance.eps_with_classifier,
    latex=r"\tilde\epsilon=\hat\epsilon-s\,\sqrt{1-\bar\alpha_t}\,\nabla\log p(c\mid x_t)",
    sources=[DHARIWAL_2021("algorithm 2")],
    evidence="autodiff",
    how="minus the std times the derivative of log q + s log p(c|x)",
    given=classes(s=SCALES),
    tolerance=1e-12,
    examples=50,
)
def classifier_in_eps(eps_with_classifier, law, x_t, alpha_bar, s):
    _, std, noisy = at_level(law, alpha_bar)
    conditional, unconditional = by_hand(x_t, noisy)
    derived, size = tilted_score(x_t, noisy, s)
    claimed = eps_with_classifier(-std * unconditional, conditional - unconditional, std, s)
    return claimed, -std * derived, std * size


@mutant("std", of="GUIDE-2/eps", why="the std left out: the classifier counts too much at small noise")
def classifier_eps_without_std(eps, gradient, std, s):
    return eps - s * gradient


@mutant("variance", of="GUIDE-2/eps", why="the variance in place of the std")
def classifier_eps_with_variance(eps, gradient, std, s):
    return eps - s * std**2 * gradient


@mutant("sign", of="GUIDE-2/eps", why="added, as to the score: eps points the other way")
def classifier_eps_with_sign(eps, gradient, std, s):
    return eps + s * std * gradient


@equation(
    "GUIDE-2/data",
    title="guidance by a classifier, in clean data: times the variance over the signal",
    formula=guidance.x_0_with_classifier,
    latex=r"\tilde x_0=\hat x_0+s\,\frac{1-\bar\alpha_t}{\sqrt{\bar\alpha_t}}\,\nabla\log p(c\mid x_t)",
    sources=[DHARIWAL_2021("section 4")],
    evidence="autodiff",
    how="Tweedie's formula at the derivative of log q + s log p(c|x)",
    given=classes(s=SCALES),
    tolerance=1e-12,
    examples=50,
)
def classifier_in_clean_data(x_0_with_classifier, law, x_t, alpha_bar, s):
    signal, std, noisy = at_level(law, alpha_bar)
    conditional, unconditional = by_hand(x_t, noisy)
    x_0 = (x_t + std**2 * unconditional) / signal
    derived, size = tilted_score(x_t, noisy, s)
    claimed = x_0_with_classifier(x_0, conditional - unconditional, signal, std, s)
    return claimed, (x_t + std**2 * derived) / signal, (abs(x_t) + std**2 * size) / signal


@mutant("signal", of="GUIDE-2/data", why="not divided by the signal")
def classifier_data_without_signal(x_0, gradient, signal, std, s):
    return x_0 + s * std**2 * gradient


@mutant("std", of="GUIDE-2/data", why="the std in place of the variance")
def classifier_data_with_std(x_0, gradient, signal, std, s):
    return x_0 + (s * std / signal) * gradient


@equation(
    "GUIDE-2/velocity",
    title="guidance by a classifier, in the velocity",
    formula=guidance.v_with_classifier,
    latex=r"\tilde v=\hat v-s\,\mathrm{std}\,\frac{\mathrm{signal}^2+\mathrm{std}^2}{\mathrm{signal}}\,"
    r"\nabla\log p(c\mid x_t)",
    sources=[DHARIWAL_2021("section 4")],
    evidence="autodiff",
    how="signal eps - std x_0 at the derivative of log q + s log p(c|x), at levels of any power",
    given=classes(s=SCALES, power=positives(0.3, 3)),
    tolerance=1e-12,
    examples=50,
)
def classifier_in_velocity(v_with_classifier, law, x_t, alpha_bar, s, power):
    signal, std = float(power * np.sqrt(alpha_bar)), float(power * np.sqrt(1 - alpha_bar))
    noisy = line.noisy(law, signal, std)
    conditional, unconditional = by_hand(x_t, noisy)

    def velocity(score):
        return -signal * std * score - std * (x_t + std**2 * score) / signal

    derived, size = tilted_score(x_t, noisy, s)
    size = signal * std * size + std * (abs(x_t) + std**2 * size) / signal
    claimed = v_with_classifier(velocity(unconditional), conditional - unconditional, signal, std, s)
    return claimed, velocity(derived), size


@mutant("power", of="GUIDE-2/velocity", why="unit power taken for granted: wrong on a ladder of noise")
def classifier_velocity_of_unit_power(v, gradient, signal, std, s):
    return v - (s * std / signal) * gradient


@mutant("sign", of="GUIDE-2/velocity", why="added, as to the score")
def classifier_velocity_with_sign(v, gradient, signal, std, s):
    return v + (s * std * (signal**2 + std**2) / signal) * gradient


# ---- GUIDE-3: the other convention
@equation(
    "GUIDE-3",
    title="the scale s is 1 + w of the other convention",
    formula=guidance.scale_from_weight,
    latex=r"(1+w)\,\hat\epsilon_c-w\,\hat\epsilon=\hat\epsilon+s\,(\hat\epsilon_c-\hat\epsilon),\quad s=1+w",
    sources=[HO_2022("eq. 6"), FIELD("two conventions of the scale, off by one")],
    evidence="algebra",
    how="the scale read off the combination with two weights, at two unequal answers",
    given=rungs(lambda d: together(w=reals(-1, 8), conditional=points(d), step=reals(0.5, 4)), 1, 2),
    tolerance=1e-12,
)
def scale_read_off(scale_from_weight, w, conditional, step):
    unconditional = conditional - step
    combined = (1 + w) * conditional - w * unconditional
    size = 1 + abs(w) + np.max((1 + 2 * abs(w)) * (abs(conditional) + step)) / step
    return scale_from_weight(w), float(np.mean((combined - unconditional) / step)), float(size)


@mutant("same", of="GUIDE-3", why="taken for the same number: w = 1 would be no guidance")
def scale_is_weight(w):
    return w


@mutant("backwards", of="GUIDE-3", why="converted the wrong way")
def scale_backwards(w):
    return w - 1
