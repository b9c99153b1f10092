"""Data are likelier than outliers, under every model that has a density or a bound on it.  [TAX-4]"""

from functools import cache

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from refgen import models, training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.distributions.labelled import labelled

SETS = ["moons", "ring"]
# Steps and options with which a model trains in a second or two.
TRAININGS = {
    "ddpm": (1500, dict(T=50, hidden=32)),
    "score_sde": (300, dict(hidden=32, density_steps=10)),
    "edm": (300, dict(hidden=32, density_steps=16)),
    "vdm": (300, dict(T=50, hidden=32)),
    "flow_matching": (300, dict(hidden=32, density_steps=10)),
    "ebm": (600, dict(objective="nce", std=0.1, hidden=32, layers=2)),
    "autoregressive": (400, dict(hidden=32)),
    "vae": (300, dict(hidden=32, layers=2, bound_draws=16)),
    "mhvae": (400, dict(hidden=24, layers=2, draws=2, bound_draws=16)),
    "hvae": (400, dict(hidden=24, layers=2, draws=2, bound_draws=16)),
    "planar": (400, dict(maps=8)),
    "realnvp": (300, dict(couplings=6)),
    "spline": (100, dict(couplings=2, hidden=32)),
    "cnf": (100, dict(ode_steps=4, hidden=32)),
    "conditional_ddpm": (1500, dict(T=50, hidden=32, dropout=0.5)),  # else one point in ten is without label
}
WITH_DENSITY = [name for name in models.NAMES if hasattr(models.model_class(name), "log_prob")]


@cache
def data_and_outliers(name, std):
    """Points of the law (under noise), and points among them that are less likely than 99.9 % of those."""
    law = named(name).standardised()[0]
    law = law.diffused(1.0, std) if std else law
    data, plane = law.sample(Stream(1), 1000), 4.4 * Stream(2).uniform(4000, 2) - 2.2
    least = np.quantile(law.log_prob(law.sample(Stream(3), 20_000)), 0.001)
    return data, plane[law.log_prob(plane) < least][:1000]


def share_of_pairs(model, params, data, outliers):
    """The AUC: the share of pairs of a point and an outlier of which the point is the likelier.

    A bound is a mean over noise: of one draw it tells the two apart less well than the bound itself would.
    """
    x, rng = np.concatenate([data, outliers]).astype(np.float32), Stream(4)
    draws = range(1 if model.log_prob_is == "exact" else 16)
    log_prob = np.mean([model.log_prob(params, x, rng, x_0=data) for _ in draws], axis=0)
    higher = mannwhitneyu(log_prob[: len(data)], log_prob[len(data) :]).statistic
    return higher / (len(data) * len(outliers))


@pytest.mark.parametrize(("kind", "name"), list(zip(WITH_DENSITY, SETS * len(WITH_DENSITY), strict=False)))
def test_data_are_likelier_than_outliers(kind, name):
    """After a second of training. Before it they are not: a broad Gaussian finds what is far away alone."""
    steps, options = TRAININGS[kind]
    model, law = models.named(kind, **options), named(name).standardised()[0]
    state = training.start(model, Stream(0), 5e-3)
    data, outliers = data_and_outliers(name, model.std if getattr(model, "of_noisy_data", False) else 0)
    assert share_of_pairs(model, state.params, data, outliers) < 0.95
    rows = labelled(name).standardised()[0].rows if hasattr(model, "classes") else law
    for _ in training.fit(model, rows, state, steps, batch=256, ema=0.99, cool=0.5):
        pass
    assert share_of_pairs(model, state.ema, data, outliers) >= 0.95


def test_the_exact_law_tells_nearly_all_pairs_apart():
    for name in SETS:
        data, outliers = data_and_outliers(name, 0)
        assert len(outliers) > 900 and np.all(abs(outliers) < 2.2)
        log_prob = named(name).standardised()[0].log_prob
        assert mannwhitneyu(log_prob(data), log_prob(outliers)).statistic > 0.999 * len(data) * len(outliers)
