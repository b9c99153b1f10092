"""Every distribution, walked by its registry, gives on a device what it gives on the host."""

from functools import partial

import numpy as np
import pytest

from refgen.backend import Stream, to_host
from refgen.distributions import NAMES, Boxes, Distribution, Empirical, GaussianMixture, load, named
from tests.device import DEVICES, DOUBLE, IDS, counting, same

# Beyond the named laws: points of a data set, full covariances, noisy boxes, more than two dimensions.
OTHERS = {
    "empirical": Empirical(Stream(0, "data").normal(40, 2)),
    "empirical in 9-D": Empirical(Stream(0, "data").normal(30, 9)),
    "full": GaussianMixture([[0.0, 1, 2], [2, 0, -1]], [np.eye(3), 0.5 * np.eye(3) + 0.2], [1, 2]),
    "axes": GaussianMixture([[0.0, 1, 2], [2, 0, -1]], [0.3, 0.1, 1.0], [1, 2]),
    "noisy boxes": Boxes([[0.0, 0.0, 1.0], [2, 2, 2]], [[1.0, 1.0, 3.0], [3, 3, 4]], [1, 3], 0.3),
}
LAWS = [*NAMES, *OTHERS]
LEVELS = [(1.0, 0.0), (0.8, 0.6), (0.999, 0.02), (0.0, 1.0)]


def law_of(name):
    return OTHERS[name] if name in OTHERS else named(name)


def without_density(law):
    return isinstance(law, Empirical) or (isinstance(law, Boxes) and not law.noisy)


def test_every_kind_of_distribution_is_tried():
    def kinds(kind):
        return {kind}.union(*map(kinds, kind.__subclasses__()))

    ours = {kind for kind in kinds(Distribution) - {Distribution} if kind.__module__.startswith("refgen.")}
    assert ours == {type(law_of(name)) for name in LAWS}


@pytest.fixture(params=LAWS)
def law(request):
    return law_of(request.param)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_points_on_a_device_are_answered_there_and_as_on_the_host(law, device, dtype):
    host = law.sample(Stream(1), 12).reshape(3, 4, -1).astype(dtype)
    x = device.xp.asarray(host)
    for signal, std in LEVELS:
        noisy, level = law.diffused(signal, std), {"signal": signal, "std": std}
        methods = [partial(law.posterior_mean, **level), partial(law.posterior_cov, **level)]
        if std > 0 or not without_density(law):
            methods += [noisy.log_prob, noisy.score, partial(law.noisy_score, **level)]
        for method in methods:
            answer = method(x)
            assert type(answer) is type(x)
            same(method(host), answer, rtol=1e-3 if dtype == np.float32 else 1e-6)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_each_point_may_have_its_own_level(law, device):
    host = law.sample(Stream(2), 6)
    signal = np.array([0.8, 0.3, 1.0, 0.8, 0.6, 0.3])[:, None]
    std = np.sqrt(1.01 - signal**2)
    x, *levels = (device.xp.asarray(a) for a in (host, signal, std))
    for method in (law.posterior_mean, law.posterior_cov, law.noisy_score):
        same(method(host, signal, std), method(x, *levels), rtol=1e-6)
        same(method(host, 0.8, std), method(x, 0.8, levels[1]), rtol=1e-6)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_samples_lie_where_the_stream_draws_and_are_the_same(law, device):
    drawn = law.sample(Stream(3, device=device), 50)
    assert type(drawn) is device.xp.ndarray
    same(law.sample(Stream(3), 50), drawn, rtol=1e-6)
    on_device = to_host(law.sample(Stream(3, device=device, on_device=True), 50))
    assert on_device.shape == (50, law.dim)
    assert np.all(np.isfinite(on_device))


@pytest.mark.parametrize(
    "method", ["log_prob", "score", "noisy_score", "posterior_mean", "posterior_cov", "sample"]
)
def test_parameters_are_moved_once(law, method):
    noisy, rng = law.diffused(0.8, 0.6), Stream(4, device=DOUBLE)
    x = law.sample(rng, 5).astype("float32")

    def ask():
        if method == "sample":
            return law.sample(rng, 5)
        if method in ("log_prob", "score"):
            return getattr(noisy, method)(x)
        return getattr(law, method)(x, 0.8, 0.6)

    ask()
    with counting() as count:
        ask()
    assert count.transfers == 0
    assert count.blocks == 0


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_points_from_a_file_are_a_law_on_every_device(tmp_path, device):
    np.save(tmp_path / "points.npy", Stream(5).normal(20, 2))
    law = load(str(tmp_path / "points.npy"))
    x = law.sample(Stream(6), 7) + 0.1
    same(law.posterior_mean(x, 0.9, 0.3), law.posterior_mean(device.xp.asarray(x), 0.9, 0.3), rtol=1e-6)


def test_a_box_without_noise_still_refuses_a_score_outside_of_it():
    x = DOUBLE.xp.asarray([[0.5, 0.5], [9.0, 9.0]])
    with pytest.raises(ValueError, match=r"and \[9\.0, 9\.0\] is on an edge or outside"):
        Boxes([[0.0, 0.0]], [[1.0, 1.0]]).score(x)


def test_pieces_on_a_device_are_larger_and_put_together_in_order(monkeypatch):
    law, seen = OTHERS["empirical"], []
    monkeypatch.setattr(type(law), "_rows", 2)
    monkeypatch.setattr("refgen.distributions.base.ON_DEVICE", 2)
    whole = type(law)._posterior_mean

    def counted(self, x, signal, std):
        seen.append(len(x))
        return whole(self, x, signal, std)

    monkeypatch.setattr(type(law), "_posterior_mean", counted)
    host = law.points[:7] + 0.1
    answer = law.posterior_mean(DOUBLE.xp.asarray(host), 0.8, 0.6)
    assert seen == [4, 3]
    np.testing.assert_allclose(to_host(answer), law.posterior_mean(host, 0.8, 0.6), rtol=1e-12)
