"""Every formula and its derivative run on the device, give the host's numbers, and move nothing.

All cards are walked, so whatever is added there is tested here. A public formula that no card reaches with an
array must stand in EXAMPLES, or the last test fails.
"""

import copy
import importlib
import pkgutil
import sys
from contextlib import contextmanager, suppress
from functools import cache

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import make_vjp
from autograd.core import vspace
from autograd.tracer import getval
from hypothesis import HealthCheck, given, seed, settings

import refgen.formulas
from refgen.backend import Stream
from refgen.cards import CARDS
from refgen.cards.inject import each, on_device
from refgen.cards.load import load_cards
from refgen.formulas import (
    adjoint,
    boxes,
    chain,
    edm,
    elbo,
    elementary,
    forward,
    likelihood,
    mixture,
    parametrisation,
    process,
    runge_kutta,
    snr,
)
from tests.device import DEVICES, DOUBLE, IDS, ROUNDING, counting, same

load_cards()
MODULES = [
    importlib.import_module(f"refgen.formulas.{module.name}")
    for module in pkgutil.iter_modules(refgen.formulas.__path__)
]
PUBLIC = {
    getattr(module, name).__code__: f"{module.__name__}.{name}"
    for module in MODULES
    for name in module.__all__
    if hasattr(getattr(module, name), "__code__")  # and is no class or table
}
# Schedules, processes and the variances of steps stay on the host: samplers take Python floats from them.
STEPS = "refgen.samplers.ancestral"
ON_HOST = {"refgen.schedules", "refgen.processes", f"{STEPS}:step_variances", f"{STEPS}:optimal_variances"}
# Where its largest or smallest weight is met twice, rounding decides through which one it is differentiated.
TIES = {"refgen.formulas.elbo.weight_spread"}
# Integrations of many steps, of which EXAMPLES have two.
LONG = {"refgen.formulas.likelihood:log_prob", "refgen.formulas.adjoint:gradients"}
COMPUTING = [
    id
    for id, card in CARDS.items()
    if card.formula and not (ON_HOST | LONG) & {card.formula.__module__, card.formula_name}
]

FLOATS = ("float64", "float32")

X = np.array([[0.3, -1.2], [2.0, 0.1], [-0.5, 0.7]])
WEIGHTS, CORNERS = np.array([0.3, 0.7]), (np.array([[-2.0, 0], [0, -1]]), np.array([[-1.0, 0.5], [1, 1]]))
MIXTURE = WEIGHTS, np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[[1.0, 0.2], [0.2, 0.5]], np.eye(2)])
SHARED = *MIXTURE[:2], np.array([0.5, 0.2])
LAWS = MIXTURE, SHARED
NOISY_BOXES = X, WEIGHTS, *CORNERS, 0.8
MANY = np.arange(20.0).reshape(2, 10) / 7
LOG_SNR = np.array([600.0, 3.0, 0.0, -2.0, -600.0])
TIMES = np.array([1e-5, 0.1, 0.5, 0.9])


def log_prob_of_a_flow(x, score_slope, method):
    """Of a linear score, by two steps."""
    return likelihood.log_prob(
        x,
        lambda x, level: (score_slope * x, score_slope * x.shape[-1] + 0 * x[..., 0]),
        lambda x: -anp.sum(x**2, axis=-1),
        lambda t: likelihood.Moment(-t, 2 * t, (1.0, t)),
        0.5,
        1.0,
        2,
        method,
    )


def step_of_heun(x):
    return runge_kutta.heun(lambda x, t: -t * x, x, 0.5, 0.1)


def gradients_of_a_flow(params, x):
    """Of the velocity params tanh(x), by two steps each way."""
    return adjoint.gradients(lambda p, x, t: p * anp.tanh(x) * t, params, x, anp.sin, 0.0, 1.0, 2)


