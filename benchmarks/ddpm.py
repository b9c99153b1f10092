"""DDPM, one training step and sampling: refgen, PyTorch eager and the bare matrix products, in one run.

    python benchmarks/ddpm.py [--threads N] [--quick]

All three use N threads (default: every core): refgen its own, with one BLAS thread each; PyTorch and the bare
products theirs. float32 throughout; the job is that of Ho et al. 2020 in two dimensions: T = 1000, sinusoidal
embedding of 64, three hidden layers with SiLU, Adam. Times are medians in milliseconds of calls made in
turns.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys

PARSER = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
PARSER.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
PARSER.add_argument("--quick", action="store_true", help="the usual sizes only, fewer rounds")


def bare_products(rows: int, sizes: list[int], threads: int, gradients: bool = True, times: int = 1):
    """The matrix products of a network and of its gradients, rows shared between threads as refgen does."""
    import numpy as np

    from refgen.nets.workspace import run_parts

    rng = np.random.default_rng(0)

    def drawn(a: int, b: int) -> np.ndarray:
        return rng.standard_normal((a, b), dtype=np.float32)

    weights = [drawn(a, b) for a, b in itertools.pairwise(sizes)]

    def part() -> tuple:
        layers = [drawn(rows // threads, size) for size in sizes]
        return (
            layers,
            [np.empty_like(layer) for layer in layers],
            [np.empty_like(weight) for weight in weights],
        )

    def products(layers: list, out: list, grads: list) -> None:
        for _ in range(times):
            for k, weight in enumerate(weights):
                np.matmul(layers[k], weight, out=out[k + 1])
            for k in reversed(range(len(weights) if gradients else 0)):
                np.matmul(layers[k].T, layers[k + 1], out=grads[k])
                if k:
                    np.matmul(layers[k + 1], weights[k].T, out=out[k])

    parts = [part() for _ in range(threads)]
    return lambda: run_parts(products, parts)


def training(batch: int, hidden: int, threads: int, rounds: int) -> str:
    import torch
    from timing import interleaved, table
    from torch_ddpm import TorchDDPM, same_answers

    from refgen import training as refgen_training
    from refgen.backend import Stream
    from refgen.models import named

    model = named("ddpm", hidden=hidden)
    points = Stream(0).normal(20_000, 2, dtype="float32")
    state = refgen_training.start(model, Stream(0))
    other = TorchDDPM(model, state.params, lr=2e-3)
    rows = torch.from_numpy(points)
    steps = refgen_training.fit(model, points, state, 10**9, batch)
    for _ in range(30):
        next(steps)
    same_answers(model, state.params, TorchDDPM(model, state.params, lr=2e-3), require)
    found = interleaved(
        {
            "refgen": lambda: next(steps),
            "PyTorch eager": lambda: other.step(rows, batch),
            "the bare matrix products": bare_products(batch, [66, hidden, hidden, hidden, 2], threads),
        },
        rounds,
        warm=20,
    )
    return table(f"training step, batch {batch}, hidden {hidden}, {threads} threads", found, "refgen")


def sampling(n: int, threads: int, rounds: int) -> str:
    from timing import interleaved, table
    from torch_ddpm import TorchDDPM

    from refgen.backend import Stream
    from refgen.models import named

    model = named("ddpm")
    params = model.init(Stream(0))
    other = TorchDDPM(model, params, lr=1e-3)
    blocks = model.T * n // (1000 * threads)
    products = bare_products(1000 * threads, [2, 128, 128, 128, 2], threads, gradients=False, times=blocks)
    found = interleaved(
        {
            "refgen": lambda: model.sample(params, n, Stream(1)),
            "PyTorch no_grad": lambda: other.sample(n),
            "the bare matrix products": products,
        },
        rounds,
        warm=1,
    )
    return table(f"sampling {n} points, 1000 steps, hidden 128, {threads} threads", found, "refgen")


def require(equal: bool) -> None:
    if not equal:
        sys.exit("the two networks do not agree; nothing was timed")


def main() -> None:
    arguments = PARSER.parse_args()
    threads = max(1, arguments.threads)
    os.environ["REFGEN_THREADS"] = str(threads)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(threads)
    rounds = 60 if arguments.quick else 200
    sizes = [(512, 128)] if arguments.quick else [(128, 128), (512, 128), (4096, 128), (4096, 256)]
    for batch, hidden in sizes:
        print(training(batch, hidden, threads, rounds if batch < 4096 else rounds // 5), "\n", flush=True)
    print(sampling(2000, threads, 3 if arguments.quick else 7))


if __name__ == "__main__":
    main()
