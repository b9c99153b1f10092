"""Labels, guided denoisers and the models that make them: on a device as on the host, moving nothing."""

import numpy as np
import pytest
from autograd import value_and_grad

from refgen.backend import CPU, Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import GaussianMixture
from refgen.distributions.labelled import Labelled, labelled
from refgen.guidance import guided, with_classifier
from refgen.models.conditional_ddpm import ConditionalDDPM
from refgen.models.noisy_classifier import NoisyClassifier
from refgen.samplers.ancestral import ancestral
from refgen.schedules import linear
from tests.device import DEVICES, IDS, counting, same

RING = labelled("ring")
FULL = Labelled(GaussianMixture([[0.0, 1.0], [2.0, 0.0]], [np.eye(2), 0.5 * np.eye(2) + 0.2], [1, 2]), [1, 0])
MODEL = ConditionalDDPM(T=9, hidden=8, layers=2, features=4)
CLASSIFIER = NoisyClassifier(T=9, hidden=8, layers=2, features=4)


def params_of(model, device):
    drawn = model.init(Stream(0, device=device))
    return drawn + 0.2 * Stream(1, device=device).normal(len(drawn), dtype=np.float32)


def exact(device, law):
    return guided(ExactDenoiser(law.conditional(0)), ExactDenoiser(law.law), 2.0)


def by_classifier(device, law):
    return with_classifier(ExactDenoiser(law.law), law.classifier(0), 2.0)


def learned(device, law):
    return MODEL.guided(params_of(MODEL, device), 0, 2.0)


def by_learned_classifier(device, law):
    of_class = CLASSIFIER.classifier(params_of(CLASSIFIER, device), 1)
    return with_classifier(MODEL.denoiser(params_of(MODEL, device)), of_class, 2.0)


@pytest.mark.parametrize("make", [exact, by_classifier, learned, by_learned_classifier])
@pytest.mark.parametrize("law", [RING, FULL], ids=["ring", "full"])
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_guided_samples_are_the_hosts(device, law, make):
    levels = linear(1000).respaced(6)

    def run(where, denoiser):
        rng = Stream(2, device=where)
        return ancestral(denoiser, levels, rng.normal(9, 2, dtype=np.float32), rng)

    there = make(device, law)
    run(device, there)  # what is moved once is moved now
    with counting() as count:
        points = run(device, there)
    assert count.transfers == 0
    assert type(points) is device.xp.ndarray and points.dtype == np.float32
    same(run(CPU, make(CPU, law)), points, rtol=1e-3)


@pytest.mark.parametrize("law", [RING, FULL], ids=["ring", "full"])
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_labels_lie_where_the_points_do(device, law):
    (x, c), (there, labels) = (law.sample(Stream(3, device=where), 12) for where in (CPU, device))
    same(x, there)
    same(c, labels)
    same(law.log_classes(x, 0.8, 0.6), law.log_classes(there, 0.8, 0.6))
    same(law.rows.sample(Stream(3), 5), law.rows.sample(Stream(3, device=device), 5))


@pytest.mark.parametrize("model", [MODEL, CLASSIFIER], ids=["conditional", "classifier"])
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_losses_and_slopes_are_the_hosts_and_move_nothing(device, model):
    def work(where):
        rows = RING.rows.sample(Stream(4, device=where), 20).astype(np.float32)
        params = params_of(model, where)
        return lambda: value_and_grad(model.loss)(params, rows, Stream(5, device=where))

    work(device)()
    ready = work(device)
    with counting() as count:
        found = ready()
    assert count.transfers == 0
    same(list(work(CPU)()), list(found))
