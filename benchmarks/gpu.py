"""The GPU beside the CPU of the same machine: where does it begin to pay?

    python benchmarks/gpu.py [--quick] [--threads N] [--out FILE]
    python benchmarks/gpu.py --dry      the tests' stand-in for CuPy in the GPU's place: counts, no times

A training step by batch and width, sampling by points and width, and the exact denoiser by data and queries:
refgen on CuPy, refgen on the CPU with N threads, and PyTorch on the same GPU where it is installed. All in
one process, in turns, after a check that GPU and CPU agree; the GPU is waited for at the end of every call.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ddpm_job as job
import numpy as np
from timing import Timed, agree, interleaved, markdown, say

from refgen import training
from refgen.backend import CPU, Device, Stream, device, to_host
from refgen.distributions.empirical import Empirical
from refgen.models import named

try:
    import torch
    from torch_ddpm import TorchDDPM

    ON_CUDA = torch.cuda.is_available()
except ImportError:
    ON_CUDA = False

Call = Callable[[], Any]


def waited(call: Call, where: Device) -> Call:
    """The call, and then waiting until the device has done it."""
    cuda = getattr(where.xp, "cuda", None)
    if cuda is None:
        return call

    def until_done() -> Any:
        result = call()
        cuda.get_current_stream().synchronize()
        return result

    return until_done


def stepping(where: Device, batch: int, hidden: int, steps: int) -> Call:
    """A call of so many training steps."""
    model, rng = named("ddpm", hidden=hidden), Stream(0, device=where)
    data = np.random.default_rng(0).standard_normal((20_000, job.DIM), dtype=np.float32)
    fitting = training.fit(model, data, training.start(model, rng), 10**9, batch, cool=0)
    return waited(lambda: [next(fitting) for _ in range(steps)][-1].loss, where)


def sampling(where: Device, n: int, hidden: int, steps: int) -> Call:
    model = named("ddpm", hidden=hidden)
    params = where.xp.asarray(0.5 * job.random_weights(hidden))
    return waited(lambda: model.sample(params, n, Stream(1, device=where), steps=steps), where)


def denoising(where: Device, data: int, queries: int, calls: int) -> Call:
    rng = np.random.default_rng(0)
    law = Empirical(rng.standard_normal((data, job.DIM), dtype=np.float32))
    x = where.xp.asarray(rng.standard_normal((queries, job.DIM), dtype=np.float32))
    return waited(lambda: [law.posterior_mean(x, 0.9, 0.4) for _ in range(calls)][-1], where)


def torch_stepping(batch: int, hidden: int, steps: int) -> Call:
    peer = TorchDDPM(job.random_weights(hidden), hidden, tuned=True, device="cuda")
    rows = torch.randn(20_000, job.DIM, device="cuda")
    return lambda: peer.steps(rows, batch, steps)  # which ends in a number on the host


# What is done, what a and b are, (a, b) in order of cost, the units of work in a call, and the call itself.
JOBS: list[tuple[str, str, list[tuple[int, int]], Callable[[int, int], int], Callable[..., Call]]] = [
    (
        "training step",
        "batch x width",
        [(batch, hidden) for hidden in (128, 256, 512, 1024) for batch in (512, 4096, 32_768)],
        lambda batch, hidden: max(2, min(100, 2**32 // (batch * hidden * hidden))),
        stepping,
    ),
    (
        "a step of sampling",
        "points x width",
        [(n, hidden) for hidden in (128, 512) for n in (2000, 20_000, 200_000)],
        lambda n, hidden: max(2, min(50, 2**33 // (n * hidden * hidden))),
        sampling,
    ),
    (
        "exact denoiser",
        "data x queries",
        [(data, queries) for data in (10_000, 100_000) for queries in (200, 2000, 20_000)],
        lambda data, queries: 1,
        denoising,
    ),
]


def table(
    gpu: Device, name: str, what: str, sizes: list, units: Callable, make: Callable, rounds: int
) -> str:
    """One job's table, and below it the sizes from which on the GPU is the faster, and what went wrong."""
    rows, pays, wrong = [], [], []
    for a, b in sizes:
        say(f"{name}, {a} x {b}")
        try:
            row, paid = measured(gpu, f"{name}, {a} x {b}", a, b, units(a, b), make, rounds)
        except (SystemExit, MemoryError) as error:  # the two disagree, or no memory: other sizes may do
            wrong.append(f"{a:,} x {b:,}: {' '.join(str(error).split())}.")
            continue
        rows.append([f"{a:,} x {b:,}", *row])
        pays += [f"{a:,} x {b:,}"] * paid
    heading = [f"{name}, {what}", "GPU ms", "CPU ms (times the GPU's)", "PyTorch on the GPU", "kernels"]
    verdict = f"The GPU is the faster at {', '.join(pays)}." if pays else "The GPU is nowhere the faster."
    return "\n\n".join([markdown(heading, rows), verdict, *wrong])


