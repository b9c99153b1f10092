import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from refgen import metrics
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Gaussian, GaussianMixture, named
from refgen.metrics import directions, mmd, mode_weights, sampling_floor, score_error, sliced_wasserstein

RING = named("ring")
DIRECTIONS = directions(2, 64, Stream(0))


def test_auc_is_the_share_of_ordered_pairs_ties_by_half():
    higher, lower = Stream(1).integers(0, 6, 40), Stream(2).integers(-3, 5, 30)
    pairs = np.sign(higher[:, None] - lower) / 2 + 0.5
    assert metrics.auc(higher, lower) == pytest.approx(pairs.mean(), rel=1e-12)
    assert metrics.auc(lower, higher) == pytest.approx(1 - pairs.mean(), rel=1e-12)
    assert metrics.auc(np.array([1.0, 2.0]), np.array([-np.inf, 0.0])) == 1
    for wrong in (np.array([]), np.zeros((2, 2)), np.array([np.nan])):
        with pytest.raises(ValueError, match=r"^lower has shape"):
            metrics.auc(higher, wrong)


def test_directions_are_uniform_on_the_sphere():
    for dim in (1, 2, 5):
        drawn = directions(dim, 20_000, Stream(1))
        assert drawn.shape == (dim, 20_000)
        np.testing.assert_allclose(np.sum(drawn**2, 0), 1)
        # Mean 0 and second moment I / d; five standard errors.
        assert np.max(np.abs(drawn.mean(1))) < 5 / np.sqrt(20_000 * dim)
        np.testing.assert_allclose(drawn @ drawn.T / 20_000, np.eye(dim) / dim, atol=5 / np.sqrt(20_000))
    np.testing.assert_array_equal(directions(3, 4, Stream(2)), directions(3, 4, Stream(2)))
    with pytest.raises(ValueError, match=r"^dim is 0, n is 3; both must be >= 1"):
        directions(0, 3, Stream(0))


def test_one_direction_is_the_cost_of_the_best_assignment():
    x, y = Stream(3, "x").normal(60, 2), 1.5 * Stream(3, "y").normal(60, 2)
    for theta in DIRECTIONS.T[:5]:
        cost = np.abs((x @ theta)[:, None] - y @ theta)
        best = cost[linear_sum_assignment(cost)].mean()
        assert sliced_wasserstein(x, y, theta[:, None]) == pytest.approx(best, rel=1e-5)


def test_a_shift_and_a_scale_have_their_exact_distance():
    x = RING.sample(Stream(4), 3000)
    shift = np.array([0.5, -2.0])
    expected = np.mean(np.abs(DIRECTIONS.T @ shift))
    assert sliced_wasserstein(x, x + shift, DIRECTIONS) == pytest.approx(expected, rel=1e-4)
    assert sliced_wasserstein(x, 1.1 * x, DIRECTIONS) == pytest.approx(
        0.1 * np.mean(np.abs(x @ DIRECTIONS)), rel=1e-4
    )


def test_a_distance_of_samples_is_symmetric_zero_on_itself_and_blind_to_order():
    x, y = RING.sample(Stream(5), 500), RING.sample(Stream(6), 500)
    assert sliced_wasserstein(x, x[::-1], DIRECTIONS) == 0
    there, back = sliced_wasserstein(x, y, DIRECTIONS), sliced_wasserstein(y, x, DIRECTIONS)
    assert there == pytest.approx(back, rel=1e-5)
    assert sliced_wasserstein(x.astype(np.float32), y, DIRECTIONS) == pytest.approx(there, rel=1e-5)


def test_float32_is_enough_far_from_the_origin():
    x, y = RING.sample(Stream(5), 500), RING.sample(Stream(6), 500)
    near = sliced_wasserstein(x, y, DIRECTIONS)
    assert sliced_wasserstein(x + 1e6, y + 1e6, DIRECTIONS) == pytest.approx(near, rel=1e-4)


def test_pieces_give_the_whole(monkeypatch):
    x, y = RING.sample(Stream(5), 300), RING.sample(Stream(6), 300)
    whole = sliced_wasserstein(x, y, DIRECTIONS), mode_weights(x, *RING.modes)
    for chunk in (1, 700, 5000):
        monkeypatch.setattr(metrics, "CHUNK", chunk)
        assert sliced_wasserstein(x, y, DIRECTIONS) == pytest.approx(whole[0], rel=1e-6)
        np.testing.assert_array_equal(mode_weights(x, *RING.modes).fractions, whole[1].fractions)


