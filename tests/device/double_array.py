"""The array of the double: it lives elsewhere, and dispatches, refuses and counts as cupy.ndarray does."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.device.rounding import rounded
from tests.device.snapshot import FILE

__all__ = [
    "API",
    "COUNT",
    "FREE",
    "FUNCTIONS",
    "SCALARS",
    "DeviceArray",
    "check",
    "index",
    "refuse_host",
    "signature",
    "unwrap",
    "wrap",
]

API = json.loads(FILE.read_text())
COUNT = {"to_host": 0, "to_device": 0, "calls": 0}  # calls: of kernels, nearly
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # CuPy's, by names as "exp" and "linalg.inv": `double` fills it
# No longdouble, and no subclass of Python's numbers.
SCALARS = {bool, int, float, complex, *(np.dtype(char).type for char in "?bhilqBHILQefdFD")}
COMPARISONS = {"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"}
HOSTED = {"newshape", "shape", "axes", "axis", "reps", "indices_or_sections"}  # from the host in CuPy, too
HOSTED |= {"pad_width", "source", "destination", "shift"}
# They start no kernel: views, and memory as it is found.
FREE = {"reshape", "ravel", "transpose", "swapaxes", "moveaxis", "squeeze", "expand_dims", "broadcast_to"}
FREE |= {"diagonal", "flip", "split", "empty", "empty_like", "view", "broadcast_arrays"}
WAITING = dict(nonzero=1, flatnonzero=1, argwhere=1, unique=1, bincount=2, compress=1, extract=1)


def signature(parameters: str) -> inspect.Signature:
    """The signature of 'a, axis=, *, out='."""
    return inspect.signature(eval(f"lambda {parameters.replace('=', '=None')}: None"))


def wrap(x: Any) -> Any:
    if isinstance(x, np.ndarray | np.generic | bool):
        return DeviceArray(np.asarray(x))  # a reduction stays an array, of no axes
    if isinstance(x, tuple | list):
        return (
            [wrap(v) for v in x] if isinstance(x, list) else tuple(wrap(v) for v in x)
        )  # and no named tuple
    return x


def unwrap(x: Any) -> Any:
    if isinstance(x, DeviceArray):
        return x._host
    if isinstance(x, list | tuple):
        return type(x)(unwrap(v) for v in x)
    return x


def refuse_host(value: Any, where: str) -> None:
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)} (an array of the host in {where})")
    if isinstance(value, list | tuple):
        for part in value:
            refuse_host(part, where)


def check(name: str, arguments: dict[str, Any]) -> None:
    """What CuPy refuses of any function or method that its signature does not tell; counts what waits."""
    for parameter, value in arguments.items():
        if parameter not in HOSTED:  # which are shapes, axes and counts, and come from the host
            refuse_host(value, name)
    if name in ("reshape", "ravel") and "order" in arguments:
        len(arguments["order"])  # order=None is a TypeError
    if name == "searchsorted" and not isinstance(arguments["v"], DeviceArray):
        if not isinstance(arguments["v"], int | float):
            raise NotImplementedError("Only python scalars or ndarrays are supported for v")
        COUNT["to_device"] += 1
    COUNT["to_host"] += WAITING.get(name, 0)  # reads from the device how large the answer is


def index(given: Any) -> Any:
    """The index on the host. Lists and arrays of the host are moved to the device, and counted; a mask makes
    the host wait, to read or to write, since it must know how many elements there are."""
    for part in given if isinstance(given, tuple) else (given,):
        COUNT["to_device"] += isinstance(part, np.ndarray | list)
        COUNT["to_host"] += isinstance(part, DeviceArray) and part.dtype == bool
    return unwrap(given)


def _same(x: Any, y: np.ndarray) -> bool:
    """Whether both are the same view."""
    return isinstance(x, np.ndarray) and x.__array_interface__ == y.__array_interface__


def _holds_array(at: Any) -> bool:
    return any(isinstance(part, np.ndarray) for part in (at if isinstance(at, tuple) else (at,)))


class DeviceArray:
    """An array that lives elsewhere: nothing but `get`, float() and their like brings it to the host."""

    __slots__ = ("_host",)
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray):
        assert type(host) is np.ndarray and host.dtype != object, (type(host), getattr(host, "dtype", None))
        self._host = host

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        name = ufunc.__name__
        if not API["functions"].get(name, "").startswith("ufunc"):
            return NotImplemented
        if not all(isinstance(x, DeviceArray | np.ndarray) or type(x) in SCALARS for x in (*inputs, *out)):
            return NotImplemented  # slices, lists and tuples that are given to ufunc.at among them
        if name in COMPARISONS:
            inputs = tuple(x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in inputs)
        function = FUNCTIONS[name]
        if method != "__call__":
            function = getattr(function, method, None)
            if function is None:
                return NotImplemented
        return function(*inputs, **kwargs, **(dict(out=out[0]) if out else {}))

    def __array_function__(self, func, types, args, kwargs):
        name = ".".join([*func.__module__.split(".")[1:], func.__name__])
        if name not in FUNCTIONS or not all(issubclass(t, DeviceArray | np.ndarray) for t in types):
            return NotImplemented
        return FUNCTIONS[name](*args, **kwargs)

    def get(self, stream=None, order="C", out=None, blocking=True):
        COUNT["to_host"] += 1
        return self._host.copy()

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def view(self, dtype=None):
        if dtype is not None and isinstance(dtype, type) and issubclass(dtype, np.ndarray):
            raise AssertionError("CuPy makes an array of objects here, in silence")
        return DeviceArray(self._host.view() if dtype is None else self._host.view(dtype))

    def __getitem__(self, at):
        at = index(at)
        result = self._host[at]
        COUNT["calls"] += _holds_array(at)
        if isinstance(result, np.generic) and not _holds_array(at):  # x[0] is a view there, and not a copy
            result = self._host[(*(at if isinstance(at, tuple) else (at,)), ...)]
        return wrap(result)

    def __setitem__(self, at, value):
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        at = index(at)
        own = (
            isinstance(value, DeviceArray)
            and value._host.base is not None
            and _same(self._host[at], value._host)
        )
        COUNT["calls"] += not own  # what x[1:] += 1 ends with
        self._host[at] = unwrap(value)


def _property(name: str) -> property:
    return property(lambda self: wrap(getattr(self._host, name)))


def _to_host(name: str) -> Any:
    return lambda self, *args: getattr(self.get(), name)(*args)


def _method(name: str) -> Any:
    parameters = signature(API["methods"][name])

    def method(self, *args, **kwargs):
        COUNT["calls"] += name not in FREE
        arguments = parameters.bind(*args, **kwargs).arguments
        check(name, arguments)
        with np.errstate(all="ignore"):
            result = getattr(self._host, name)(*unwrap(args), **{k: unwrap(v) for k, v in kwargs.items()})
        result = rounded(name, result)
        return arguments["out"] if arguments.get("out") is not None else wrap(result)

    return method


def _operator(name: str, reflected: bool) -> Any:
    ufunc = getattr(np, name)

    def operator(self, other):
        theirs = getattr(other, "__array_ufunc__", NotImplemented)
        if theirs is None:  # an array type that wants to answer itself
            return NotImplemented
        return ufunc(other, self) if reflected else ufunc(self, other)

    return operator


TO_HOST = {"item", "tolist", "tobytes", "__float__", "__int__", "__complex__", "__bool__"}
TO_HOST |= {"__repr__", "__str__", "__format__"}
for _name in TO_HOST:
    setattr(DeviceArray, _name, _to_host(_name))
for _name in set(API["attributes"]) & set(dir(np.ndarray)) - {"base", "data", "flat"}:
    setattr(DeviceArray, _name, _property(_name))
for _name in set(API["methods"]) & set(dir(np.ndarray)) - TO_HOST - set(dir(DeviceArray)):
    setattr(DeviceArray, _name, _method(_name))
for _name, _ufunc in dict(
    add="add",
    sub="subtract",
    mul="multiply",
    truediv="true_divide",
    floordiv="floor_divide",
    mod="remainder",
    pow="power",
    matmul="matmul",
    **{"and": "bitwise_and", "or": "bitwise_or"},
    xor="bitwise_xor",
).items():
    setattr(DeviceArray, f"__{_name}__", _operator(_ufunc, False))
    setattr(DeviceArray, f"__r{_name}__", _operator(_ufunc, True))
    if _name != "matmul":
        setattr(
            DeviceArray, f"__i{_name}__", lambda self, other, u=_ufunc: FUNCTIONS[u](self, other, out=self)
        )
for _name, _ufunc in dict(
    lt="less", le="less_equal", gt="greater", ge="greater_equal", eq="equal", ne="not_equal"
).items():
    setattr(DeviceArray, f"__{_name}__", _operator(_ufunc, False))
for _name, _ufunc in dict(neg="negative", pos="positive", abs="absolute", invert="invert").items():
    setattr(DeviceArray, f"__{_name}__", lambda self, u=_ufunc: FUNCTIONS[u](self))
