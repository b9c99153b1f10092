"""The double refuses what CuPy refuses, takes what it takes, and counts what moves."""

import copy
from operator import attrgetter

import numpy as np
import pytest

from refgen.backend import BLOCK, Stream
from tests.device import DOUBLE, counting, double, same
from tests.device.contract_calls import KERNELS, REFUSALS
from tests.device.double import COUNT, DeviceArray, xp


def zeros(shape, dtype=np.float32):
    return DeviceArray(np.zeros(shape, dtype))


@pytest.mark.parametrize("name", REFUSALS)
def test_it_refuses(name):
    kinds = (TypeError, ValueError, AttributeError, NotImplementedError, np.linalg.LinAlgError)
    with pytest.raises(kinds):  # and never an assertion of the double's own
        REFUSALS[name](zeros, xp)


@pytest.mark.parametrize("name", KERNELS)
def test_it_takes(name):
    KERNELS[name](zeros, xp)


@pytest.mark.parametrize("names", ["longdouble", "insert", "linalg.multi_dot", "linalg.vector_norm", "fft"])
def test_there_are_no_other_names(names):
    with pytest.raises(AttributeError, match="no attribute"):
        attrgetter(names)(xp)


@pytest.mark.parametrize("name", ["normal", "choice", "permutation", "shuffle", "spawn"])
def test_its_generator_has_no_more_than_cupys(name):
    assert hasattr(np.random.Generator, name)
    with pytest.raises(AttributeError):
        getattr(xp.random.default_rng(0), name)


