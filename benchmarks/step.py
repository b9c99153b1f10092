"""One training step: draw a batch, times and noise, forward, backward, Adam. Data are in memory."""

from __future__ import annotations

import ddpm_job as job
import jax.numpy as jnp
import numpy as np
import torch
from autograd import value_and_grad
from floor import bare_products
from jax_ddpm import JaxDDPM, predict
from machine import compiler
from timing import Timed, agree, grid, interleaved, say
from torch_ddpm import TorchDDPM

from refgen import training
from refgen.backend import Stream
from refgen.models import named

SIZES = [(128, 128), (512, 128), (512, 256), (4096, 128), (4096, 256)]  # batch, hidden


def steps_a_call(batch: int) -> int:
    """refgen draws batches for a hundred steps at once, and each call has its share; beside a large batch's
    step the drawing is nothing, and shorter turns are the fairer."""
    return 100 if batch < 4096 else 20


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table, and the ratios that goals are stated for."""
    columns = {}
    for batch, hidden in SIZES[1:2] if quick else SIZES:
        say(f"training step, batch {batch}, hidden {hidden}")
        columns[f"{batch} x {hidden}"] = one_size(batch, hidden, threads, quick)
    ratios = {
        f"step {size} {name}": timed.ratio for size, found in columns.items() for name, timed in found.items()
    }
    return grid("ms a step (times refgen's), batch x hidden", columns), ratios


def one_size(batch: int, hidden: int, threads: int, quick: bool) -> dict[str, Timed]:
    params, count = job.random_weights(hidden), steps_a_call(batch)
    points = np.random.default_rng(0).standard_normal((20_000, job.DIM), dtype=np.float32)
    model = named("ddpm", hidden=hidden)
    peers = {
        "PyTorch eager": TorchDDPM(params, hidden),
        "PyTorch eager, tuned": TorchDDPM(params, hidden, tuned=True),
        "torch.compile, tuned": TorchDDPM(params, hidden, tuned=True, compiled=True),
        "JAX jit": JaxDDPM(params, hidden),
        "JAX jit, tuned": JaxDDPM(params, hidden, tuned=True),
        "JAX scan over steps, tuned": JaxDDPM(params, hidden, tuned=True, scanned=True),
    }
    if not compiler():
        del peers["torch.compile, tuned"]
        say("no C++ compiler here: torch.compile is left out")
    for name, peer in peers.items():
        same_gradients(model, params, peer, name)
    state = training.start(model, Stream(0), lr=job.LR)
    state.params[:] = params
    steps = training.fit(model, points, state, 10**9, batch, cool=0)
    losses: dict[str, float] = {}

    def ours() -> None:
        total = 0.0
        for _ in range(count):
            total += next(steps).loss
        losses["refgen"] = float(total) / count

    def theirs(name: str) -> None:
        rows = torch.from_numpy(points) if isinstance(peers[name], TorchDDPM) else jnp.asarray(points)
        losses[name] = peers[name].steps(rows, batch, count)  # type: ignore[arg-type]

    work = {"refgen": ours} | {name: lambda name=name: theirs(name) for name in peers}
    floor = bare_products(
        batch, [job.DIM + job.FEATURES, *[hidden] * job.LAYERS, job.DIM], threads, True, count
    )
    work["the bare matrix products"] = floor
    found = interleaved(work, rounds=5 if quick or batch >= 4096 else 15, units=count)
    for name, loss in losses.items():
        agree([losses["refgen"]], [loss], f"mean loss of the last {count} steps, {name}", tolerance=0.15)
    return found


def same_gradients(model, params: np.ndarray, peer: TorchDDPM | JaxDDPM, name: str) -> None:
    """Stop unless both networks are the same function of the points, with the same gradient."""
    x = np.random.default_rng(1).standard_normal((64, job.DIM), dtype=np.float32)
    t = np.arange(1, 65) * job.T // 64
    log_snr = model.levels.log_snr[t]

    def ours(params):
        return (model.predict(params, x, log_snr) ** 2).sum()

    value, gradient = value_and_grad(ours)(params)
    if isinstance(peer, TorchDDPM):
        loss = (peer.eps(torch.from_numpy(x), torch.from_numpy(t)) ** 2).sum()
        loss.backward()
        parts = [part.grad.numpy().T for part in peer.net.parameters()]
        other = loss.item()
    else:
        import jax

        def loss_of(weights: list):
            return (predict(weights, jnp.asarray(x), jnp.asarray(t), peer.tuned) ** 2).sum()

        other, parts = jax.value_and_grad(loss_of)(peer.state[0])
    agree([value], [float(other)], f"the network, {name}")
    agree(gradient, np.concatenate([np.ravel(part) for part in parts]), f"the gradient, {name}")
