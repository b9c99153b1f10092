"""Cards of the score of an energy, and of when a field is one (EBM-6 to EBM-8, EBM-10)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations.fields import (
    blobs,
    density,
    energy_of,
    fields,
    gradient,
    log_density,
    vector_field,
)
from refgen.formulas import energy, score_matching
from refgen.sources import CS167, ISACHENKO, KIM, SJTU, SONG_2019, SONG_KINGMA_2021, SONG_NOTES

SLIDE = KIM("'Score-based Generative Model'")
FUNCTIONS = SONG_NOTES("'Score functions'")


def size(law, x):
    """The largest slope that one of the Gaussians has there, as a scale."""
    return 1 + np.sum(np.sqrt(np.sum((x[..., None, :] - law.means) ** 2, axis=-1)) / law.stds**2)


# ---- EBM-6, EBM-7: the score
@equation(
    "EBM-6",
    title="the score is the gradient of the log-density by x",
    formula=energy.score,
    latex=r"s(x)=\nabla_x\log p(x)",
    sources=[SONG_2019("section 2"), FUNCTIONS, ISACHENKO("'Implicit score matching'"), SLIDE],
    evidence="autodiff",
    how="complex steps through the log-density of a mixture, whose energy the formula is given",
    given=rungs(lambda d: together(law=blobs(d), x=points(d)), 1, 2, 5),
    tolerance=1e-12,
    examples=60,
)
def score_is_the_gradient_by_x(score, law, x):
    return score(energy_of(law), x), gradient(lambda z: log_density(z, law), x), size(law, x)


@misprint(
    "ERR-51",
    of="EBM-6",
    printed=r"P(x)=\nabla_x\log p(x)",
    correct=r"s(x)=\nabla_x\log p(x)",
    source=CS167("'Score-based models'"),
    why="P is the density itself on the slides before; here that density, in every coordinate",
)
def density_called_score(energy, x):
    return anp.exp(-energy(x))[..., None] + 0 * x


@mutant(
    "parameter", of="EBM-6", why="Fisher's score, by a parameter: for a shift of the law it is minus this one"
)
def score_by_the_mean(energy, x):
    return elementwise_grad(lambda shift: -energy(x - shift))(0 * x)


@mutant("density", of="EBM-6", why="the gradient of the density, not of its logarithm")
def gradient_without_logarithm(energy, x):
    return elementwise_grad(lambda z: anp.exp(-energy(z)))(x)


@equation(
    "EBM-7",
    title="the score does not know the normalising constant",
    formula=energy.score,
    latex=r"\nabla_x\log p_\theta(x)=-\nabla_xE_\theta(x)-\nabla_x\log Z_\theta=-\nabla_xE_\theta(x)",
    sources=[SLIDE, SJTU("'Score-based'"), SONG_KINGMA_2021()],
    evidence="algebra",
    how="any constant is added to a quartic energy, whose slope is written out",
    given=together(x=points(1, -3, 3), a=positives(0.1, 3), b=reals(), c=reals(), constant=reals(-50, 50)),
    tolerance=1e-12,
)
def score_without_constant(score, x, a, b, c, constant):
    quartic = lambda z: (a * z**4 + b * z**2 + c * z)[..., 0] + constant  # noqa: E731
    return score(quartic, x), -(4 * a * x**3 + 2 * b * x + c), 1 + 4 * a * abs(x) ** 3 + abs(b * x) + abs(c)


@mutant("sign", of="EBM-7", why="plus the gradient of the energy: where p is exp(f) / Z, but this is not f")
def score_of_minus_the_energy(energy, x):
    return elementwise_grad(energy)(x)


@mutant("value", of="EBM-7", why="divided by the energy, as if it were the density: then the constant counts")
def logarithmic_slope_of_the_energy(energy, x):
    return -elementwise_grad(lambda z: anp.log(1 + energy(z) ** 2))(x)


@equation(
    "EBM-7/negative",
    title="the same with the other sign: the gradient of f = -E",
    formula=energy.score,
    latex=r"p=e^{f}/Z\ \Rightarrow\ \nabla_x\log p=\nabla_xf",
    sources=[SONG_NOTES("'Score-based models'"), CS167("'PDF Estimation'")],
    evidence="autodiff",
    how="f is the log-density of a mixture; complex steps through it",
    given=rungs(lambda d: together(law=blobs(d), x=points(d), constant=reals()), 1, 2),
    tolerance=1e-12,
    examples=60,
)
def score_in_the_other_convention(score, law, x, constant):
    f = lambda z: -energy_of(law, constant)(z)  # noqa: E731
    return score(lambda z: -f(z), x), gradient(lambda z: log_density(z, law), x), size(law, x)


@mutant(
    "sign", of="EBM-7/negative", why="minus the gradient of f: the other convention's f taken for the energy"
)
def score_with_f_for_energy(energy, x):
    return elementwise_grad(energy)(x)


# ---- EBM-8: uphill, and the steepest way
@equation(
    "EBM-8",
    title="along the score the density grows fastest",
    formula=score_matching.density_gradient,
    latex=r"u^\top\nabla p\le\lVert\nabla p\rVert=p\,\lVert\nabla\log p\rVert,\qquad\nabla p=p\,\nabla\log p",
    sources=[SLIDE, FUNCTIONS, CS167("'Score-based models'")],
    evidence="autodiff",
    relation="<=",
    how="the growth of the density along any direction and along the score, by complex steps",
    given=rungs(lambda d: together(law=blobs(d), x=points(d), u=points(d)), 1, 2, 3),
    tolerance=1e-11,
)
def no_direction_is_steeper(density_gradient, law, x, u):
    x = x[None]
    s = gradient(lambda z: log_density(z, law), x)
    u, uphill = (way / max(1e-300, np.max(abs(way))) for way in (u, s[0]))  # a tiny one's square would be 0
    u, uphill = (way / max(1e-300, np.linalg.norm(way)) for way in (u, uphill))
    growth = lambda way: density(x + 1e-30j * way, law).imag / 1e-30  # noqa: E731
    scale = density(x, law) * size(law, x)
    return density_gradient(density(x, law), s) @ u, growth(uphill), scale


@mutant("log", of="EBM-8", why="the growth of the log-density, where that of the density is meant")
def growth_of_the_logarithm(density, score):
    return score + 0 * density[..., None]


@equation(
    "EBM-8/direction",
    title="the score and the density's gradient point the same way",
    formula=energy.score,
    latex=r"\cos\angle(\nabla p,\nabla\log p)=1",
    sources=[SLIDE, FUNCTIONS],
    evidence="autodiff",
    how="the density's own gradient by complex steps, scaled to the length of the score",
    given=rungs(lambda d: together(law=blobs(d), x=points(d)), 1, 2, 3),
    tolerance=1e-11,
    examples=60,
)
def score_points_uphill(score, law, x):
    slope = gradient(lambda z: density(z, law), x[None])[0]
    return score(energy_of(law, 3.0), x), slope / density(x[None], law), size(law, x)


@mutant(
    "downhill", of="EBM-8/direction", why="the gradient of the energy: downhill, to where the density is low"
)
def score_points_downhill(energy, x):
    return elementwise_grad(energy)(x)


def pulled(x, law):
    """The score of a mixture of round Gaussians at one point x (d,): each pulls by its share."""
    pulls = (law.means - x) / law.stds[:, None] ** 2
    logs = np.log(law.weights / law.stds ** len(x)) + 0.5 * np.sum(pulls * (x - law.means), axis=-1)
    shares = np.exp(logs - np.max(logs.real))
    return shares @ pulls / np.sum(shares)


# ---- EBM-10: not every field is a score
@equation(
    "EBM-10",
    title="the score of an energy has a symmetric Jacobian",
    formula=energy.asymmetry,
    latex=r"s=-\nabla E\ \Rightarrow\ \partial_is_j=\partial_js_i",
    sources=[SONG_KINGMA_2021(), SONG_NOTES("'Score-based models'")],
    evidence="autodiff",
    how="0 for a mixture's score; of a bent field, the entries that differ written out",
    given=rungs(lambda d: together(law=blobs(d), x=points(d), field=fields(d)), 2, 3),
    tolerance=1e-10,
    examples=20,
)
def asymmetry_of_a_score_and_of_a_field(asymmetry, law, x, field):
    of_score = gradient(lambda z: pulled(z, law), x)
    of_field = gradient(vector_field(field), x)
    turn = np.outer(field.c, field.w) / np.cosh(x @ field.w) ** 2 + field.a
    upper = np.triu_indices(len(x), 1)
    derived = np.array([0.0, np.sqrt(2 * np.sum((turn[upper] - turn.T[upper]) ** 2))])
    claimed = asymmetry(np.stack([of_score, of_field]))
    return claimed, derived, np.array([1 + np.sum(abs(of_score)), 1 + np.sum(abs(of_field))])


@misprint(
    "ERR-36",
    of="EBM-10",
    printed=r"\therefore s_\theta(x)=\nabla_x\log p_\theta(x)\text{ for any network }s_\theta:R^d\to R^d",
    correct=r"\text{only where }\nabla_xs_\theta\text{ is symmetric}",
    source=SONG_NOTES("'Score-based models'"),
    why="a network that is no gradient has no density of which it were the score; as printed, no Jacobian "
    "would ever be asymmetric",
)
def every_field_is_a_score(jacobian):
    return 0 * np.sum(jacobian, axis=(-2, -1))


@mutant("once", of="EBM-10", why="each pair of entries counted once: less by the root of two")
def asymmetry_of_the_upper_half(jacobian):
    difference = jacobian - np.swapaxes(jacobian, -1, -2)
    return np.sqrt(0.5 * np.sum(difference**2, axis=(-2, -1)))