def test_sliced_wasserstein_refuses():
    x = np.zeros((4, 2))
    message = r"^x has shape \(4, 2\), y \(5, 2\); both must be \(n, d\) with equal n >= 1 and d"
    with pytest.raises(ValueError, match=message):
        sliced_wasserstein(x, np.zeros((5, 2)), DIRECTIONS)
    with pytest.raises(ValueError, match=r"^x has shape \(0, 2\)"):
        sliced_wasserstein(x[:0], x[:0], DIRECTIONS)
    with pytest.raises(ValueError, match=r"^directions has shape \(3, 7\); it must be \(2, m\)"):
        sliced_wasserstein(x, x, np.zeros((3, 7)))


def test_the_sampling_floor_is_what_exact_samples_score_and_a_wrong_law_exceeds():
    floor = sampling_floor(RING, 2000, DIRECTIONS, Stream(7))
    assert floor.mean <= floor.max < 3 * floor.mean
    # It falls like one over the root of n.
    smaller = sampling_floor(RING, 32_000, DIRECTIONS, Stream(7))
    assert 2.5 < floor.mean / smaller.mean < 6
    x = RING.sample(Stream(8), 2000)
    fresh = RING.sample(Stream(9), 2000)
    assert sliced_wasserstein(x, fresh, DIRECTIONS) < 1.5 * floor.max
    assert sliced_wasserstein(x, 1.1 * fresh, DIRECTIONS) > 1.5 * floor.max
    with pytest.raises(ValueError, match=r"^draws is 0; it must be >= 1"):
        sampling_floor(RING, 10, DIRECTIONS, Stream(0), draws=0)


def mmd_by_hand(x, y, bandwidth):
    """The definition, pair by pair, in float64."""

    def total(a, b, same):
        pairs = [(i, j) for i in range(len(a)) for j in range(len(b)) if not (same and i == j)]
        return sum(np.exp(-np.sum((a[i] - b[j]) ** 2) / (2 * bandwidth**2)) for i, j in pairs) / len(pairs)

    return total(x, x, True) + total(y, y, True) - 2 * total(x, y, False)


@pytest.mark.parametrize("chunk", [1, 400, 2**18])
@pytest.mark.parametrize(("bandwidth", "offset"), [(1.0, 0.0), (0.05, 0.0), (1.0, 1e5), (30.0, 0.0)])
def test_mmd_is_its_definition(monkeypatch, chunk, bandwidth, offset):
    monkeypatch.setattr(metrics, "CHUNK", chunk)
    x, y = RING.sample(Stream(5), 40) + offset, 1.2 * RING.sample(Stream(6), 30) + offset
    expected = mmd_by_hand(x, y, bandwidth)
    assert mmd(x, y, bandwidth) == pytest.approx(expected, abs=2e-6)
    assert mmd(y, x, bandwidth) == pytest.approx(expected, abs=2e-6)


def test_mmd_keeps_its_digits_where_one_point_is_far():
    """Two points 2 apart at distance 5000: products in float32 would be off by one."""
    x, y = RING.sample(Stream(5), 40), RING.sample(Stream(6), 30)
    x[0], x[1], y[0] = [3000, 4000], [3000, 4002], [3001, 4000]
    assert mmd(x, y) == pytest.approx(mmd_by_hand(x, y, 1.0), abs=1e-9)


def test_mmd_is_unbiased_and_known_for_gaussians():
    """E k(a, b) for a - b from N(delta, s I) is (1 + s)^(-d/2) exp(-|delta|^2 / 2(1 + s)); five errors."""
    delta, draws = np.array([1.0, 0.0]), range(60)
    pairs = [(Stream(i, "x").normal(200, 2), Stream(i, "y").normal(200, 2)) for i in draws]
    null, apart = (np.array([mmd(x, y + shift) for x, y in pairs]) for shift in (0 * delta, delta))
    expected = 2 * (1 - np.exp(-1 / 6)) / 3
    assert abs(null.mean()) < 5 * null.std() / np.sqrt(60)
    assert null.min() < 0 < null.max()
    assert abs(apart.mean() - expected) < 5 * apart.std() / np.sqrt(60)
    assert apart.min() > null.max()


