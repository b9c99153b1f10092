"""What this machine is and has: versions, BLAS and its threads, the GPU or why there is none."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import refgen
from refgen.backend import Device, device
from refgen.threads import threads

__all__ = ["blas", "device_name", "gpu", "report", "report_lines", "versions"]

# What users set that changes speed or the last digits.
SETTINGS = ("OPENBLAS_", "OMP_", "MKL_", "BLIS_", "VECLIB_", "NPY_", "CUDA_", "CUPY_", "REFGEN_")


def versions() -> dict[str, str]:
    """Versions of refgen and of what its numbers come from."""
    return {
        "refgen": refgen.__version__,
        "numpy": np.__version__,
        "autograd": version("autograd"),
        "python": platform.python_version(),
    }


def blas() -> dict[str, str]:
    """What multiplies NumPy's matrices, its kernels and threads, and the threads of refgen's networks."""
    config: Any = np.show_config(mode="dicts")
    built = config.get("Build Dependencies", {}).get("blas", {})
    name = f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    mine = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "numpy" in pool["filepath"]]
    pool: dict[str, Any] = mine[0] if mine else {}
    return {
        "name": name,
        "kernels": str(pool.get("architecture", "unknown")),
        "threads": str(pool.get("num_threads", "unknown")),
        "refgen's threads": os.environ.get("REFGEN_THREADS", "1"),
    }


def gpu() -> dict[str, str]:
    """CuPy and the GPU that it finds, or why there is none."""
    try:
        import cupy

        found = {"cupy": cupy.__version__}
    except Exception as error:  # an installation that is broken fails in its own way
        found = {"cupy": f"not there ({error})"}
    try:
        xp = device("gpu").xp
    except ValueError as error:
        return {**found, "device": "none", "why": str(error)}
    runtime = xp.cuda.runtime
    count = runtime.getDeviceCount()
    described = [runtime.getDeviceProperties(k) for k in range(count)]
    names = [f"{each['name'].decode()}, {each['totalGlobalMem'] / 2**30:.0f} GiB" for each in described]
    cuda = {"driver": runtime.driverGetVersion(), "runtime": runtime.runtimeGetVersion()}
    return {
        **found,
        "device": "; ".join(names),
        **{f"CUDA {name}": f"{value // 1000}.{value % 1000 // 10}" for name, value in cuda.items()},
    }


def device_name(device: Device) -> str:
    """cpu, or gpu and which."""
    if device.name == "cpu":
        return "cpu"
    properties = getattr(device.xp, "cuda", None) and device.xp.cuda.runtime.getDeviceProperties(0)
    return f"gpu {properties['name'].decode()}" if properties else "gpu"


def report() -> dict[str, Any]:
    """Everything a bug report should say, by heading, and notes, a list; plain JSON."""
    found: dict[str, Any] = {
        "system": {
            "platform": platform.platform(),
            "python": f"{platform.python_version()} ({platform.python_implementation()})",
            "processor": _processor(),
            "cores": f"{len(_cores())} of {os.cpu_count()}",
            "memory": _memory(),
        },
        "packages": {"refgen": refgen.__version__, **_packages()},
        "blas": blas(),
        "gpu": gpu(),
        "settings": {key: value for key, value in sorted(os.environ.items()) if key.startswith(SETTINGS)},
    }
    return {**found, "notes": _notes(found)}


def report_lines(report: dict[str, Any]) -> list[str]:
    """The report as aligned text, and below it what should be looked at."""
    lines = []
    for heading, entries in report.items():
        if heading == "notes":
            continue
        lines.append(heading)
        lines += [
            f"  {name:<{28 if heading == 'settings' else 18}}{value}" for name, value in entries.items()
        ]
        lines += ["  none"] if not entries else []
    return lines + [f"note: {note}" for note in report["notes"]]


def _notes(report: dict[str, Any]) -> list[str]:
    notes = []
    try:
        threads()
    except ValueError as error:
        notes.append(str(error))
    if report["blas"]["threads"] not in ("1", "unknown"):
        notes.append(
            f"BLAS has {report['blas']['threads']} threads; beside other work that can be many times slower "
            "than one: OPENBLAS_NUM_THREADS=1"
        )
    cores = int(report["system"]["cores"].split()[0])
    if cores > 1 and report["blas"]["refgen's threads"] == "1":
        notes.append(
            f"{cores} cores: REFGEN_THREADS={min(cores, 4)} makes sampling faster where they are free"
        )
    return notes


def _cores() -> set[int]:
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # macOS and Windows have no affinity
        return set(range(os.cpu_count() or 1))


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):
        return "unknown"


def _packages() -> dict[str, str]:
    """The packages that refgen stands on, and their versions here."""
    try:
        lines = requires("refgen") or []
    except PackageNotFoundError:  # run from a clone that was not installed
        lines = ["numpy", "scipy", "autograd", "matplotlib", "click", "hypothesis", "threadpoolctl"]
    found = {}
    for name in (re.split(r"[^\w.-]", line)[0] for line in lines if "extra ==" not in line):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not there"
    return found
