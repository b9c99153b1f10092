"""Ancestral sampling: 2,000 points, 1,000 steps, the network of 128."""

from __future__ import annotations

import ddpm_job as job
import numpy as np
import torch
from floor import bare_products
from jax_ddpm import JaxDDPM
from timing import agree, grid, interleaved, say
from torch_ddpm import TorchDDPM

from refgen.backend import Stream
from refgen.models import named

N, HIDDEN, BLOCK = 2000, 128, 1000  # the floor goes through the network in blocks of so many points, in cache


class OneDraw(Stream):
    """A stream whose first normals are x_T and all others zero, so that two samplers can be compared."""

    first = True

    def normal(self, *shape, dtype=np.float64):
        drawn = super().normal(*shape, dtype=dtype)
        if self.first:
            self.first, self.x_T = False, drawn.copy()
            return drawn
        return np.zeros_like(drawn)


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table, and the ratios that goals are stated for."""
    params = 0.5 * job.random_weights(HIDDEN)
    model = named("ddpm", hidden=HIDDEN)
    peers = {
        "PyTorch no_grad": TorchDDPM(params, HIDDEN),
        "PyTorch no_grad, tuned": TorchDDPM(params, HIDDEN, tuned=True),
        "JAX scan": JaxDDPM(params, HIDDEN),
        "JAX scan, tuned": JaxDDPM(params, HIDDEN, tuned=True),
    }
    stream = OneDraw(0)
    ours = model.sample(params, 64, stream)
    for name, peer in peers.items():
        start = torch.from_numpy(stream.x_T) if isinstance(peer, TorchDDPM) else stream.x_T
        agree(ours, np.asarray(peer.sample(64, start)), f"the sampler without noise, {name}", 5e-3)
    say(f"sampling {N:,} points")
    work = {"refgen": lambda: model.sample(params, N, Stream(1))}
    work |= {name: lambda peer=peer: peer.sample(N) for name, peer in peers.items()}
    widths = [job.DIM, *[HIDDEN] * job.LAYERS, job.DIM]
    blocks = job.T * N // (BLOCK * threads)
    work["the bare matrix products"] = bare_products(BLOCK * threads, widths, threads, False, blocks)
    found = interleaved(work, rounds=3 if quick else 9)
    table = grid(f"{job.T:,} steps, ms (times refgen's)", {f"{N:,} points": found})
    return table, {f"sampling {name}": timed.ratio for name, timed in found.items()}
