"""Cards of preconditioning (EDM-1)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from refgen.cards import definition, equation, mutant
from refgen.cards.strategies import points, positives, rungs, together
from refgen.formulas import edm
from refgen.sources import KARRAS_2022

PRECONDITIONING = [KARRAS_2022("section 5, table 1, app. B.6")]
LEVELS = dict(std=positives(2e-3, 80.0), data_std=positives(0.1, 10.0))


def least_squares(std, data_std):
    """The factor k for which x_0 - k x_t has the least variance, and its std, for x_t = x_0 + std eps.

    In units of independent standard normals x_0 is (data_std, 0) and x_t is (data_std, std).
    """
    x_0, x_t = np.array([data_std, 0.0]), np.array([data_std, std])
    factor = np.linalg.lstsq(x_t[:, None], x_0, rcond=None)[0][0]
    return factor, np.linalg.norm(x_0 - factor * x_t)


# ---- EDM-1: the network sees and says numbers of variance one
@equation(
    "EDM-1/input",
    title="the network's input has variance one at every level",
    formula=edm.c_in,
    latex=r"\mathrm{Var}\big(c_{in}(x_0+\sigma\epsilon)\big)=1",
    sources=PRECONDITIONING,
    evidence="algebra",
    how="the variance of a sum, as a quadratic form in the covariance of x_0 and eps",
    given=LEVELS,
    tolerance=1e-12,
)
def input_of_unit_variance(c_in, std, data_std):
    weights = c_in(np.array([std]), data_std) * np.array([1.0, std])
    return weights @ np.diag([data_std**2, 1.0]) @ weights, 1.0


@mutant("sum", of="EDM-1/input", why="standard deviations added, not variances")
def input_scale_by_sum(std, data_std=0.5):
    return 1 / (std + data_std)


@mutant("variance", of="EDM-1/input", why="divided by the variance, not by its root")
def input_scale_by_variance(std, data_std=0.5):
    return 1 / (std**2 + data_std**2)


@mutant("unit", of="EDM-1/input", why="as if the data had variance one")
def input_scale_of_unit_data(std, data_std=0.5):
    return 1 / np.sqrt(std**2 + 1)


@equation(
    "EDM-1/skip",
    title="what is passed on leaves the network the least to say",
    formula=edm.c_skip,
    latex=r"c_{skip}=\arg\min_k\mathrm{Var}\big(x_0-k(x_0+\sigma\epsilon)\big)",
    sources=PRECONDITIONING,
    evidence="algebra",
    how="least squares in the plane of x_0 and eps",
    given=LEVELS,
    tolerance=1e-12,
)
def skip_by_least_squares(c_skip, std, data_std):
    return c_skip(std, data_std), least_squares(std, data_std)[0]


@mutant(
    "all", of="EDM-1/skip", why="x_t passed on whole: all the noise is left to the network, at every level"
)
def skip_all(std, data_std=0.5):
    return 1.0


@mutant("swapped", of="EDM-1/skip", why="the share of the noise where that of the data belongs")
def skip_of_noise(std, data_std=0.5):
    return std**2 / (std**2 + data_std**2)


@mutant("std", of="EDM-1/skip", why="standard deviations where variances belong")
def skip_by_std(std, data_std=0.5):
    return data_std / (std + data_std)


@equation(
    "EDM-1/output",
    title="the network's output is scaled to what is left to say",
    formula=edm.c_out,
    latex=r"c_{out}^2=\min_k\mathrm{Var}\big(x_0-k(x_0+\sigma\epsilon)\big)",
    sources=PRECONDITIONING,
    evidence="algebra",
    how="the residual of least squares in the plane of x_0 and eps",
    given=LEVELS,
    tolerance=1e-11,
)
def output_by_least_squares(c_out, std, data_std):
    return c_out(std, data_std), least_squares(std, data_std)[1]


@mutant("variance", of="EDM-1/output", why="the variance of the residual, not its root")
def output_variance(std, data_std=0.5):
    return (std * data_std) ** 2 / (std**2 + data_std**2)


@mutant("noise", of="EDM-1/output", why="the std of the noise, right only where x_t is passed on whole")
def output_of_noise(std, data_std=0.5):
    return std


@mutant("root", of="EDM-1/output", why="the sum of the variances without its root")
def output_without_root(std, data_std=0.5):
    return std * data_std / (std**2 + data_std**2)


@equation(
    "EDM-1/least",
    title="no other way to pass x_t on amplifies the network's errors less",
    formula=edm.c_out,
    latex=r"c_{out}\le\mathrm{std}\big(x_0-k(x_0+\sigma\epsilon)\big)\quad\text{for all }k",
    sources=PRECONDITIONING,
    evidence="algebra",
    how="the std of the residual for a drawn k; the equality is EDM-1/output",
    given=dict(**LEVELS, k=st.one_of(st.sampled_from([1.0, 0.0]), st.floats(-1, 2, allow_subnormal=False))),
    relation="<=",
    tolerance=1e-12,
)
def output_for_any_skip(c_out, std, data_std, k):
    return c_out(std, data_std), math.hypot((1 - k) * data_std, k * std)


@mutant("noise", of="EDM-1/least", why="the std of the noise: too much where it exceeds that of the data")
def largest_output(std, data_std=0.5):
    return std


@mutant("data", of="EDM-1/least", why="the std of the data: too much where it exceeds that of the noise")
def output_of_data(std, data_std=0.5):
    return data_std


@equation(
    "EDM-1/target",
    title="what the network has to say has variance one at every level",
    formula=edm.network_target,
    latex=r"\mathrm{Var}\Big(\frac{x_0-c_{skip}(x_0+\sigma\epsilon)}{c_{out}}\Big)=1",
    sources=PRECONDITIONING,
    evidence="algebra",
    how="the target of unit vectors in place of x_0 and eps: the sum of its squares, by parallel axes",
    given=LEVELS,
    tolerance=1e-11,
)
def target_of_unit_variance(network_target, std, data_std):
    x_0, eps = np.array([data_std, 0.0]), np.array([0.0, 1.0])
    weights = network_target(x_0 + std * eps, x_0, std, data_std)
    return weights @ weights, 1.0, 1 + (data_std / std) ** 2 * 1e-3


@mutant("noise", of="EDM-1/target", why="the noise itself, over the scale of the output")
def target_of_noise(x_t, x_0, std, data_std=0.5):
    return (x_0 - x_t) / edm.c_out(std, data_std)


@mutant("clean", of="EDM-1/target", why="clean data over the scale of the output")
def target_of_data(x_t, x_0, std, data_std=0.5):
    return x_0 / edm.c_out(std, data_std)


@mutant("multiplied", of="EDM-1/target", why="multiplied by the scale of the output where it divides")
def target_times_scale(x_t, x_0, std, data_std=0.5):
    return (x_0 - edm.c_skip(std, data_std) * x_t) * edm.c_out(std, data_std)


def pairs(d):
    return together(x_t=points(d), output=points(d), **LEVELS)


@equation(
    "EDM-1/denoised",
    title="clean data from what the network says",
    formula=edm.denoised,
    latex=r"D(x_t;\sigma)=c_{skip}x_t+c_{out}F",
    sources=[KARRAS_2022("eq. 7")],
    evidence="algebra",
    how="the mean of x_0 given x_t by least squares, and F standard deviations of x_0 given x_t beside it",
    given=rungs(pairs, 1, 2, 5),
    tolerance=1e-11,
)
def denoised_beside_the_mean(denoised, x_t, output, std, data_std):
    factor, spread = least_squares(std, data_std)
    derived = factor * x_t + spread * output
    return denoised(x_t, output, std, data_std), derived, factor * abs(x_t) + spread * abs(output) + 1e-9


@mutant("noise", of="EDM-1/denoised", why="the output taken for the noise, as a network for eps has it")
def denoised_by_noise(x_t, output, std, data_std=0.5):
    return x_t - std * output


@mutant("direct", of="EDM-1/denoised", why="the output unscaled")
def denoised_unscaled(x_t, output, std, data_std=0.5):
    return edm.c_skip(std, data_std) * x_t + output


@mutant("swapped", of="EDM-1/denoised", why="the two scales swapped")
def denoised_with_scales_swapped(x_t, output, std, data_std=0.5):
    return edm.c_out(std, data_std) * x_t + edm.c_skip(std, data_std) * output


@equation(
    "EDM-1/weight",
    title="the weight of the loss makes all levels count alike",
    formula=edm.loss_weight,
    latex=r"\lambda\,\lVert D-x_0\rVert^2=\lVert F-\text{target}\rVert^2\ \Rightarrow\ \lambda\,c_{out}^2=1",
    sources=PRECONDITIONING,
    evidence="algebra",
    how="the weighted variance of what a network that says nothing leaves, by least squares",
    given=LEVELS,
    tolerance=1e-11,
)
def weight_of_a_silent_network(loss_weight, std, data_std):
    return loss_weight(std, data_std) * least_squares(std, data_std)[1] ** 2, 1.0


@mutant("noise", of="EDM-1/weight", why="1 / std^2, the weight of a network for the noise")
def weight_of_noise(std, data_std=0.5):
    return 1 / std**2


@mutant("sum", of="EDM-1/weight", why="the squared sum of the two stds where their squared product belongs")
def weight_by_sum(std, data_std=0.5):
    return (std**2 + data_std**2) / (std + data_std) ** 2


@mutant("none", of="EDM-1/weight", why="no weight at all")
def weight_of_one(std, data_std=0.5):
    return 1.0


definition(
    "EDM-1/noise",
    title="what the network is told of the level, chosen by hand",
    latex=r"c_{noise}=\tfrac14\log\sigma",
    sources=[KARRAS_2022("table 1")],
    shown_by=["tests/formulas/test_edm.py::test_preconditioning_against_fifty_digits"],
    module=__name__,
)
