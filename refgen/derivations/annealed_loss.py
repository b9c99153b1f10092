"""Cards of the loss over many levels of noise, of its weights (NCSN-3, 4, 6, 11), and of how many (TAX-2)."""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss

from refgen.cards import definition, equation, misprint, mutant
from refgen.cards.strategies import positives, reals, together
from refgen.derivations import line
from refgen.derivations.reverse_kernel import slope
from refgen.formulas import annealed
from refgen.sources import FIELD, ISACHENKO, KIM, SJTU, SONG_2019

NCSN = ISACHENKO("'Noise conditioned score network'")
LOSS = SJTU("'Score-based Diffusion Models', score matching")
KIM_LOSS = KIM("'Diffusion Model', all noise levels")


# ---- NCSN-3
LEVELS = st.lists(positives(0.3, 3.0), min_size=2, max_size=3).map(lambda s: np.sort(s)[::-1].copy())
MODELS = line.lines(1, 2, std=LEVELS, shift=reals(-2, 2), tilt=reals(-1, 1))


def level_terms(law, std, shift, tilt):
    """At one level: E|s + (x' - x)/std^2|^2, E|s*|^2 and E|s - s*|^2, s = s* + shift + tilt x'."""
    x, x_noisy, mass = line.joint(law, 1.0, std)
    exact = line.score(x_noisy, line.noisy(law, 1.0, std))
    model = exact + shift + tilt * x_noisy
    error = np.sum(mass * (model + (x_noisy - x[:, None]) / std**2) ** 2)
    return error, mass.sum(0) @ exact**2, mass.sum(0) @ (model - exact) ** 2


@equation(
    "NCSN-3/loss",
    title="loss over all levels: its minimum is the exact score",
    formula=annealed.multi_level_loss,
    latex=r"\sum_l\sigma_l^2\,E\lVert s_\theta-\nabla\log p(x'\mid x,\sigma_l)\rVert^2"
    r"=\sum_l\big(d-\sigma_l^2E\lVert\nabla\log q_{\sigma_l}\rVert^2\big)"
    r"+\sum_l\sigma_l^2E\lVert s_\theta-\nabla\log q_{\sigma_l}\rVert^2",
    sources=[SONG_2019("eq. 6"), NCSN, LOSS],
    evidence="quadrature",
    how="both sides by sums over x and x', for a model that is off by a straight line; only the last sum "
    "depends on the model, and it is least, 0, for the exact score",
    given=MODELS,
    tolerance=1e-9,
    examples=25,
)
def loss_is_floor_and_fisher(multi_level_loss, law, std, shift, tilt):
    errors, squares, fisher = np.array([level_terms(law, s, shift, tilt) for s in std.tolist()]).T
    return multi_level_loss(errors, std), np.sum(1 - std**2 * squares + std**2 * fisher)


@mutant("unweighted", of="NCSN-3/loss", why="no weights: small levels count for hundreds of times the others")
def loss_unweighted(errors, std):
    return np.sum(errors, axis=-1)


@mutant("std", of="NCSN-3/loss", why="sigma for sigma^2")
def loss_weighted_by_std(errors, std):
    return np.sum(std * errors, axis=-1)


@equation(
    "NCSN-3/floor",
    title="what is left of the loss at the exact score",
    formula=annealed.multi_level_floor,
    latex=r"\min_s\sum_l\sigma_l^2\,E\lVert s-\nabla\log p(x'\mid x,\sigma_l)\rVert^2"
    r"=\sum_l\big(d-\sigma_l^2E\lVert\nabla\log q_{\sigma_l}\rVert^2\big)",
    sources=[NCSN, SONG_2019("eq. 6")],
    evidence="quadrature",
    how="the loss of the exact score by sums over x and x', for d independent coordinates",
    given=[
        together(d=st.integers(1, 3), law=law, std=LEVELS)
        for law in (rung.map(lambda drawn: drawn["law"]) for rung in line.lines(1, 2))
    ],
    tolerance=1e-9,
    examples=25,
)
def floor_is_the_loss_of_the_score(multi_level_floor, d, law, std):
    errors, squares, _ = np.array([level_terms(law, s, 0.0, 0.0) for s in std.tolist()]).T
    return multi_level_floor(d * squares, std, d), d * np.sum(std**2 * errors), float(d * len(std))