# Formulas that no card asks for, or not in this form.
EXAMPLES = [
    (boxes.interval_log_prob, X[:, 0], -1.0, 2.0, 0.5),
    *[(f, *NOISY_BOXES, 0.5) for f in (boxes.log_prob, boxes.score)],
    *[(f, *NOISY_BOXES, np.array([0.5, 0.1])) for f in (boxes.posterior_mean, boxes.posterior_cov)],
    (boxes.clean_log_prob, X, WEIGHTS, *CORNERS),
    (boxes.noise_shares, np.array([0.5, 0.1]), 0.8, 0.6),
    (chain.marginals, np.array([[[0.2, 0.8], [0.5, 0.5]]]), 1),
    (elbo.decoder_var, np.array([0.99]), np.array([0.01])),
    (elbo.variance_gap, np.array([0.9, 0.5]), np.array([0.8, 0.3]), np.array([0.1, 0.4])),
    (edm.c_noise, np.array([0.002, 80.0])),
    (elementary.exp, X),
    (forward.cosine_beta, np.array([0.0, 0.5]), np.array([0.5, 1.0])),
    *[(f, X, *law) for f in (mixture.log_prob, mixture.score, mixture.responsibilities) for law in LAWS],
    *[(f, X, *law, 0.8, 0.6) for f in (mixture.posterior_mean, mixture.posterior_cov) for law in LAWS],
    *[(log_prob_of_a_flow, X, -1.0, method) for method in likelihood.METHODS],
    (step_of_heun, X),
    (gradients_of_a_flow, X[0], X),
    (mixture.cov, *SHARED),
    (mixture.squared_distances, X, X[:2]),
    (mixture.squared_distances, MANY, MANY + 1),
    *[(getattr(process, f"cosine_{name}"), TIMES) for name in ("signal", "std", "drift", "diffusion_var")],
    *[(f, LOG_SNR[1:-1]) for f in (process.cosine_time, process.straight_time, process.sub_vp_integral)],
    *[(f, TIMES) for f in (process.straight_drift, process.straight_diffusion_var)],
    *[(f, TIMES) for f in (process.edm_diffusion_var, process.vp_log_snr, process.vp_std, process.vp_drift)],
    *[(f, TIMES, 0.1, 20.0) for f in (process.integral_time, process.linear_beta, process.karras_std)],
    *[(f, TIMES, -TIMES) for f in (process.log_snr_diffusion_var, process.unit_power_drift)],
    (process.ve_time, LOG_SNR, 4.0, 0.02),
    (parametrisation.unit_power, X, np.array(0.8), np.array(2.0)),
    (snr.log_alpha_bar_from_log_snr, LOG_SNR),
    (snr.alpha_bar_from_log_snr, LOG_SNR),
    (snr.unit_level, LOG_SNR),
    (snr.gaussian_square_error, LOG_SNR[1:-1], np.array([1.0, 0.2])),
    (snr.gaussian_loss_limit, np.array(3.0), np.array(-2.0), np.array([1.0, 0.2])),
    (snr.gaussian_loss_limit, 3.0, -2.0, np.array([1.0, 0.2])),
]  # fmt: skip


