"""Cards of the bias that a finite step leaves, and of Metropolis' test, which removes it (LAN-4)."""

from __future__ import annotations

import math

import numpy as np
from autograd import grad
from scipy.linalg import solve_discrete_lyapunov

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, mixtures, points, positives, rungs, together
from refgen.derivations import line
from refgen.derivations.langevin_chain import kernel
from refgen.derivations.reverse_kernel import slope
from refgen.derivations.tweedie import log_density
from refgen.formulas import langevin
from refgen.sources import FIELD, ROBERTS_1996, SONG_2019


@equation(
    "LAN-4/variance",
    title="where the chain settles: too wide",
    formula=langevin.ula_stationary_var,
    latex=r"v_\infty=\frac v{1-\epsilon/(2v)}",
    sources=[FIELD("the variance of Langevin samples taken for that of the target")],
    evidence="algebra",
    how="the discrete Lyapunov equation for a target of any covariance; claimed in its eigenvectors",
    given=rungs(lambda d: together(cov=covariances(d), ratio=positives(1e-3, 1.9)), 1, 2, 3),
    tolerance=1e-9,
)
def settled_covariance(ula_stationary_var, cov, ratio):
    values, vectors = np.linalg.eigh(cov)
    step, eye = ratio * float(values[0]), np.eye(len(cov))
    derived = solve_discrete_lyapunov(eye - step * np.linalg.inv(cov), 2 * step * eye)
    claimed = vectors @ np.diag(ula_stationary_var(values, step)) @ vectors.T
    return claimed, derived, np.max(np.abs(derived))


@mutant("exact", of="LAN-4/variance", why="the target's own variance: a chain with a finite step is biased")
def settled_at_the_target(var, step):
    return var


@mutant("step", of="LAN-4/variance", why="1 - c/v: the step counted twice")
def settled_with_whole_step(var, step):
    return var / (1 - step / var)


@mutant("half", of="LAN-4/variance", why="1 - c/(4v), right for x + (c/2) score + sqrt(c) z")
def settled_with_half_step(var, step):
    return var / (1 - step / (4 * var))


BUMPS = [
    line.Law(np.array([0.4, 0.6]), np.array([-1.0, 1.2]), np.array([0.9, 1.1])),
    line.Law(np.array([0.5, 0.5]), np.array([-0.8, 0.8]), np.array([1.0, 1.0])),
    line.Law(np.array([0.3, 0.7]), np.array([0.0, 0.5]), np.array([1.5, 1.0])),
]


@equation(
    "LAN-4/order",
    title="bias of the settled law: first order in the step",
    formula=langevin.ula_step,
    latex=r"\mathbb E_{p_\epsilon}[x^2]-\mathbb E_p[x^2]=O(\epsilon)",
    sources=[ROBERTS_1996(), SONG_2019("section 2.2: the error is assumed negligible")],
    evidence="order",
    how="the stationary law of the chain on a line, by its transition matrix, at steps 0.1, 0.05, 0.025",
    cases=[dict(law=law) for law in BUMPS],
    relative=False,
    tolerance=0.25,
    reject_at=0.5,
)
def bias_is_first_order(ula_step, law):
    steps, errors = np.array([0.1, 0.05, 0.025]), []
    exact = law.weights @ (law.means**2 + law.stds**2)
    for step in steps.tolist():
        x = np.arange(-11.0, 11.0, 0.5 * math.sqrt(2 * step))
        moves = kernel(ula_step, law, step, x, x)
        balance = np.vstack([moves.T - np.eye(len(x)), np.ones(len(x))])
        mass = np.linalg.lstsq(balance, np.append(np.zeros(len(x)), 1.0), rcond=None)[0]
        errors.append(abs(mass @ x**2 - exact))
    return slope(steps, errors), 1.0


@mutant("two", of="LAN-4/order", why="sqrt(c) before the noise: a bias that no step makes small, order 0")
def step_at_half_temperature(x, score, z, step):
    return x + step * score + math.sqrt(step) * z