def measured(
    gpu: Device, name: str, a: int, b: int, count: int, make: Callable, rounds: int
) -> tuple[list, bool]:
    """The cells of a row, and whether the GPU is the faster."""
    work = {"gpu": make(gpu, a, b, count), "cpu": make(CPU, a, b, count)}
    agree(*(to_host(work[side]()) for side in ("cpu", "gpu")), name, 0.01)
    if ON_CUDA and make is stepping:
        work["PyTorch"] = torch_stepping(a, b, count)
    found: dict[str, Timed] = interleaved(work, rounds, units=count)
    peer = str(found["PyTorch"]) if "PyTorch" in found else "-"
    kernels = f"{launched(work['gpu']) / count:.0f}" if counted() else "-"
    return [f"{found['gpu'].ms:.3g}", found["cpu"], peer, kernels], found["cpu"].ratio > 1


def counted() -> bool:
    """Whether kernels can be counted: by PyTorch's profiler, which sees those of every library."""
    return ON_CUDA


def launched(call: Call) -> int:
    """How many kernels a call starts."""
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profile:
        call()
        torch.cuda.synchronize()
    on_gpu = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return len([event for event in on_gpu if not event.name.lower().startswith(("memcpy", "memset"))])


def dry() -> str:
    """The kernels that CuPy starts for each unit of work, nearly, as the tests' stand-in counts them."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.device import DOUBLE, counting
    from tests.device.double import COUNT

    rows: list[list[Any]] = []
    for name, what, sizes, _, make in JOBS:
        a, b = (min(size[k] for size in sizes) for k in (0, 1))
        calls = []
        for units in (2, 12):
            call = make(DOUBLE, a, b, units)
            call()
            before = COUNT["calls"]
            with counting() as count:
                call()
            calls.append((COUNT["calls"] - before, count.transfers, count.blocks))
        per = [(many - few) / 10 for few, many in zip(*calls, strict=True)]
        rows.append([f"{name}, {what} {a:,} x {b:,}", *(f"{value:.1f}" for value in per)])
    return markdown(["a unit of work", "kernels", "transfers", "blocks of random numbers"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the first and the last size of each job")
    parser.add_argument("--threads", type=int, default=min(8, len(os.sched_getaffinity(0))), metavar="N")
    parser.add_argument("--out", metavar="FILE", help="write the Markdown there, too")
    parser.add_argument("--dry", action="store_true", help="without a GPU: count, do not time")
    given = parser.parse_args()
    if given.dry:
        text = dry()
    else:
        try:
            gpu = device("gpu")
        except ValueError as error:
            sys.exit(f"benchmarks/gpu.py: {error}")
        os.environ["REFGEN_THREADS"] = str(given.threads)
        with suppress(NameError):
            torch.set_num_threads(given.threads)
        parts = [f"The CPU with {given.threads} threads."]
        for name, what, sizes, units, make in JOBS:
            print(f"{parts[-1]}\n", flush=True)  # a table is kept, whatever becomes of the next
            chosen = [sizes[0], sizes[-1]] if given.quick else sizes
            parts.append(table(gpu, name, what, chosen, units, make, rounds=2 if given.quick else 5))
        text = "\n\n".join(parts)
    print(text if given.dry else parts[-1])
    if given.out:
        Path(given.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
