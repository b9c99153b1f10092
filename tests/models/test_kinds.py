"""What each family offers: a density, a bound on it, a score, or samples alone.  [TAX-3]"""

import numpy as np
import pytest

from refgen import models
from refgen.backend import Stream

# Families without a score, and what their log_prob is.
KINDS = {
    "gan": None,
    "autoregressive": "exact",
    "vae": "bound",
    "mhvae": "bound",
    "hvae": "bound",
    "planar": "exact",
    "realnvp": "exact",
    "spline": "exact",
    "cnf": "exact",
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("dim", [1, 3])
def test_samples_and_a_density_of_its_kind_and_no_score(name, dim):
    model = models.named(name, dim=dim)
    params = model.init(Stream(0))
    points = model.sample(params, 9, Stream(1), 0, np.zeros((4, dim)), None, {})
    assert points.shape == (9, dim) and points.dtype == np.float32 and np.all(np.isfinite(points))
    np.testing.assert_array_equal(points, model.sample(params, 9, Stream(1)))
    assert not np.array_equal(points, model.sample(params, 9, Stream(2)))
    assert isinstance(model.calls(), int) and model.calls() >= 1
    assert not any(hasattr(model, part) for part in ("denoiser", "levels", "score", "of_noisy_data"))
    assert getattr(model, "log_prob_is", None) == KINDS[name]
    assert hasattr(model, "log_prob") == (KINDS[name] is not None)
    if KINDS[name]:
        log_prob = model.log_prob(params, points, Stream(3), x_0=points)
        assert log_prob.shape == (9,) and log_prob.dtype == np.float32 and np.all(np.isfinite(log_prob))


@pytest.mark.parametrize("name", models.NAMES)
def test_every_model_has_a_density_or_a_score_or_is_the_implicit_one(name):
    kind = models.model_class(name)
    has = hasattr(kind, "log_prob"), hasattr(kind, "denoiser")
    assert has == (KINDS[name] is not None, False) if name in KINDS else has[1]
    assert hasattr(kind, "log_prob_is") == has[0]
    assert getattr(kind, "log_prob_is", "exact") in ("exact", "bound")
