"""`refgen verify --device gpu`: formulas and wrong forms run there, derivations do not."""

import json

import numpy as np
import pytest
from autograd import grad
from click.testing import CliRunner
from hypothesis import HealthCheck, given, seed, settings

from refgen import backend
from refgen.backend import Stream
from refgen.cards import CARDS, judge, verify
from refgen.cards.inject import on_device
from refgen.cards.load import load_cards
from refgen.cards.setting import GPU_FACTOR
from refgen.commands.cards import verify as command
from tests.device import DEVICES, DOUBLE, IDS, double, same

load_cards()
THERE = [id for id, card in CARDS.items() if card.formula and card.tolerance32 is not None]


@pytest.fixture(params=DEVICES, ids=IDS)
def gpu(request, monkeypatch):
    """A machine with that device as its GPU."""
    monkeypatch.setattr(backend, "_gpu", lambda: request.param)
    return request.param


def one_input(card):
    """The last input drawn on the card's highest rung, or its last case."""
    found = list(card.cases[-1:])
    for rung in card.given[-1:]:

        @seed(1)
        @settings(max_examples=3, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(rung)
        def draw(values):
            found.append(values)

        draw()
    return found[-1]


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize("id", THERE)
def test_formula_and_wrong_forms_are_judged_as_on_the_host(id, device):
    """Where a wrong form of a card raises on a device, `verify --device gpu` could not reject it."""
    card = CARDS[id]
    inputs = one_input(card)
    before = double.COUNT["to_device"]
    for formula in (card.formula, *(wrong.formula for wrong in card.wrong)):
        host = judge(card, formula, inputs)
        there = judge(card, on_device(formula, device), inputs)
        assert (there.comparable, there.note) == (host.comparable, host.note)
        assert there.error == pytest.approx(host.error, rel=1e-6, abs=GPU_FACTOR * card.tolerance)
    if device is DOUBLE:
        assert double.COUNT["to_device"] > before, "takes no array: it needs tolerance32=None"


def test_arrays_go_there_and_come_home_in_whatever_holds_them():
    def formula(x, pair, *, named, number):
        assert all(isinstance(a, double.DeviceArray) for a in (x, *pair, named["a"]))
        assert type(number) is float
        return {"sum": np.sum(x), "all": [x, (number, pair[0])]}

    x = np.arange(3.0)
    result = on_device(formula, DOUBLE)(x, (x, x), named={"a": x}, number=2.0)
    assert type(result["sum"]) is np.float64 and result["sum"] == 3
    assert type(result["all"][0]) is np.ndarray and result["all"][1][0] == 2.0


def test_a_formula_of_numbers_alone_is_given_arrays_without_axes():
    seen = []
    result = on_device(lambda a, k: seen.extend((a, k)) or a * k, DOUBLE)(0.5, 3)
    assert isinstance(seen[0], double.DeviceArray) and seen[0].shape == () and seen[1] == 3
    assert result == 1.5 and type(result) is np.float64


def test_a_stream_goes_there_in_the_state_it_is_in():
    here = Stream(3, "a")
    here.normal(5)
    result = on_device(lambda x, rng: x + rng.normal(4), DOUBLE)(np.zeros(4), here)
    same(here.normal(4), result)


def test_derivatives_of_any_order_run_there():
    def cube(x):
        assert double.COUNT["calls"] >= 0
        return np.sum(x**3)

    there = on_device(cube, DOUBLE)
    x = np.array([1.0, -2.0])
    same(3 * x**2, grad(there)(x))
    same(6 * x, grad(lambda y: np.sum(grad(there)(y)))(x))


def test_verify_runs_the_formula_there_and_loosens_its_tolerance(gpu):
    seen = []

    def formula(x_t, x_0, alpha_t, alpha_bar_s):
        seen.append(type(x_t))
        return CARDS["POST-5/mean"].formula(x_t, x_0, alpha_t, alpha_bar_s)

    card = CARDS["POST-5/mean"]
    report = verify(card, formula=formula, examples=5, device="gpu")
    assert report["status"] == "pass" and set(seen) == {gpu.xp.ndarray}
    assert (report["device"], report["tolerance"]) == ("gpu", GPU_FACTOR * card.tolerance)
    single = verify(card, formula=formula, examples=5, device="gpu", precision="float32")
    assert single["status"] == "pass" and single["tolerance"] == card.tolerance32


def test_orders_stay_on_the_host(gpu):
    report = verify(CARDS["POST-13/order"], device="gpu", examples=2)
    assert (report["device"], report["tolerance"]) == ("cpu", CARDS["POST-13/order"].tolerance)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_command_says_what_ran_where(gpu, precision):
    asked = ["POST-13", "--device", "gpu", "--processes", "1", "--examples", "5", "--precision", precision]
    done = CliRunner().invoke(command, asked)
    assert done.exit_code == 0, done.output
    assert "On the host" in done.output and "POST-13/order" in done.output.split("On the host")[1]
    report = json.loads(CliRunner().invoke(command, [*asked, "--json"]).output)
    assert report["summary"]["device"] == "gpu"
    where = {card["id"]: card["device"] for card in report["cards"]}
    assert (where["POST-13/order"], where["POST-13/square"]) == ("cpu", "gpu")


def test_without_a_gpu_one_line_says_so_before_any_card_runs(monkeypatch):
    def none():
        raise ValueError("device is 'gpu', but CuPy is not there")

    monkeypatch.setattr(backend, "_gpu", none)
    monkeypatch.setattr("refgen.cards.verify_all", lambda *a, **k: pytest.fail("a card ran"))
    done = CliRunner().invoke(command, ["GAU-7", "--device", "gpu"])
    assert str(done.exception) == "device is 'gpu', but CuPy is not there"
    assert isinstance(done.exception, ValueError)  # which the program prints as one line, with status 2
