"""Cards of the change of variables: Jacobians, the inverse function theorem, densities (FLOW-1, 6 to 9)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, reals, rungs, together
from refgen.derivations.directions import matrices
from refgen.derivations.fields import gradient
from refgen.derivations.flow_maps import (
    bents,
    lines,
    matrix_times,
    normal,
    size,
    slope_of_inverse,
    triangles,
    triangulars,
)
from refgen.formulas import flow
from refgen.sources import FIELD, PAPAMAKARIOS_2021, SJTU, SONG_NOTES

THEOREM = [SJTU("'Change of Variable Theorem'"), PAPAMAKARIOS_2021("section 2.1")]
FLOWS = [SJTU("'Normalizing Flows'")]


# ---- FLOW-1: the Jacobian
def curved(a, c, w):
    """R^n -> R^m: A x + c tanh(w^T x), of Python floats."""
    straight, out, along = matrix_times(a, 0 * c), c.tolist(), w.tolist()

    def f(x):
        bend = anp.tanh(sum(v * x[..., j] for j, v in enumerate(along)))
        return straight(x) + anp.stack([v * bend for v in out], axis=-1)

    return f


@equation(
    "FLOW-1",
    title="the Jacobian: rows are outputs, columns inputs",
    formula=flow.jacobian,
    latex=r"J=\Big[\frac{\partial f_i}{\partial x_j}\Big]_{m\times n},\quad f:\mathbb R^n\to\mathbb R^m",
    sources=[SJTU("'Preliminary'"), SONG_NOTES("'Score Matching', the trace of the Jacobian")],
    evidence="autodiff",
    how="complex steps, input by input, where the formula goes back output by output",
    given=rungs(
        lambda n, m: together(a=matrices(m, n), c=points(m, -2, 2), w=points(n, -1, 1), x=points(n, -2, 2)),
        (1, 1), (2, 2), (3, 2), (2, 4),
    ),
    tolerance=1e-12,
    examples=40,
)  # fmt: skip
def jacobian_by_columns(jacobian, a, c, w, x):
    f = curved(a, c, w)
    return jacobian(f, x), gradient(f, x), 1 + np.sum(abs(a)) + np.sum(abs(c))


@mutant(
    "transposed",
    of="FLOW-1",
    why="columns are outputs: the other layout, with the chain rule backwards",
)
def jacobian_transposed(f, x):
    return np.swapaxes(flow.jacobian(f, x), -1, -2)


@mutant("summed", of="FLOW-1", why="one reverse pass for all outputs: it gives the sum of the rows")
def jacobian_of_the_sum(f, x):
    return 0 * f(x)[..., None] + elementwise_grad(f)(x)[..., None, :]


# ---- FLOW-6: the inverse function theorem
@equation(
    "FLOW-6",
    title="inverse function theorem on a line",
    formula=flow.inverse_jacobian,
    latex=r"\frac{df^{-1}(y)}{dy}=\frac{dx}{dy}=\Big(\frac{dy}{dx}\Big)^{-1}=\Big(\frac{df(x)}{dx}\Big)^{-1}",
    sources=FLOWS,
    evidence="autodiff",
    how="a complex step through the inverse, which is found by bisection; maps that rise and that fall",
    given=together(line=lines(), z=points(1, -2, 2)),
    tolerance=1e-10,
    examples=60,
)
def slope_of_the_inverse(inverse_jacobian, line, z):
    return inverse_jacobian(line.forward, z), slope_of_inverse(line, line.forward(z))[None]


@mutant("there", of="FLOW-6", why="f' taken at y and not at x = f^{-1}(y)")
def slope_at_the_wrong_end(f, z):
    return np.linalg.inv(flow.jacobian(f, np.clip(f(z), -4, 4)))


@mutant("not", of="FLOW-6", why="the slope of the map itself")
def slope_of_the_map(f, z):
    return flow.jacobian(f, z)


@equation(
    "FLOW-6/matrix",
    title="inverse function theorem in several dimensions",
    formula=flow.inverse_jacobian,
    latex=r"\frac{\partial f^{-1}}{\partial x}=\Big(\frac{\partial f}{\partial z}\Big)^{-1}",
    sources=FLOWS,
    evidence="autodiff",
    how="complex steps through the inverse of a map that is not triangular, found by bisection",
    given=rungs(lambda d: together(bent=bents(d), z=points(d, -2, 2)), 1, 2, 3),
    tolerance=1e-9,
    examples=40,
)
def jacobian_of_the_inverse(inverse_jacobian, bent, z):
    derived = gradient(bent.invert, bent.forward()(z))
    scale = np.linalg.norm(derived) * np.linalg.cond(derived)
    return inverse_jacobian(bent.forward(), z), derived, scale


@mutant("entries", of="FLOW-6/matrix", why="one over each entry: dz_i/dx_j is not 1 / (dx_j/dz_i)")
def inverse_of_entries(f, z):
    jac = flow.jacobian(f, z)
    return np.where(jac == 0, 0.0, 1 / np.where(jac == 0, 1.0, jac))


@mutant("transposed", of="FLOW-6/matrix", why="the transposed Jacobian inverted")
def inverse_of_the_transpose(f, z):
    return np.swapaxes(flow.inverse_jacobian(f, z), -1, -2)


# ---- FLOW-7, FLOW-8: densities on a line
def log_normal(z):
    return -0.5 * (z**2 + np.log(2 * np.pi))


@equation(
    "FLOW-7",
    title="a map neither makes nor loses mass",
    formula=flow.log_prob_on_line,
    latex=r"\int p(x)\,dx=\int\pi(z)\,dz=1",
    sources=THEOREM,
    evidence="quadrature",
    how="the density summed over a grid that is even in x, by a trapezoid rule",
    given=together(line=lines("linear", "tanh")),
    tolerance=1e-9,
    examples=30,
)
def density_keeps_its_mass(log_prob_on_line, line):
    x, step = np.linspace(line.forward(-9 / line.scale), line.forward(9 / line.scale), 1201, retstep=True)
    z = line.inverse(x) * line.scale
    slope = slope_of_inverse(line, x) * line.scale
    return np.sum(np.exp(log_prob_on_line(log_normal(z), slope))) * abs(step), 1.0


@mutant("moved", of="FLOW-7", why="pi(f^{-1}(x)) alone: points are moved, the density is not thinned")
def density_without_factor(log_base, slope):
    return log_base + 0 * slope


@mutant("forward", of="FLOW-7", why="times |dx/dz|: the other way round")
def density_with_forward_slope(log_base, slope):
    return log_base - np.log(np.abs(slope))


@equation(
    "FLOW-8",
    title="density of a mapped variable on a line",
    formula=flow.log_prob_on_line,
    latex=r"p(x)=\pi(f^{-1}(x))\,\lvert(f^{-1})'(x)\rvert",
    sources=THEOREM,
    evidence="quadrature",
    how="the mass of an interval of x, by Gauss's rule, is that of the interval of z it came from",
    given=together(line=lines(), z=reals(-2.5, 2), width=st.sampled_from([0.25, 0.5])),
    tolerance=1e-10,
    examples=60,
)
def mass_of_an_interval(log_prob_on_line, line, z, width):
    nodes, weights = np.polynomial.legendre.leggauss(20)
    ends = line.forward(np.array([z, z + width]))
    x = np.mean(ends) + 0.5 * (ends[1] - ends[0]) * nodes
    density = np.exp(log_prob_on_line(log_normal(line.inverse(x)), slope_of_inverse(line, x)))
    return 0.5 * abs(ends[1] - ends[0]) * weights @ density, ndtr(z + width) - ndtr(z)


@mutant("signed", of="FLOW-8", why="without the absolute value: a map that falls has no density left")
def density_of_rising_maps_only(log_base, slope):
    return log_base + np.log(np.maximum(slope, 1e-300))


@mutant("moved", of="FLOW-8", why="pi(f^{-1}(x)) alone")
def density_of_an_interval_without_factor(log_base, slope):
    return log_base + 0 * slope


@mutant("forward", of="FLOW-8", why="times |f'| where |(f^{-1})'| belongs")
def density_of_an_interval_with_forward_slope(log_base, slope):
    return log_base - np.log(np.abs(slope))


@equation(
    "FLOW-8/uniform",
    title="a variable through its own distribution function is uniform",
    formula=flow.log_prob_on_line,
    latex=r"x=\Phi(z)\text{ or }1-\Phi(z)\ \Rightarrow\ p(x)=1\text{ on }(0,1)",
    sources=THEOREM,
    evidence="algebra",
    how="the log-density of a uniform law, 0; slopes by differences of the inverse distribution function",
    given=together(z=points(3, -3, 3), falls=st.booleans()),
    tolerance=1e-7,
    tolerance32=1e-5,
    examples=30,
)
def distribution_function_makes_uniform(log_prob_on_line, z, falls):
    x, step = ndtr(z), 1e-4 * ndtr(-abs(z))
    ahead = [ndtri(x + k * step) - ndtri(x - k * step) for k in (1, 2)]
    slope = (8 * ahead[0] - ahead[1]) / (12 * step)
    return log_prob_on_line(log_normal(z), -slope if falls else slope), 0 * z, 1 + z**2


@mutant("signed", of="FLOW-8/uniform", why="without the absolute value")
def uniform_for_rising_maps_only(log_base, slope):
    return log_base + np.log(np.maximum(slope, 1e-300))


# ---- FLOW-9: several dimensions
@equation(
    "FLOW-9",
    title="an affine flow is a Gaussian",
    formula=flow.log_prob,
    latex=r"x=Az+b,\ z\sim N(0,I)\ \Rightarrow\ \pi(f^{-1}(x))\,\lvert\det A^{-1}\rvert=N(x;b,AA^\top)",
    sources=THEOREM,
    evidence="algebra",
    how="the Gaussian's density along the axes of A A^T; determinants of either sign",
    given=rungs(
        lambda d: together(a=triangles(d), turn=triangles(d), b=points(d, -2, 2), x=points(d)), 1, 2, 3, 5
    ),
    tolerance=1e-11,
    examples=40,
)
def affine_flow_is_gaussian(log_prob, a, turn, b, x):
    a = a @ turn.T
    inverse = np.linalg.inv(a)
    variances, axes = np.linalg.eigh(a @ a.T)
    derived = -0.5 * np.sum(((x - b) @ axes) ** 2 / variances + np.log(2 * np.pi * variances))
    scale = size(inverse @ (x - b), a) * np.linalg.cond(a) ** 2
    return log_prob(x, matrix_times(inverse, -inverse @ b), normal), derived, scale


@mutant(
    "sign",
    of="FLOW-9",
    why="minus the log-determinant of the inverse map: its sign, or its direction, mistaken",
)
def log_prob_with_sign_of_forward(x, inverse, base):
    return 2 * base(inverse(x)) - flow.log_prob(x, inverse, base)


@mutant("diagonal", of="FLOW-9", why="the diagonal of a Jacobian that is not triangular")
def log_prob_with_the_diagonal(x, inverse, base):
    jac = flow.jacobian(inverse, x)
    return base(inverse(x)) + np.sum(np.log(np.abs(np.diagonal(jac)) + 1e-300))


@equation(
    "FLOW-9/plane",
    title="a bent density in the plane has mass one",
    formula=flow.log_prob,
    latex=r"\int\pi(f^{-1}(x))\Big\lvert\det\frac{df^{-1}}{dx}\Big\rvert dx=1",
    sources=[*THEOREM, FIELD("the sign of a log-determinant")],
    evidence="quadrature",
    how="a trapezoid rule over the plane for maps of which each coordinate bends the next",
    given=together(map=triangulars(2)),
    tolerance=1e-9,
    examples=8,
)
def bent_density_has_mass_one(log_prob, map):
    (first, second), shift = np.abs(map.a), abs(map.b[1])
    x_1, step_1 = np.linspace(-8 * first, 8 * first, 37, retstep=True)
    reach = 13 * second + shift
    x_2, step_2 = np.linspace(-reach, reach, int(4 * reach / second), retstep=True)
    x = np.stack(np.meshgrid(x_1, x_2, indexing="ij"), axis=-1)
    return np.sum(np.exp(log_prob(x, map.inverse(), normal))) * step_1 * step_2, 1.0


@mutant("sign", of="FLOW-9/plane", why="the log-determinant with the sign of the forward map")
def bent_density_with_sign_of_forward(x, inverse, base):
    return 2 * base(inverse(x)) - flow.log_prob(x, inverse, base)


@mutant("moved", of="FLOW-9/plane", why="no determinant: the density of z read off at x")
def bent_density_without_determinant(x, inverse, base):
    return base(inverse(x))