def test_mmd_refuses():
    x = np.zeros((4, 2))
    for a, b in [(x, np.zeros((4, 3))), (x, x[:1]), (x[0], x)]:
        with pytest.raises(ValueError, match=r"^x has shape .*; need \(n, d\) and \(m, d\) with n, m >= 2"):
            mmd(a, b)
    with pytest.raises(ValueError, match=r"^bandwidth is 0; it must be positive and finite"):
        mmd(x, x, 0)
    with pytest.raises(ValueError, match=r"^x or y has points that are not finite"):
        mmd(x, np.full((3, 2), np.inf))


def test_mode_weights_are_standard_normal_under_the_null():
    """Two hundred exact samples of a 0.8 / 0.2 mixture: z has mean 0 and variance 1, within 4 errors."""
    law = named("two_gaussians")
    z = np.array([mode_weights(law.sample(Stream(i), 500), *law.modes).z[0] for i in range(200)])
    assert abs(z.mean()) < 4 / np.sqrt(200)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / 200)
    # The chains' usual mistake, half and half, cannot pass.
    wrong = GaussianMixture(law.means, 1.0, [0.5, 0.5])
    assert np.min(np.abs(mode_weights(wrong.sample(Stream(0), 500), *law.modes).z)) > 10


def test_mode_weights_count_the_nearest_mode():
    means = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 6.0]])
    points = np.array([[1.9, 0.0], [2.1, 0.0], [0.0, 2.9], [0.0, 3.1], [9.0, 9.0], [-5.0, -5.0]])
    found = mode_weights(points, means, [0.5, 0.3, 0.2])
    distance = np.linalg.norm(points[:, None] - means, axis=-1)
    counts = np.bincount(distance.argmin(1), minlength=3)
    np.testing.assert_array_equal(found.fractions, counts / 6)
    expected = (counts - [3, 1.8, 1.2]) / np.sqrt([1.5, 6 * 0.3 * 0.7, 6 * 0.2 * 0.8])
    np.testing.assert_allclose(found.z, expected)
    far = mode_weights(points + 1e9, means + 1e9, [0.5, 0.3, 0.2])
    np.testing.assert_array_equal(far.fractions, counts / 6)


def test_mode_weights_of_certain_modes():
    points = np.zeros((5, 1))
    np.testing.assert_array_equal(mode_weights(points, [[0.0]], [1.0]).z, [0.0])
    np.testing.assert_array_equal(mode_weights(points, [[9.0], [0.0]], [0.0, 1.0]).z, [0.0, 0.0])
    np.testing.assert_array_equal(mode_weights(points, [[0.0], [9.0]], [0.0, 1.0]).z, [np.inf, -np.inf])


def test_mode_weights_refuses():
    means = np.zeros((2, 2))
    with pytest.raises(
        ValueError, match=r"^samples has shape \(3, 1\), means \(2, 2\); need \(n, d\) and \(K, d\)"
    ):
        mode_weights(np.zeros((3, 1)), means, [0.5, 0.5])
    with pytest.raises(ValueError, match=r"^weights is .*; it must be 2 numbers >= 0 with sum 1"):
        mode_weights(np.zeros((3, 2)), means, [0.5, 0.6])
    with pytest.raises(ValueError, match=r"^samples has points that are not finite"):
        mode_weights(np.full((3, 2), np.nan), means, [0.5, 0.5])


class Off(Denoiser):
    """The exact score, times a factor."""

    def __init__(self, law, factor):
        self.exact, self.factor = ExactDenoiser(law), factor

    def eps(self, x, signal, std):
        return self.factor * self.exact.eps(x, signal, std)


@pytest.mark.parametrize("factor", [1.0, 1.01, 0.5, 0.0, -1.0])
def test_score_error_of_a_score_times_a_factor(factor):
    error = score_error(Off(RING, factor), RING, 0.8, 0.6, Stream(0), 200)
    assert error == pytest.approx(abs(factor - 1), abs=1e-12)


def test_score_error_is_weighted_by_the_exact_diffused_density():
    """A constant error delta on N(0, v I): E|s|^2 = d / v_t, so the ratio is known; five errors of it."""
    law, signal, std = Gaussian([0.0, 0.0], np.eye(2) * 4.0), 0.6, 0.8
    var_t = signal**2 * 4 + std**2

    class Shifted(Denoiser):
        def eps(self, x, signal, std):
            return std * (x / var_t - 0.3)

    error = score_error(Shifted(), law, signal, std, Stream(1), 40_000)
    assert error == pytest.approx(np.sqrt(0.09 * var_t), rel=5 / np.sqrt(4 * 40_000))
