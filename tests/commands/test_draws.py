"""How each sampler is driven: what fits which model, at which levels, and how often the denoiser is asked."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.commands.draws import Asked, check_fits, drawing, needs_data
from refgen.commands.levels import SPACINGS
from refgen.commands.ways import WAYS
from refgen.denoisers import ExactDenoiser, OneLevelDenoiser, counted
from refgen.distributions import Gaussian, named
from refgen.ladders import Ladder, geometric
from refgen.metrics import mode_weights
from refgen.models.ddpm import DDPM
from refgen.models.ebm import EBM
from refgen.models.flow_matching import FlowMatching
from refgen.processes import VP
from refgen.schedules import linear

NOTHING = dict.fromkeys(
    ["steps", "spacing", "step", "per_level", "level", "std", "eta", "order", "snr", "method", "churn"]
)
PARAMS = np.zeros(0, np.float32)
DATA = Stream(5).normal(300, 2, dtype=np.float32)
STANDARD = ExactDenoiser(Gaussian([0.0, 0.0], np.eye(2)))


class OneLevel:
    """What is known of a model of one noise level."""

    dim, of_noisy_data = 2, True
    levels = Ladder(np.array([0.0, 0.75]))


class Clean(OneLevel):
    of_noisy_data = False


class Many:
    """And of one of many."""

    dim = 2

    def __init__(self, levels):
        self.levels = levels


def asked(sampler, model, denoiser=STANDARD, **given):
    return Asked(sampler, "model", model, PARAMS, NOTHING | given, denoiser, True, DATA)


LEVELS = {
    "schedule": linear(1000).respaced(40),
    "ladder": geometric(40, 4.0, 0.02),
    "grid": VP().grid(40, "time"),
}
ASKED = {
    "annealed_langevin": {"step": 0.5, "per_level": 10},
    "langevin": {"steps": 5},
    "underdamped": {"steps": 5},
}
ASKED |= {"mala": {"steps": 5}, "smc": {"steps": 3, "per_level": 2}}
MANY = [name for name, way in WAYS.items() if way.levels is not None and name != "ancestral"]


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("sampler", [name for name in WAYS if name != "ancestral"])
def test_calls_are_as_many_as_are_said_and_the_law_is_found(sampler, levels):
    """All samplers on all kinds of levels, from an exact denoiser of N(0, I)."""
    made = drawing(asked(sampler, Many(LEVELS[levels]), **ASKED.get(sampler, {})))
    denoiser = counted(made.denoiser)
    x = made.draw(denoiser, 500, Stream(0))
    assert denoiser.calls == made.calls and made.about.startswith(f"{sampler}, ")
    assert x.shape == (500, 2) and x.dtype == np.float32
    if sampler in MANY:
        assert abs(np.std(x) - 1) < 0.2 and np.max(np.abs(np.mean(x, axis=0))) < 0.2


@pytest.mark.parametrize("method", ["euler", "heun", "rk4"])
@pytest.mark.parametrize("T", [1, 2, 5])
def test_calls_of_each_method_and_order(method, T):
    model = Many(LEVELS["grid"])
    flow = asked("probability_flow", model, method=method, steps=T, spacing="edm")
    solver = asked("dpm_solver", model, order=T % 3 + 1, steps=T)
    for given in (flow, solver):
        made = drawing(given)
        denoiser = counted(made.denoiser)
        made.draw(denoiser, 3, Stream(0))
        assert denoiser.calls == made.calls


@pytest.mark.parametrize("sampler", [name for name in MANY if "spacing" in WAYS[name].options])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_levels_are_chosen_as_is_said(sampler, spacing):
    for levels in LEVELS.values():
        made = drawing(asked(sampler, Many(levels), spacing=spacing, steps=5))
        said = "5 of 40 levels" if spacing == "model" else f"5 levels {SPACINGS[spacing]}"
        assert f"{sampler}, {said}" in made.about
        assert np.all(np.isfinite(made.draw(made.denoiser, 10, Stream(0))))
    assert "all 40 levels" in drawing(asked(sampler, Many(levels), spacing="model", steps=40)).about


def test_more_levels_than_there_are_can_only_be_had_anew():
    with pytest.raises(ValueError, match=r"^--steps is 41; the model has 40 levels"):
        drawing(asked("ddim", Many(LEVELS["schedule"]), steps=41))
    made = drawing(asked("ddim", Many(LEVELS["schedule"]), steps=41, spacing="log_snr"))
    assert made.calls == 41


@pytest.mark.parametrize("sampler", ["langevin", "underdamped", "mala"])
def test_the_noise_is_left_on_samples_of_noisy_data_alone(sampler):
    """From a start as wide as the noisy data; a step of next to nothing leaves it."""
    points = []
    for model in (OneLevel(), Clean()):
        made = drawing(asked(sampler, model, step=1e-12, steps=1))
        points.append(made.draw(made.denoiser, 4000, Stream(0)))
        assert made.calls == {"langevin": 1, "underdamped": 1, "mala": 2}[sampler] + (not model.of_noisy_data)
        assert "noise of std 0.75, 1 steps, step 1e-12" in made.about
    np.testing.assert_allclose(points[1], points[0] / (1 + 0.75**2), rtol=1e-5, atol=1e-6)
    assert np.std(points[0]) == pytest.approx(1.25, rel=0.04)


def test_stages_find_the_weights_of_modes_and_count_their_calls():
    law = named("two_gaussians").standardised()[0]
    exact = counted(ExactDenoiser(law))
    for model in (OneLevel(), Clean()):
        exact.calls = 0
        made = drawing(asked("smc", model, exact, std=0.1, steps=30, per_level=3))
        points = made.draw(exact, 2000, Stream(0))
        assert exact.calls == made.calls == 30 * (3 + 2) + (not model.of_noisy_data)
        assert mode_weights(points, *law.modes).fractions[0] == pytest.approx(0.8, abs=0.04)
        assert not made.independent


def test_a_model_of_one_level_has_no_annealing_and_mala_with_its_energy():
    energy = OneLevelDenoiser(lambda x: -x, 0.05, lambda x: -np.sum(x**2, axis=-1) / 2)
    for sampler in ("langevin", "underdamped", "mala", "smc"):
        check_fits(sampler, "ebm", OneLevel(), energy)
    for sampler in MANY:
        with pytest.raises(
            ValueError, match=r"needs scores at .*, which .*; langevin, underdamped, mala or smc would do"
        ):
            check_fits(sampler, "ebm", OneLevel(), energy)
    with pytest.raises(ValueError, match="mala needs a score and a density, which this score_net has not"):
        check_fits("mala", "score_net", OneLevel(), OneLevelDenoiser(lambda x: -x, 0.05))
    with pytest.raises(ValueError, match=r"langevin needs a score at one level; this gan has its own only"):
        check_fits("langevin", "gan", object(), None)
    pairs = FlowMatching(pairs="transport")
    with pytest.raises(ValueError, match=r"euler_maruyama needs a score, and this flow_matching has a veloc"):
        check_fits("euler_maruyama", "flow_matching", pairs, ExactDenoiser(Gaussian([0.0], [[1.0]])))
    check_fits("ddim", "flow_matching", pairs, ExactDenoiser(Gaussian([0.0], [[1.0]])))
    check_fits("mala", "score_net", OneLevel(), ExactDenoiser(Gaussian([0.0], [[1.0]])))


def test_who_estimates_a_variance_needs_data():
    assert needs_data(None, DDPM(variance="optimal")) and needs_data("analytic", DDPM())
    assert not needs_data(None, DDPM()) and not needs_data("ddim", DDPM(variance="optimal"))


def test_points_of_a_model_with_stages_are_not_independent():
    model = EBM(hidden=4, layers=1, stages=2, per_stage=1)
    params = model.init(Stream(0))
    own = drawing(Asked(None, "ebm", model, params, NOTHING, model.denoiser(params)))
    assert not own.independent and own.calls == 2 * 3
    assert drawing(Asked(None, "ddpm", DDPM(), PARAMS, NOTHING, STANDARD)).independent
