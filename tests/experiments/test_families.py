"""Four families side by side: what each has, claims that an untrained model does not meet, the whole run."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import families
from refgen.experiments.families import BUDGETS, LAW, Budget
from refgen.experiments.outcome import surprises

SMALL = {"gan": {}, "vae": dict(layers=2), "spline": dict(couplings=2, bins=4), "ddpm": dict(T=6)}


def budgets(steps):
    sizes = dict(steps=steps, batch=64, ema=0.9, cool=0.5)
    return {name: Budget(options | dict(hidden=8), 5e-3, sizes) for name, options in SMALL.items()}


def test_untrained_families_have_their_kinds_and_meet_no_claim_of_quality():
    outcome = families.run(Stream(0), lambda *stage: None, budgets(3), n=400)
    claims = {claim.what.partition(",")[0]: claim for claim in outcome.claims}
    held = {what for what, claim in claims.items() if claim.holds}
    assert {"GAN: densities or bounds that it offers", "the same: none is below the entropy"} <= held
    lost = [
        "flow: NLL less entropy",
        "VAE: bound on the NLL less entropy",
        "diffusion: bound on the NLL less entropy",
        "fewest modes covered by any",
        "largest distance of any",
    ]
    assert not held & set(lost) and {*lost} <= set(claims)
    assert claims["evaluations for a point: diffusion"].measured == 6
    rows = outcome.numbers["models"]
    assert {name: row["nll_kind"] for name, row in rows.items()} == {
        "gan": None,
        "vae": "bound",
        "spline": "exact",
        "ddpm": "bound",
    }
    assert all(
        row["mean"]["train_seconds"] > 0 and row["mean"]["sample_seconds"] > 0 for row in rows.values()
    )
    titles = [ax.get_title().partition(",")[0] for ax in outcome.figure.axes if ax.get_title()]
    assert titles == ["exact", "GAN", "VAE", "flow", "diffusion"]


def test_one_seed_is_one_result_and_training_counts():
    few, same, more = (
        families.trained("vae", budgets(steps)["vae"], LAW, Stream(1), 400, lambda *stage: None)
        for steps in (5, 5, 150)
    )
    assert np.array_equal(few.points, same.points) and few.row["mean"]["gap"] == same.row["mean"]["gap"]
    assert more.row["mean"]["gap"] < few.row["mean"]["gap"] - 0.1


def test_a_budget_each_and_no_other_family():
    assert BUDGETS.keys() == families.FAMILIES.keys() and len(LAW.modes[0]) == families.MODES


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_claim_is_as_expected(seed):
    """About 45 s."""
    outcome = families.run(Stream(seed, "families"), lambda *stage: None)
    assert not surprises(outcome)