def drawn(card):
    """A few inputs of a card: from each of its rungs the first, which is simple, and two more."""
    inputs = list(card.cases[:1])
    for rung in card.given:

        @seed(0)
        @settings(max_examples=3, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(rung)
        def draw(values):
            inputs.append(values)

        draw()
    return inputs


def arrays_in(value, xp):
    """The arrays of that library in the value."""
    found = []
    each(lambda a: found.append(a) if isinstance(getval(a), xp.ndarray) else None, value)
    return found


@contextmanager
def noting(reached, xp):
    """Note which public formulas are called with an array of that library."""

    def note(frame, event, _):
        name = PUBLIC.get(frame.f_code) if event == "call" else None
        if name and name not in reached and arrays_in(dict(frame.f_locals), xp):
            reached.add(name)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def is_float(a):
    return hasattr(a, "dtype") and a.dtype in FLOATS


def gradient(formula, args, named, place):
    """The derivative of the sum of all that the formula returns, by one argument, and the sum; None where it
    has none."""

    def total(x):
        parts = [0.0]
        result = formula(*args[:place], x, *args[place + 1 :], **named)
        each(lambda a: parts.append(anp.sum(a)) if is_float(a) else None, result)
        return sum(parts)

    try:
        pull_back, value = make_vjp(total)(args[place])
    except NotImplementedError:  # autograd has no rule for what is done with this argument, on any device
        return None
    return pull_back(vspace(value).ones()), value


def same_derivatives(formula, args, named, device):
    """Assert that the derivatives by each array are the host's, in its precision, and move nothing."""
    for dtype in FLOATS:

        def cast(a, dtype=dtype):
            return a.astype(dtype) if is_float(a) else a

        there = lambda a: device.xp.asarray(a) if isinstance(a, np.ndarray) else a  # noqa: E731
        host_args = each(cast, (args, named))
        device_args = each(there, host_args)
        for place in [i for i, a in enumerate(host_args[0]) if is_float(a) and isinstance(a, np.ndarray)]:
            found = gradient(formula, *host_args, place)
            if found is not None:
                host, value = found
                assert host.dtype == dtype, f"derivative by argument {place} of a {dtype} array"
                with counting() as count:
                    result, _ = gradient(formula, *device_args, place)
                if count.transfers:  # the same, in the other precision
                    with counting() as count:
                        result, _ = gradient(formula, *device_args, place)
                assert count.transfers == 0
                same(host, result, scale=max(1.0, abs(float(value))))


def fresh(a):
    """An array, a stream or what stands in for one, that the formula may change."""
    if isinstance(a, Stream):
        again = Stream(a.seed, *a.path)
        again.restore(a.state)
        return again
    return copy.copy(a) if isinstance(a, np.ndarray) or hasattr(a, "xp") else a


def on_both(formula, device, reached):
    """The formula, run on the host and on the device, where it must give the same and move nothing."""

    differentiated = []  # a check may call its formula a thousand times

    def on_both(*args, **kwargs):
        if not arrays_in([args, kwargs], np):  # numbers alone: the same as arrays
            given, named = each(lambda a: np.full(2, a) if isinstance(a, float) else a, (args, kwargs))
        else:
            given, named = args, kwargs
        host = formula(*each(fresh, given), **each(fresh, named))

        def there(*moved, **moved_named):
            with counting() as count, noting(reached, device.xp):
                result = formula(*moved, **moved_named)
            transfers.append(count.transfers)
            assert not arrays_in([result], np) or not arrays_in([given, named], np), "an array on the host"
            same(each(getval, host), each(getval, result))
            return result

        transfers = []
        result = on_device(there, device)(*each(fresh, given), **each(fresh, named))
        if transfers[0]:  # constants, which it may move the first time
            result = on_device(there, device)(*each(fresh, given), **each(fresh, named))
        assert transfers[-1] == 0
        tied = PUBLIC.get(formula.__code__) in TIES and (ROUNDING or device is not DOUBLE)
        if formula.__code__ in PUBLIC and len(differentiated) < 2 and not tied:
            differentiated.append(True)
            same_derivatives(formula, *each(getval, (given, named)), device)
        return result if given is args else formula(*args, **kwargs)

    return on_both


@cache
def walk(id, device):
    """Run a card's check on both, on a few inputs; the names of the public formulas that it reaches there."""
    card, reached = CARDS[id], set()
    formula = on_both(card.formula, device, reached)
    for inputs in reversed(drawn(card)):  # the highest dimension first
        card.check(formula, **inputs)
    return frozenset(reached)


@cache
def walk_example(number, device):
    formula, *args = EXAMPLES[number]
    on_both(formula, device, reached := set())(*args)
    return frozenset(reached)


# Checks go to the edges of what is allowed: schedules of two steps leave signal, and say so.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize("id", COMPUTING)
def test_card_gives_the_same_there(id, device):
    walk(id, device)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda n: EXAMPLES[n][0].__name__)
def test_example_gives_the_same_there(number, device):
    walk_example(number, device)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_every_public_formula_was_reached_there_with_an_array(device):
    reached = set()
    for walked, those in ((walk, COMPUTING), (walk_example, range(len(EXAMPLES)))):
        for one in those:
            with suppress(Exception):  # what fails there, fails in a test of its own
                reached |= walked(one, device)
    missing = set(PUBLIC.values()) - reached
    assert not missing, f"give these a card, or a place in EXAMPLES: {sorted(missing)}"