@mutant(
    "zero", of="NCSN-3/floor", why="a loss of 0 expected of a perfect network: the noise cannot be guessed"
)
def floor_of_nothing(mean_square_score, std, d):
    return 0.0 * np.sum(std, axis=-1)


@mutant(
    "d", of="NCSN-3/floor", why="d: the loss of a network that predicts 0, as if nothing could be learned"
)
def floor_of_a_silent_network(mean_square_score, std, d):
    return np.sum(d + 0 * std, axis=-1)


# ---- NCSN-4
@equation(
    "NCSN-4",
    title="Fisher divergence at a level: where the noisy data are",
    formula=annealed.level_error,
    latex=r"E_{p_{\sigma_t}(x_t)}\lVert s_\theta(x_t,t)-\nabla\log p_{\sigma_t}(x_t)\rVert^2",
    sources=[KIM_LOSS],
    evidence="quadrature",
    how="modes at -m and m; a model that is off by shift + tilt x has the error E(shift + tilt x_t)^2, a "
    "polynomial of the moments; 0 for the exact score",
    given=dict(
        mode=reals(0, 3),
        var=positives(0.1, 2.0),
        std=positives(0.1, 3.0),
        shift=reals(-2, 2),
        tilt=reals(-1, 1),
    ),
    tolerance=1e-10,
)
def error_where_the_noisy_data_are(level_error, mode, var, std, shift, tilt):
    noisy_var = var + std**2

    def score(x):
        return (mode * anp.tanh(mode * x / noisy_var) - x) / noisy_var

    nodes, weights = hermegauss(12)
    weights = weights / weights.sum()
    x_0 = np.concatenate([s * mode + math.sqrt(var) * nodes for s in (-1, 1)])
    pairs = [np.reshape(a, (-1, 1)) for a in np.meshgrid(x_0, nodes, indexing="ij")]
    errors = level_error(lambda x: score(x) + shift + tilt * x, score, *pairs, std)
    masses = np.outer(np.tile(weights / 2, 2), weights).ravel()
    return masses @ errors, shift**2 + tilt**2 * (mode**2 + noisy_var), 1 + shift**2 + (mode / noisy_var) ** 2


@misprint(
    "ERR-9",
    of="NCSN-4",
    printed=r"E_{p_{\sigma_t}(x_t)}\lVert s_\theta(x,t)-\nabla\log p_{\sigma_t}(x_t)\rVert^2",
    correct=r"E_{p_{\sigma_t}(x_t)}\lVert s_\theta(x_t,t)-\nabla\log p_{\sigma_t}(x_t)\rVert^2",
    source=KIM_LOSS,
    why="the network is asked at x, the clean point, and compared with the score at x_t: even the exact "
    "score has an error then",
)
def error_with_the_network_at_clean_data(model, score, x_0, z, std):
    return anp.sum((model(x_0) - score(x_0 + std * z)) ** 2, axis=-1)


@mutant("std", of="NCSN-4", why="the noise added with std^2 where std belongs: another level's points")
def error_at_another_level(model, score, x_0, z, std):
    return annealed.level_error(model, score, x_0, z, std**2)


# ---- NCSN-6
def square_score(law, std):
    x, mass = line.tabulated(line.noisy(law, 1.0, std))
    return mass @ line.score(x, line.noisy(law, 1.0, std)) ** 2