@equation(
    "LAN-4/accept",
    title="Metropolis' test of a Langevin step",
    formula=langevin.mala_log_accept,
    latex=r"\log a=\min\Big(0,\ \log\frac{p(x')\,q(x\mid x')}{p(x)\,q(x'\mid x)}\Big),\quad "
    r"q(x'\mid x)=N(x';x+c\,s(x),2cI)",
    sources=[ROBERTS_1996()],
    evidence="oracle",
    how="the four densities themselves; the scores by differentiating the mixture's log-density",
    given=rungs(
        lambda d: together(x=points(d), x_new=points(d), law=mixtures(d, 2), step=positives(1e-2, 3.0)),
        1,
        2,
        3,
    ),
    tolerance=1e-11,
    examples=50,
)
def acceptance_by_densities(mala_log_accept, x, x_new, law, step):
    law = law["weights"], law["means"], law["covs"]
    (p, s), (p_new, s_new) = ((log_density(y, *law), grad(log_density)(y, *law)) for y in (x, x_new))
    there = -np.sum((x_new - x - step * s) ** 2) / (4 * step)
    back = -np.sum((x - x_new - step * s_new) ** 2) / (4 * step)
    claimed = mala_log_accept(x, x_new, np.array(p), np.array(p_new), s, s_new, step)
    derived = min(0.0, p_new - p + back - there)
    return claimed, derived, 1 + abs(p) + abs(p_new) + abs(there) + abs(back) + step * (s @ s + s_new @ s_new)


@mutant("symmetric", of="LAN-4/accept", why="p(x') / p(x) alone: as if the proposal were symmetric")
def accept_by_density_alone(x, x_new, log_p, log_p_new, score, score_new, step):
    return np.minimum(log_p_new - log_p, 0)


@mutant("inverse", of="LAN-4/accept", why="q(x'|x) / q(x|x'): the ratio of the proposals upside down")
def accept_upside_down(x, x_new, log_p, log_p_new, score, score_new, step):
    along = np.sum((score + score_new) * ((x_new - x) / 2 + step / 4 * (score_new - score)), axis=-1)
    return np.minimum(log_p_new - log_p + along, 0)


@equation(
    "LAN-4/adjusted",
    title="with Metropolis' test the law stays, at any step",
    formula=langevin.mala_log_accept,
    latex=r"\int p(x)\,q(x'\mid x)\,a\,dx+p(x')\int q(y\mid x')(1-a)\,dy=p(x')",
    sources=[ROBERTS_1996()],
    evidence="quadrature",
    how="one step of the chain applied to the target, on a grid; derived is the target itself",
    cases=[dict(law=law, step=step) for law in BUMPS for step in (0.1, 1.0)],
    tolerance=1e-9,
    tolerance32=None,
)
def adjusted_chain_keeps_the_law(mala_log_accept, law, step):
    x = np.linspace(-9, 9, 161)
    p, s = line.log_density(x, law), line.score(x, law)[:, None]
    proposed = np.exp(-((x - x[:, None] - step * s) ** 2) / (4 * step))
    proposed *= (x[1] - x[0]) / math.sqrt(4 * math.pi * step)
    here, there = (a[..., None] for a in np.broadcast_arrays(x[:, None], x))
    s_here, s_there = (a[..., None] for a in np.broadcast_arrays(s, s[:, 0]))
    accepted = np.exp(mala_log_accept(here, there, p[:, None], p, s_here, s_there, step))
    moved = proposed * accepted
    stays = 1 - moved.sum(1)
    target = np.exp(p)
    return target @ moved + target * stays, target, np.max(target)


@mutant("always", of="LAN-4/adjusted", why="every proposal accepted: unadjusted dynamics, whose law moves")
def accept_always(x, x_new, log_p, log_p_new, score, score_new, step):
    return 0.0 * log_p_new * log_p


@mutant("symmetric", of="LAN-4/adjusted", why="p(x') / p(x) alone: as if the proposal were symmetric")
def accept_by_the_density(x, x_new, log_p, log_p_new, score, score_new, step):
    return np.minimum(log_p_new - log_p, 0)
