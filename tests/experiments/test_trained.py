"""Networks that experiments share: trained once, and again for another seed."""

import numpy as np

from refgen.backend import Stream
from refgen.distributions import named
from refgen.experiments.trained import trained
from refgen.models.ncsn import NCSN

MODEL = NCSN(T=3, hidden=8, layers=1, features=4)
LAW = named("gaussian")


def test_the_same_is_trained_once_whatever_the_stream_s_path():
    said = []
    one = trained(MODEL, LAW, Stream(1, "a"), 20, lambda *now: said.append(now), batch=16)
    assert said[-1] == ("training ncsn", 20, 20)
    count = len(said)
    same = trained(NCSN(T=3, hidden=8, layers=1, features=4), LAW, Stream(1, "b"), 20, said.append, batch=16)
    assert same is one and len(said) == count
    other = trained(MODEL, LAW, Stream(2, "a"), 20, lambda *now: None, batch=16)
    assert not np.array_equal(one, other)
    more = trained(MODEL, LAW, Stream(1, "a"), 21, lambda *now: None, batch=16)
    assert not np.array_equal(one, more)
    assert np.all(np.isfinite(one)) and np.any(one != MODEL.init(Stream(0)))