@equation(
    "NCSN-6/bound",
    title="weight sigma^2: no level counts for more than d",
    formula=annealed.level_weight,
    latex=r"\sigma^2\,E\lVert\nabla\log q_\sigma\rVert^2\le d",
    sources=[SONG_2019("section 4.2"), NCSN, LOSS],
    relation="<=",
    evidence="quadrature",
    how="the mean square of the score of the noisy law, by a sum on a grid; d = 1",
    given=line.lines(1, 2, 3, std=positives(0.1, 100.0)),
    tolerance=1e-9,
    examples=50,
)
def terms_are_at_most_d(level_weight, law, std):
    return level_weight(np.array(std)) * square_score(law, std), 1.0


@mutant("one", of="NCSN-6/bound", why="no weight: the term of a small level is of order 1 / sigma^2")
def no_weight(std):
    return 1.0 + 0 * std


@mutant("std", of="NCSN-6/bound", why="sigma for sigma^2")
def weight_std(std):
    return std


@equation(
    "NCSN-6/equality",
    title="it is d where all data are one point",
    formula=annealed.level_weight,
    latex=r"x_0=m\ \Rightarrow\ \sigma^2\,E\lVert\nabla\log q_\sigma\rVert^2=d",
    sources=[SONG_2019("section 4.2")],
    evidence="quadrature",
    how="the same sum for N(m, sigma^2) in d coordinates",
    given=dict(mean=reals(), std=positives(0.01, 100.0), d=st.integers(1, 5)),
    tolerance=1e-9,
    examples=50,
)
def term_of_a_point_is_d(level_weight, mean, std, d):
    blurred = line.Law(np.ones(1), np.array([mean]), np.array([std]))
    x, mass = line.tabulated(blurred)
    return level_weight(np.array(std)) * d * (mass @ line.score(x, blurred) ** 2), float(d)


@mutant("std", of="NCSN-6/equality", why="sigma for sigma^2")
def weight_std_at_a_point(std):
    return std


@equation(
    "NCSN-6/limit",
    title="it tends to d as the noise grows, by 1 / sigma^2",
    formula=annealed.level_weight,
    latex=r"d-\sigma^2\,E\lVert\nabla\log q_\sigma\rVert^2=O(\sigma^{-2})",
    sources=[FIELD("why lambda is sigma^2 and not another power")],
    evidence="order",
    how="the same sum at the stds 10, 20, 40, 80",
    cases=[
        dict(law=line.Law(np.array([w, 1 - w]), np.array([-m, m]), np.array([0.5, 1.0])))
        for w, m in ((0.5, 1.0), (0.2, 2.0), (0.7, 0.0))
    ],
    relative=False,
    tolerance=0.05,
    reject_at=0.5,
)
def term_tends_to_d(level_weight, law):
    stds = np.array([10.0, 20.0, 40.0, 80.0])
    return slope(stds, [abs(1 - level_weight(s) * square_score(law, s)) for s in stds.tolist()]), -2.0


@mutant("std", of="NCSN-6/limit", why="sigma for sigma^2: large levels count for nothing")
def weight_std_far_out(std):
    return std


# ---- NCSN-11
definition(
    "NCSN-11",
    title="one network for all levels, and no trace",
    latex=r"\sum_l\sigma_l^2\,E\lVert s_\theta(x',\sigma_l)-\nabla\log p(x'\mid x,\sigma_l)\rVert^2:\quad"
    r"\text{0 reverse passes by }x'",
    sources=[KIM("'Score-based Generative Model', what noise repairs")],
    shown_by=["DSM-13/target", "DSM-13/passes", "NCSN-3/loss"],
    module=__name__,
)


# ---- TAX-2
definition(
    "TAX-2",
    title="how many levels of noise a score network uses",
    latex=r"L\in\{10,100,1000\}",
    sources=[KIM("'Score-based Generative Model', noise levels")],
    shown_by=["refgen.experiments.level_count"],
    how="reported and not judged: distance by number of levels, refgen reproduce level-count",
    kind="reported",
    module=__name__,
)
