"""Every model, walked by the registry: loss, gradient, update, samples and log-density as on the host.

A model that joins the registry is tested here by itself, with all values of its options that are words.
"""

import inspect
from dataclasses import fields
from functools import partial

import numpy as onp
import pytest
from autograd import value_and_grad

from refgen import models, training
from refgen.backend import CPU, Stream
from refgen.formulas import sliced
from refgen.models import cnf, ddpm, learned_snr, mhvae
from refgen.nets.monotone import Monotone
from tests.device import DEVICES, DOUBLE, IDS, ROUNDING, counting, same

# What a model has of these is made small.
SMALL = {
    "T": 9,
    "chain": 5,
    "stages": 4,
    "std": 0.4,
    "hidden": 8,
    "layers": 2,
    "features": 4,
    "bound_draws": 3,
    "components": 3,
    "couplings": 3,
    "bins": 3,
    "maps": 3,
    "ode_steps": 2,
    "density_steps": 2,
}
WORDS = {
    "target": ddpm.TARGETS,
    "variance": ddpm.VARIANCES,
    "law": sliced.LAWS,
    "reduced": (True, False),
    "draws": (1, 3),
    "encoder": mhvae.ENCODERS,
    "trace": cnf.TRACES,
}


# Words that each model lists for itself.
OWN = {
    "objective": "OBJECTIVES",
    "weighting": "WEIGHTINGS",
    "process": "PROCESSES",
    "sampler": "SAMPLERS",
    "pairs": "PAIRS",
    "method": "METHODS",
}


def choices(name):
    own = inspect.getmodule(models.model_class(name))
    return WORDS | {option: getattr(own, words, ()) for option, words in OWN.items()}


def variants():
    for name in models.NAMES:
        known = {field.name for field in fields(models.model_class(name))}
        small = {key: value for key, value in SMALL.items() if key in known}
        words = [{key: word} for key, choice in choices(name).items() if key in known for word in choice]
        yield from ((name, small | chosen) for chosen in [{}, *words])


VARIANTS = list(variants())
VARIANT_IDS = [
    " ".join([name, *(str(value) for key, value in options.items() if key not in SMALL)])
    for name, options in VARIANTS
]


def some_params(model, device):
    """Parameters of no layer zero, float32: drawn as the model draws them, and moved a little."""
    params = model.init(Stream(0, device=device))
    return params + 0.2 * Stream(1, device=device).normal(len(params), dtype=onp.float32)


def points(device, n=20):
    return Stream(2, device=device).normal(n, 2, dtype=onp.float32)


def rows(model, device):
    """What the model is trained on: points, with a label beside each where it has classes."""
    x, xp = points(device), device.xp
    if not hasattr(model, "classes"):
        return x
    return xp.concatenate([x, (xp.arange(len(x)) % model.classes)[:, None].astype(x.dtype)], axis=1)


def loss(model, device):
    params, x, rng = some_params(model, device), rows(model, device), Stream(3, device=device)
    return lambda: list(value_and_grad(model.loss)(params, x, rng))


def rounding_decides(model, device):
    """Whether the first step from the model's own start is as rounding has it, which is not the host's there.

    Noise-contrastive estimation starts from the energy of its noise and the right log Z. The slopes of log Z
    and of the last bias are 0 there, but for rounding, and Adam's first step is one of lr for any slope.
    """
    return getattr(model, "objective", "") == "nce" and (ROUNDING or device is not DOUBLE)


def start(model, rng, moved):
    """A state of training at the model's own start, or, if moved, at some_params."""
    state = training.start(model, rng)
    if moved:
        state.params[:] = some_params(model, rng.device)
    return state


def update(model, device, moved=False):
    state = start(model, Stream(4, device=device), moved)
    step = getattr(model, "update", None) or (lambda *given: training.gradient_step(model, *given))

    def work():
        for _ in range(3):
            step(state, rows(model, device), state.rng)
        return [state.params, state.adam.m, state.adam.v]

    return work


def sample(model, device):
    params, x_0 = some_params(model, device), points(device, 50)
    return lambda: model.sample(params, 15, Stream(5, device=device), x_0=x_0)


def log_prob(model, device):
    params, x_0 = some_params(model, device), points(device, 50)
    return lambda: model.log_prob(params, x_0[:7], Stream(6, device=device), x_0=x_0)


def read(model, work):
    """How many arrays a model may move to the host or back."""
    if getattr(model, "pairs", "") == "transport" and work in (loss, update):
        return 9  # for each loss, of which an update here has three: points and noise, and the rows back
    if getattr(model, "variance", "") == "optimal" and work is not update:
        return model.T + 1  # an estimated variance, at each level: it is a number of the host
    if hasattr(model, "log_snr") and work in (sample, log_prob):
        return 1  # the learned schedule, which samplers have on the host
    # at each stage of smc, whether there is anything to choose the points by
    return model.stages if hasattr(model, "stages") and work is sample else 0


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize("work", [loss, update, sample, log_prob])
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=VARIANT_IDS)
def test_a_model_does_on_a_device_what_it_does_on_the_host(device, work, name, options):
    if work is not update and not hasattr(models.model_class(name), work.__name__):
        pytest.skip(f"{name} has no {work.__name__}")
    model = models.named(name, **options)
    run = partial(update, moved=rounding_decides(model, device)) if work is update else work
    on_host = run(model, CPU)()
    on_device = run(model, device)
    run(model, device)()  # what is moved once is moved now
    with counting() as count:
        found = on_device()
    assert count.transfers <= read(model, work)
    same(on_host, found)
    assert all(onp.all(onp.isfinite(part)) for part in (on_host if isinstance(on_host, list) else [on_host]))


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_the_loss_of_a_learned_schedule_is_the_hosts(device):
    net, variances = Monotone(hidden=4), [1.7, 0.3]

    def work(where):
        params = net.init(Stream(0, device=where)).astype(onp.float64)
        data_var = where.xp.asarray(variances)

        def of(p):
            return learned_snr.gaussian_loss(learned_snr.log_snr(net, p, 6, (9.0, -10.0)), data_var)

        with counting() as count:
            found = value_and_grad(of)(params)
        assert count.transfers == 0
        return found

    same(work(CPU), work(device))


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_a_schedule_is_learned_with_a_stream_of_any_device(device):
    (host, *losses), (there, *others) = (
        learned_snr.learn(5, [1.7, 0.3], Stream(0, device=where)) for where in (CPU, device)
    )
    assert losses == others
    same(host.log_snr, there.log_snr)
