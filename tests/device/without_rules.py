"""Takes refgen's rules away, one at a time, and prints as JSON which check fails without each.

Run as a script from the root of the repository: autograd's own rules must be noted before refgen is imported.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import autograd.numpy as np
from autograd.core import primitive_jvps, primitive_vjps
from autograd.numpy import numpy_wrapper

BACKWARD, ALONG = dict(primitive_vjps), dict(primitive_jvps)
ARRAY, CONCATENATE = numpy_wrapper.array, numpy_wrapper.concatenate_args
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.device.op_checks import CHECKS  # noqa: E402


def first_failure() -> str | None:
    for name, check in CHECKS.items():
        try:
            check()
        except Exception:
            return name
    return None


def main() -> None:
    warnings.simplefilter("ignore")
    found = {"nothing": first_failure()}
    for kind, now, before in (("back", primitive_vjps, BACKWARD), ("forward", primitive_jvps, ALONG)):
        for primitive in [p for p, rule in now.items() if before.get(p) is not rule]:
            ours = now.pop(primitive)
            if primitive in before:
                now[primitive] = before[primitive]
            found[f"{primitive.__name__} {kind}"] = first_failure()
            now[primitive] = ours
    ours = numpy_wrapper.array
    numpy_wrapper.array = np.array = ARRAY
    found["array"] = first_failure()
    numpy_wrapper.array = np.array = ours
    numpy_wrapper.concatenate_args = CONCATENATE
    found["concatenate"] = first_failure()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
