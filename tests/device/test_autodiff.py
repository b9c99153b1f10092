"""autograd with refgen's rules: on a device as on the host, in float32, twice differentiable, and right."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad
from autograd.core import make_vjp
from autograd.test_util import check_grads

from refgen.autodiff import PRIVATE, array_module, register
from tests.device import DEVICES, DOUBLE, IDS, counting, exact, same
from tests.device.double import DeviceArray, xp
from tests.device.op_cases import CASES, FORWARD
from tests.device.op_checks import CHECKS, check_case, derivatives

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("device", DEVICES[1:], ids=IDS[1:])
def test_derivatives_on_a_gpu(device):
    for name in CASES:
        check_case(name, device)


@pytest.mark.parametrize("name", CHECKS)
def test_check(name):
    CHECKS[name]()  # every case on the double, to the bit, without float64; and what autograd does wrong


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_those_of_finite_differences(name):
    function, *shapes = CASES[name]
    rng = onp.random.default_rng(1)
    inputs = [rng.standard_normal(shape) for shape in shapes]
    modes = ["fwd", "rev"] if name in FORWARD else ["rev"]
    onp.random.seed(0)  # noqa: NPY002  check_grads draws its directions from there
    check_grads(lambda *x: function(onp, *x), modes=modes, order=2)(*inputs)


@pytest.fixture(scope="module")
def without():
    """Which check fails first when one rule is taken away."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests/device/without_rules.py")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_rule_is_needed(without):
    assert without.pop("nothing") is None
    assert len(without) >= 35
    assert [rule for rule, check in without.items() if check is None] == []


@pytest.mark.parametrize(("module", "names"), PRIVATE.items())
def test_the_private_names_of_autograd_are_there(module, names):
    for name in names:
        assert hasattr(importlib.import_module(module), name), f"{module}.{name} is gone"


def test_no_other_private_names_are_used():
    used = set()
    for path in (ROOT / "refgen/autodiff").glob("*.py"):
        for line in path.read_text().splitlines():
            words = line.replace(",", " ").split()
            if words[:1] == ["from"] and words[1].startswith("autograd.") and words[1] != "autograd.extend":
                used |= {(words[1], name) for name in words[3:]}
    modules = {("autograd.numpy", name) for name in ("numpy_jvps", "numpy_vjps", "numpy_wrapper")}
    assert used - modules <= {(module, name) for module, names in PRIVATE.items() for name in names}


def test_the_array_module_is_seen_through_a_trace():
    seen = []

    def loss(x):
        seen.append(array_module(x))
        return np.sum(x)

    grad(lambda x: grad(loss)(x)[0] + x[0])(xp.ones(2))
    assert seen == [xp] and array_module(onp.ones(2)) is onp and array_module(1.0) is onp


def test_registering_twice_changes_nothing():
    register(DeviceArray, xp)
    assert array_module(xp.ones(1)) is xp


@pytest.mark.parametrize("call", [lambda x: np.mean(x, where=x > 0), lambda x: np.max(x, initial=0.0)])
def test_what_a_rule_does_not_know_is_refused(call):
    with pytest.raises(TypeError, match="unexpected keyword"):
        grad(call)(onp.ones(3))


def test_other_diagonals_are_refused():
    for x, offset in ((onp.ones((3, 3)), 1), (onp.ones((2, 3)), 0)):
        with pytest.raises(NotImplementedError, match="main diagonal"):
            grad(lambda x, offset=offset: np.sum(np.diagonal(x, offset)))(x)


def test_a_host_array_in_a_device_loss_is_refused():
    with pytest.raises(TypeError, match="Unsupported type"):
        grad(lambda x: np.sum(x * onp.ones(3)))(xp.ones(3))


def test_a_gradient_moves_nothing():
    x, w = xp.ones((8, 3), dtype=onp.float32), xp.ones((3, 4), dtype=onp.float32)
    with counting() as count:
        slope = grad(lambda w: np.mean(np.maximum(np.tanh(x @ w) - np.max(x), 0.0)[:, 1:]))(w)
    assert count.transfers == 0 and slope.dtype == onp.float32


def test_a_sum_is_not_copied_out():
    vjp, _ = make_vjp(np.sum, onp.ones((100, 100)))
    assert vjp(1.0).strides == (0, 0)


@exact
def test_a_broken_rule_would_be_seen():
    host = derivatives(lambda xp, x: np.tanh(x), True, onp, (3, 4))
    wrong = derivatives(lambda xp, x: np.tanh(x * (1 + 1e-6)), True, DOUBLE.xp, (3, 4))
    with pytest.raises(AssertionError):
        same(host, wrong)
