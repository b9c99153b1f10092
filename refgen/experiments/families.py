"""Four families on the same data: an adversarial network, a variational autoencoder, a flow and diffusion.
[EXP-28, SYS-39, TAX-3]

Trained in this process for a quarter of a minute each or less; `refgen compare` is the same for all models,
with their usual training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from refgen import models, plots, training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.distributions.base import Distribution
from refgen.evaluation import evaluate
from refgen.experiments import comparison
from refgen.experiments.outcome import Claim, Outcome

__all__ = ["BUDGETS", "Budget", "Member", "run", "trained"]

LAW = named("ring").standardised()[0]
MODES = 8
FAMILIES = {"gan": "GAN", "vae": "VAE", "spline": "flow", "ddpm": "diffusion"}


class Budget(NamedTuple):
    """options: of the model. lr: of Adam. sizes: steps, batch and what else `training.fit` takes."""

    options: dict[str, Any]
    lr: float
    sizes: dict[str, Any]


# What a quarter of a minute is spent on. Each has its own steps, since a step of one is no step of another.
BUDGETS = {
    "gan": Budget({}, 2e-3, dict(steps=2000, batch=512, ema=0.99, cool=0.5)),
    "vae": Budget({}, 5e-3, dict(steps=2000, batch=256, ema=0.99, cool=0.5)),
    "spline": Budget(dict(couplings=3, hidden=32), 1e-2, dict(steps=1000, batch=256, ema=0.99, cool=0.5)),
    "ddpm": Budget(dict(T=100, hidden=64), 5e-3, dict(steps=4000, batch=512, ema=0.99, cool=0.5)),
}


class Member(NamedTuple):
    """One trained model: its row of a comparison, and points (2000, 2)."""

    row: dict[str, Any]
    points: np.ndarray


def trained(
    name: str, budget: Budget, law: Distribution, rng: Stream, n: int, say: Callable[..., None]
) -> Member:
    """A model trained on a law and measured by n points."""
    model, steps, began = models.named(name, **budget.options), budget.sizes["steps"], time.perf_counter()
    state = training.start(model, rng.spawn("train"), budget.lr)
    for _ in training.fit(model, law, state, **budget.sizes):
        if state.step % max(1, steps // 100) == 0 or state.step == steps:
            say(f"training {FAMILIES[name]}", state.step, steps)
    seconds = time.perf_counter() - began
    say(f"measuring {FAMILIES[name]}")
    report = evaluate(model, state.ema, law, rng.spawn("evaluate"), n=n, control=False)
    own = {"status": "done", "seed": rng.seed} | comparison.measured(report, state.ema.size, seconds)
    kind = report.get("nll", {}).get("kind")
    data = law.sample(rng.spawn("data"), 2000)
    points = model.sample(state.ema, 2000, rng.spawn("points"), x_0=data)
    return Member(comparison.summary(FAMILIES[name], kind, 0.0, [own]), points)


def run(
    rng: Stream, say: Callable[..., None], budgets: Mapping[str, Budget] = BUDGETS, n: int = 10_000
) -> Outcome:
    """Each family trained on the ring of eight Gaussians, and measured in the same way."""
    found = {name: trained(name, budget, LAW, rng.spawn(name), n, say) for name, budget in budgets.items()}
    rows = {name: member.row["mean"] for name, member in found.items()}
    kinds = {name: member.row["nll_kind"] for name, member in found.items()}
    others = [name for name in rows if name != "ddpm"]
    slowest = max(rows[name]["sample_seconds"] for name in others)
    claims = [
        Claim("GAN: densities or bounds that it offers", int(kinds["gan"] is not None), "==", 0),
        Claim("flow: NLL less entropy, exact, nats", rows["spline"]["gap"], "<=", 0.1),
        Claim("the same: none is below the entropy", rows["spline"]["gap"], ">=", -0.01),
        Claim("VAE: bound on the NLL less entropy, nats", rows["vae"]["gap"], "<=", 0.15),
        Claim("diffusion: bound on the NLL less entropy, nats", rows["ddpm"]["gap"], "<=", 0.4),
        Claim("fewest modes covered by any, of 8", min(row["modes"] for row in rows.values()), "==", MODES),
        Claim(
            "largest distance of any, in sampling floors", max(r["x_floor"] for r in rows.values()), "<=", 3
        ),
        Claim(
            "evaluations for a point: diffusion, by the most of the others", _calls(rows, others), ">=", 50
        ),
        Claim("seconds for the points: the same", rows["ddpm"]["sample_seconds"] / slowest, ">=", 2.0),
    ]
    return Outcome(
        "A GAN samples and has no density, a VAE and diffusion have a bound on it, a flow has it exactly; "
        "diffusion pays with many evaluations for a sample.",
        claims,
        {"n": n, "models": {name: member.row for name, member in found.items()}},
        plots.comparison(
            {"exact, ring": LAW.sample(rng.spawn("exact"), 2000)},
            {comparison.title(member.row, MODES): member.points for member in found.values()},
        ),
        "All four find the eight modes of this ring; they differ in what can be said of a density, and in "
        "what a sample costs.",
        "Small networks trained for seconds, so the order of the distances says nothing about the families. "
        "A bound's number has the bound's own loss in it and is not comparable with an exact one. "
        "refgen compare takes all models, with their usual training.",
    )


def _calls(rows: Mapping[str, Mapping[str, Any]], others: list[str]) -> float:
    return rows["ddpm"]["nfe"] / max(rows[name]["nfe"] for name in others)
