"""Cards of how data and noise are paired for flow matching (FM-6)."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import reals, rungs, together
from refgen.formulas import flow_matching
from refgen.sources import POOLADIAN_2023, TONG_2024


def orders(n):
    numbers = st.lists(reals(), min_size=n, max_size=n).map(np.array)
    return together(x_0=numbers, eps=numbers)


@equation(
    "FM-6",
    title="on a line, pairs in sorted order cost the least of all pairings",
    formula=flow_matching.pairing_cost,
    latex=r"\frac1n\sum_i(\epsilon_{(i)}-x_{0,(i)})^2"
    r"=\min_\pi\frac1n\sum_i(\epsilon_{\pi(i)}-x_{0,i})^2",
    sources=[TONG_2024("section 3.2"), POOLADIAN_2023("section 3")],
    evidence="algebra",
    how="all pairings, one by one",
    given=rungs(orders, 1, 2, 4),
    examples=40,
    tolerance=1e-12,
)
def sorted_pairs_cost_least(pairing_cost, x_0, eps):
    costs = [sum((a - b) ** 2 for a, b in zip(x_0, other, strict=True)) for other in permutations(eps)]
    claimed = pairing_cost(np.sort(x_0)[:, None], np.sort(eps)[:, None])
    return claimed, min(costs) / len(x_0), 1 + max(costs)


@mutant("sign", of="FM-6", why="the square of sums: the two clouds as if one were turned round")
def cost_of_sums(x_0, eps):
    return np.mean(np.sum((x_0 + eps) ** 2, axis=-1))


@mutant("length", of="FM-6", why="lengths in place of squared lengths")
def cost_of_lengths(x_0, eps):
    return np.mean(np.sqrt(np.sum((x_0 - eps) ** 2, axis=-1)))


@equation(
    "FM-6/any",
    title="and no more than pairs as they were drawn",
    formula=flow_matching.pairing_cost,
    latex=r"\frac1n\sum_i(\epsilon_{(i)}-x_{0,(i)})^2\le\frac1n\sum_i(\epsilon_i-x_{0,i})^2",
    sources=[TONG_2024("section 3.2"), POOLADIAN_2023("section 3")],
    kind="inequality",
    relation="<=",
    evidence="algebra",
    how="the products of the pairs, which in sorted order sum to the most",
    given=rungs(orders, 2, 3, 5),
    tolerance=1e-12,
)
def sorted_pairs_cost_no_more(pairing_cost, x_0, eps):
    drawn = (x_0 @ x_0 + eps @ eps - 2 * (x_0 @ eps)) / len(x_0)
    scale = 1 + (x_0 @ x_0 + eps @ eps)
    return pairing_cost(np.sort(x_0)[:, None], np.sort(eps)[:, None]), drawn, scale


@mutant("reversed", of="FM-6/any", why="the largest with the smallest, which costs the most")
def cost_of_reversed_pairs(x_0, eps):
    return flow_matching.pairing_cost(x_0, eps[::-1])