X = np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)
MOVES = {  # what is done with a device array: arrays to the host, arrays to the device
    "get": (lambda x: x.get(), 1, 0),
    "float": (lambda x: float(x[0, 0]), 1, 0),
    "bool": (lambda x: bool(x[0, 0] > 0), 1, 0),
    "repr": (repr, 1, 0),
    "format": (lambda x: f"{x[0, 0]:.3f}", 1, 0),
    "boolean index": (lambda x: x[x > 0], 1, 0),
    "nonzero": (lambda x: np.nonzero(x), 1, 0),
    "where of one": (lambda x: np.where(x > 0), 1, 0),
    "unique": (lambda x: np.unique(x), 1, 0),
    "asarray": (lambda x: xp.asarray(X), 0, 1),
    "asarray like": (lambda x: np.asarray(X, like=x), 0, 1),
    "host index": (lambda x: x[np.array([0, 2])], 0, 1),
    "list index": (lambda x: x[[0, 2]], 0, 1),
    "set by host index": (lambda x: x.copy().__setitem__(np.array([0, 2]), 1.0), 0, 1),
    "set by a mask": (lambda x: x.copy().__setitem__(x > 0, 1.0), 1, 0),
    "add.at by a mask": (lambda x: xp.add.at(x.copy(), x > 0, 1.0), 1, 0),
    "asarray of its own": (lambda x: xp.asarray(x), 0, 0),
    "device index": (lambda x: x[xp.arange(2)], 0, 0),
    "zeros": (lambda x: xp.zeros((3, 4)), 0, 0),
    "arithmetic": (lambda x: np.sum(np.exp(x) @ x.T / 3 + np.float32(2)), 0, 0),
    "slices": (lambda x: x[1:, ::2][..., None], 0, 0),
    "copy": (lambda x: copy.deepcopy([x, x.copy()]), 0, 0),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_is_counted(name):
    act, to_host, to_device = MOVES[name]
    x, before = DeviceArray(X), dict(COUNT)
    act(x)
    assert (COUNT["to_host"] - before["to_host"], COUNT["to_device"] - before["to_device"]) == (
        to_host,
        to_device,
    )


LAUNCHES = {  # how many kernels CuPy starts
    "arithmetic": (lambda x: np.exp(x) + 1, 2),
    "views": (lambda x: np.reshape(x.T[1:], (3, 3))[0, 1:], 0),
    "what is known on the host": (lambda x: (np.shape(x), np.ndim(x), np.result_type(x)), 0),
    "in place": (lambda x: x.__iadd__(1), 1),
    "a part in place": (lambda x: exec("x[:, 1:] *= 2", {"x": x}), 1),
    "set": (lambda x: x.__setitem__((slice(None), 0), 0), 1),
    "take": (lambda x: x[xp.asarray([0])], 1),
    "product": (lambda x: x @ x.T, 1),
    "product of a part": (lambda x: x[:, 1:] @ x[:, 1:].T, 3),
    "product into a part": (lambda x: np.matmul(x, x.T, out=xp.empty((3, 4), x.dtype)[:, 1:]), 2),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_kernels_are_counted(name):
    act, kernels = LAUNCHES[name]
    x, before = DeviceArray(X.copy()), COUNT["calls"]
    act(x)
    assert COUNT["calls"] - before == kernels


def test_blocks_of_a_stream_are_counted_apart():
    stream = Stream(0, device=DOUBLE)
    with counting() as count:
        stream.normal(5)
        stream.normal(5)
        assert float(stream.uniform()) < 1
    assert (count.transfers, count.blocks) == (1, 2)
    with counting() as count:
        stream.normal(BLOCK)
    assert (count.transfers, count.blocks) == (0, 1)


RESULTS = {
    "matmul out": lambda xp, x: np.matmul(x, x.T, out=xp.empty((3, 3), dtype=x.dtype)),
    "in place": lambda xp, x: x.copy().__iadd__(x * 2),
    "reduction": lambda xp, x: x.sum(),
    "element": lambda xp, x: x[1, 2],
    "argsort": lambda xp, x: np.argsort(x, axis=1),
    "searchsorted": lambda xp, x: np.searchsorted(x[0], x[1], side="right"),
    "cumsum": lambda xp, x: np.cumsum(x, axis=0),
    "bincount": lambda xp, x: np.bincount(xp.asarray([1, 1, 3]), minlength=5),
    "unique": lambda xp, x: np.unique(xp.asarray([3, 1, 3])),
    "sort in place": lambda xp, x: (y := x[::-1].copy()).sort(axis=0) or y,
    "mean out": lambda xp, x: np.mean(x, axis=0, out=xp.empty(4, dtype=x.dtype)),
    "split": lambda xp, x: np.split(x, 2, axis=1),
    "slogdet": lambda xp, x: tuple(np.linalg.slogdet(x[:, :3] + xp.eye(3, dtype=x.dtype))),
    "fill": lambda xp, x: np.full_like(x, 2.5),
    "comparison": lambda xp, x: (x > 0) & ~(x >= 1),
    "float64 scalar": lambda xp, x: x * np.float64(2),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_numpys_to_the_bit(name):
    same(RESULTS[name](np, X), RESULTS[name](xp, DeviceArray(X.copy())))


def test_out_is_given_back_as_itself():
    x = DeviceArray(X.copy())
    for out in (xp.empty((3, 4), dtype=np.float32), x):
        assert np.exp(x, out=out) is out
        assert np.clip(x, 0, 1, out=out) is out


def test_an_in_place_operator_keeps_the_array_and_its_dtype():
    x = y = DeviceArray(X.copy())
    x += 1.5
    assert x is y and x.dtype == np.float32
    with pytest.raises(TypeError):
        DeviceArray(np.arange(3)).__iadd__(0.5)


def test_an_element_is_a_view_of_its_array():
    x, at = DeviceArray(X.copy()), xp.asarray([1])
    first, copied = x[0, 0], x[at[0], 0]
    first += 5
    copied += 7
    assert float(x[0, 0]) == X[0, 0] + 5 and float(x[1, 0]) == X[1, 0]


def test_a_singular_matrix_raises_nothing():
    assert np.isnan(np.linalg.inv(zeros((2, 2)))).all()
    same(np.full((2, 1), np.nan, np.float32), np.linalg.solve(zeros((2, 2)), zeros((2, 1))))


def test_no_warning_comes_from_the_device(recwarn):
    np.log(zeros(3)) / zeros(3)
    assert not recwarn.list


def test_it_knows_the_functions_and_methods_of_cupy():
    assert len(double.API["functions"]) > 350 and len(double.API["methods"]) > 40
