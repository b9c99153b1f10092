"""What a wrong score costs Langevin dynamics: no more than its error, added up along the chain.       [LAN-6]

On a line, where the whole law of x_K is known by matrices, no samples: networks after more and more training,
the KL between the chain with the exact score and theirs, and the bound on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream, to_host
from refgen.distributions import GaussianMixture
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.trained import trained
from refgen.formulas.annealed import annealed_step
from refgen.formulas.langevin import kl_of_score_error, ula_step
from refgen.models.ncsn import NCSN

__all__ = ["compared", "distance", "kernel", "run"]

LAW = GaussianMixture([[-1.2], [1.2]], 0.35, [0.65, 0.35]).standardised()[0]
MODEL = NCSN(dim=1, T=2, largest=0.2, smallest=0.1, hidden=64)  # of which the smallest level is used
LEVEL = MODEL.levels.level(1)
GRID = np.linspace(-4.5, 4.5, 601)
STEP, STEPS = annealed_step(1.0, LEVEL[1], 1.0), 1000
TRAININGS = (100, 300, 1000, 4000)


def kernel(score: np.ndarray, x: np.ndarray, step: float) -> np.ndarray:
    """Probabilities (n, n) of a Langevin step between places x (n,), evenly spaced; score: (n,), at them.

    Rows add up to 1, so chains that would leave stay at the edge, where there should be none.
    """
    start, none = x[:, None], np.zeros((len(x), 1))
    centre = ula_step(start, score[:, None], none, step)[:, 0]
    spread = ula_step(none, none, none + 1, step)[0, 0]
    chance = np.exp(-0.5 * ((x - centre[:, None]) / spread) ** 2)
    return chance / chance.sum(axis=1, keepdims=True)


def distance(p: np.ndarray, q: np.ndarray, x: np.ndarray) -> float:
    """The Wasserstein distance W1 of two laws, (n,) each, on places x (n,), evenly spaced."""
    return float(np.sum(np.abs(np.cumsum(p - q))) * (x[1] - x[0]))


def compared(
    exact: np.ndarray,
    learned: np.ndarray,
    x: np.ndarray,
    step: float,
    steps: int,
    start: np.ndarray,
    law: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Two Langevin chains from one law, start (n,), on places x: how far apart they are after 1..K steps.

    exact, learned: scores (n,). law: (n,), what they are to draw from; None for start. Keys, each (K,): kl,
    of the laws of x_i, exact first; bound, the error of the score added up where the exact chain is; w1, the
    Wasserstein distance of the two laws; exact off, off, those of the exact and of the other from `law`.
    """
    law = start if law is None else law
    p, q, bound = start, start, 0.0
    moves, others = kernel(exact, x, step), kernel(learned, x, step)
    error = (learned - exact) ** 2
    found: dict[str, list[float]] = {name: [] for name in ("kl", "bound", "w1", "exact off", "off")}
    for _ in range(steps):
        bound += float(kl_of_score_error(p @ error, step))
        p, q = p @ moves, q @ others
        ratio = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(q, 1e-300))
        found["kl"].append(float(p @ ratio))
        found["bound"].append(bound)
        for name, one, other in (("w1", p, q), ("exact off", p, law), ("off", q, law)):
            found[name].append(distance(one, other, x))
    return {name: np.array(values) for name, values in found.items()}


def run(
    rng: Stream, say: Callable[..., None], trainings: Sequence[int] = TRAININGS, steps: int = STEPS
) -> Outcome:
    """The KL and its bound along the chain, for networks after so many steps of training."""
    noisy, x = LAW.diffused(*LEVEL), GRID[:, None]
    exact, density = noisy.score(x)[:, 0], np.exp(noisy.log_prob(x))
    density /= density.sum()
    start = np.exp(-0.5 * (GRID / 1.2) ** 2)
    start /= start.sum()
    off = distance(start, density, GRID)
    scores, tables, rows = {}, {}, []
    for count in trainings:
        say(f"network after {count} steps of training")
        params = trained(MODEL, LAW, rng, count, lambda *now: None)
        score = to_host(MODEL.denoiser(params).score(x.astype(np.float32), *LEVEL))[:, 0].astype(np.float64)
        table = compared(exact, score, GRID, STEP, steps, start, density)
        scores[count], tables[count] = score, table
        relative = float(np.sqrt(density @ (score - exact) ** 2 / (density @ exact**2)))
        last = {name: float(values[-1]) for name, values in table.items()}
        within = float(np.max(table["kl"] / table["bound"]))
        rows.append({"training": count, "score error": relative, **last, "largest kl / bound": within})
    claims = [
        Claim(
            "KL over its bound, all networks, all steps",
            max(r["largest kl / bound"] for r in rows),
            "<=",
            1.0,
        ),
        Claim("KL, most training / least", rows[-1]["kl"] / rows[0]["kl"], "<=", 0.1),
        Claim("W1, most training / least", rows[-1]["w1"] / rows[0]["w1"], "<=", 0.5),
        Claim("W1 to the law, most training / start", rows[-1]["off"] / off, "<=", 0.2),
        Claim("the same, least training / exact score", rows[0]["off"] / rows[0]["exact off"], ">=", 5.0),
    ]
    return Outcome(
        "Langevin dynamics with a learned score draw from the law, as far as the score was learned.",
        claims,
        {"step": STEP, "steps": steps, "W1 of the start to the law": off, "networks": rows},
        figure_of(exact, density, scores, tables),
        "The KL between a chain with a learned score and one with the exact score stays below the squared "
        "error of the score, added up along the chain (dashed).",
        "That the KL stays below its bound is a theorem, and the claim checks the matrices alone. The bound "
        "grows with every step and the KL does not: after many steps it says little. How near the chains "
        "come to the law itself is measured, with the exact score, too, which stops short by its step alone.",
    )


def figure_of(
    exact: np.ndarray,
    density: np.ndarray,
    scores: dict[int, np.ndarray],
    tables: dict[int, dict[str, np.ndarray]],
) -> Figure:
    """Scores over the density, and KL with its bound against the number of steps."""
    figure, axes = plots.chart(2, width=9.0, height=3.6)
    shades = np.linspace(0.3, 1.0, len(scores)).tolist()
    axes[0].fill_between(GRID, 12 * density / density.max() - 12, -12, color="#dddddd", linewidth=0)
    for (count, score), shade in zip(scores.items(), shades, strict=True):
        axes[0].plot(GRID, score, color=plots.LEARNED, alpha=shade, linewidth=1.1)
        table = tables[count]
        i = np.arange(1, len(table["kl"]) + 1)
        axes[1].plot(i, table["bound"], color=plots.LEARNED, alpha=shade, linewidth=1.1, linestyle="--")
        axes[1].plot(i, table["kl"], color=plots.LEARNED, alpha=shade, linewidth=1.4)
        end, style = table["kl"][-1], dict(fontsize=8, va="center", color=plots.LEARNED, alpha=shade)
        axes[1].text(1.1 * i[-1], end, str(count), **style)
    axes[0].plot(GRID, exact, color=plots.EXACT, linewidth=1.6)
    axes[0].set(xlim=(-3, 3), ylim=(-12, 12), xlabel="x")
    axes[0].set_title("exact score, and learned ones after more and more training", fontsize=9)
    axes[1].set(xscale="log", yscale="log", xlabel="Langevin steps")
    axes[1].set_title("KL to the exact chain, its bound (dashed), by steps of training", fontsize=9)
    return figure
