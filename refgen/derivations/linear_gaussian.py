"""Cards of squares, conditioning and reparametrisation: linear algebra of Gaussians (GAU)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, points, positives, reals, rungs, together
from refgen.derivations.gaussian import log_density, matrices
from refgen.formulas import gaussian
from refgen.sources import BISHOP_2006, SJTU


# ---- GAU-7
@equation(
    "GAU-7",
    title="completing the square",
    formula=gaussian.complete_the_square,
    latex=r"Ax^2 - Bx + \frac{B^2}{4A} = A\big(x-\frac B{2A}\big)^2",
    sources=[SJTU("slide 18")],
    evidence="algebra",
    how="the left-hand side in exact fractions",
    given=together(
        A=st.builds(lambda a, s: a * s, positives(), st.sampled_from([1, -1])), B=reals(), x=reals()
    ),
    tolerance=1e-14,
)
def square_is_the_quadratic(complete_the_square, A, B, x):
    a, b, y = Fraction(A), Fraction(B), Fraction(x)
    terms = [a * y * y, -b * y, b * b / (4 * a)]
    return complete_the_square(A, B, x), float(sum(terms)), float(sum(map(abs, terms)))


@mutant("two-lost", of="GAU-7", why="B / A where B / 2A belongs")
def square_without_two(A, B, x):
    return A * (x - B / A) ** 2


@mutant("sign", of="GAU-7", why="x + B / 2A: the square of the quadratic with +Bx")
def square_with_sign(A, B, x):
    return A * (x + B / (2 * A)) ** 2


# ---- GAU-8 for Gaussians; for tables it is in probability.py
@equation(
    "GAU-8/gaussian",
    title="conditioning a Gaussian on some of its coordinates",
    formula=gaussian.condition,
    latex=r"x|y \sim N(\mu_x+\Sigma_{xy}\Sigma_{yy}^{-1}(y-\mu_y), "
    r"\Sigma_{xx}-\Sigma_{xy}\Sigma_{yy}^{-1}\Sigma_{yx})",
    sources=[BISHOP_2006("eqs. 2.81 and 2.82"), SJTU("slide 16")],
    evidence="algebra",
    how="Bayes' rule: log-density of the joint Gaussian minus that of what was observed",
    given=rungs(
        lambda m, n: together(point=points(m + n), mean=points(m + n), cov=covariances(m + n), m=st.just(m)),
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ),
    tolerance=1e-11,
)
def conditional_density_is_a_quotient(condition, point, mean, cov, m):
    mean_given, cov_given = condition(mean, cov, point[m:])
    joint = log_density(point, mean, cov)
    observed = log_density(point[m:], mean[m:], cov[m:, m:])
    claimed = log_density(point[:m], mean_given, cov_given)
    return claimed, joint - observed, 1 + abs(joint) + abs(observed)


@mutant(
    "not-divided",
    of="GAU-8/gaussian",
    why="the gain is the covariance, not divided by the variance of what was seen",
)
def condition_without_division(mean, cov, observed):
    m = len(mean) - len(observed)
    _, cov_given = gaussian.condition(mean, cov, observed)
    return mean[:m] + cov[:m, m:] @ (observed - mean[m:]), cov_given


@mutant("variance-kept", of="GAU-8/gaussian", why="the mean is moved, but the variance is left as it was")
def condition_with_variance_kept(mean, cov, observed):
    m = len(mean) - len(observed)
    return gaussian.condition(mean, cov, observed)[0], cov[:m, :m]


# ---- GAU-10
@equation(
    "GAU-10",
    title="reparametrisation: mean + L eps has covariance L L^T",
    formula=gaussian.reparametrise,
    latex=r"x = \mu + L\epsilon \sim N(\mu, LL^\top)",
    sources=[SJTU("slides 14 and 15")],
    evidence="algebra",
    how="the formula is affine in eps; its value at 0 and at the unit vectors gives mean and covariance",
    given=rungs(lambda d: together(mean=points(d), root=matrices(d)), 2, 3),
    tolerance=1e-12,
)
def affine_noise_has_that_covariance(reparametrise, mean, root):
    d = len(mean)
    centre = reparametrise(mean, root, np.zeros(d))
    columns = np.stack([reparametrise(mean, root, e) - centre for e in np.eye(d)], -1)
    covariance = np.array(
        [[sum(root[i, k] * root[j, k] for k in range(d)) for j in range(d)] for i in range(d)]
    )
    scale = abs(root) @ abs(root).T + (1 + np.abs(mean).sum()) * (1 + np.abs(root).max())
    claimed, derived = np.vstack([centre, columns @ columns.T]), np.vstack([mean, covariance])
    return claimed, derived, np.vstack([1 + np.abs(mean), scale])


@mutant("transposed", of="GAU-10", why="L^T eps for L eps: the covariance is L^T L")
def reparametrise_transposed(mean, root, eps):
    return mean + eps @ root


@equation(
    "GAU-10/density",
    title="reparametrisation: the density of mean + L eps",
    formula=gaussian.reparametrise,
    latex=r"\log N(\mu+L\epsilon;\mu,LL^\top) = \log N(\epsilon;0,I) - \log|\det L|",
    sources=[SJTU("slides 14 and 15")],
    evidence="algebra",
    how="change of variables: the density of the noise over the determinant of the map",
    given=rungs(
        lambda d: together(
            mean=points(d), root=matrices(d, -1, 1).map(lambda a: a + (d + 1) * np.eye(d)), eps=points(d)
        ),
        1,
        2,
        3,
    ),
    tolerance=1e-11,
)
def reparametrised_density_by_change_of_variables(reparametrise, mean, root, eps):
    log_noise = -0.5 * (len(eps) * np.log(2 * np.pi) + eps @ eps)
    log_volume = np.log(abs(np.linalg.det(root)))
    claimed = log_density(reparametrise(mean, root, eps), mean, root @ root.T)
    return claimed, log_noise - log_volume, abs(log_noise) + abs(log_volume) + np.abs(mean).sum()


@mutant("covariance-for-root", of="GAU-10/density", why="eps times the covariance, not times a root of it")
def reparametrise_with_covariance(mean, root, eps):
    return mean + eps @ (root @ root.T)
