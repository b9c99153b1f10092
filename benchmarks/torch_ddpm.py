"""The same network, loss, optimiser and sampler in PyTorch, eager, on the CPU."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch

from refgen.models.ddpm import DDPM
from refgen.nets.embedding import frequencies

__all__ = ["TorchDDPM"]


class TorchDDPM:
    """A refgen DDPM (target eps, weighting simple) rebuilt with torch.nn."""

    def __init__(self, model: DDPM, params: np.ndarray, lr: float):
        self.model, self.levels = model, model.levels
        width = [model.dim + model.features, *[model.hidden] * model.layers, model.dim]
        layers: list[torch.nn.Module] = []
        for a, b in itertools.pairwise(width):
            layers += [torch.nn.Linear(a, b), torch.nn.SiLU()]
        self.net = torch.nn.Sequential(*layers[:-1])
        views = model.net.layout.views(params)
        with torch.no_grad():
            for layer, weight, bias in zip(layers[::2], views[::2], views[1::2], strict=True):
                layer.weight.copy_(torch.from_numpy(weight.T.copy()))  # type: ignore[union-attr, operator]
                layer.bias.copy_(torch.from_numpy(bias.copy()))  # type: ignore[union-attr, operator]
        self.adam = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.frequencies = torch.from_numpy(frequencies(model.features))
        self.log_snr, self.signal, self.std = (
            torch.from_numpy(array.astype(np.float32))
            for array in (np.clip(self.levels.log_snr, -20, 25), self.levels.signal, self.levels.std)
        )

    def eps(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        angles = self.log_snr[t][:, None] * self.frequencies
        return self.net(torch.cat([x, torch.sin(angles), torch.cos(angles)], dim=1))

    def step(self, points: torch.Tensor, batch: int) -> torch.Tensor:
        """One training step on rows drawn from points."""
        x = points[torch.randint(len(points), (batch,))]
        t = torch.randint(1, self.model.T + 1, (batch,))
        noise = torch.randn_like(x)
        x_t = self.signal[t][:, None] * x + self.std[t][:, None] * noise
        loss = ((self.eps(x_t, t) - noise) ** 2).sum(dim=1).mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss

    @torch.no_grad()
    def sample(self, n: int) -> torch.Tensor:
        """n points by the ancestral sampler with the small variance."""
        alpha, alpha_bar = self.levels.alpha, self.levels.alpha_bar
        x = torch.randn(n, self.model.dim)
        for t in range(self.model.T, 0, -1):
            eps = self.eps(x, torch.full((n,), t))
            x = (x - (1 - alpha[t]) / math.sqrt(1 - alpha_bar[t]) * eps) / math.sqrt(alpha[t])
            if t > 1:
                var = (1 - alpha[t]) * (1 - alpha_bar[t - 1]) / (1 - alpha_bar[t])
                x = x + math.sqrt(var) * torch.randn_like(x)
        return x


def same_answers(model: DDPM, params: np.ndarray, other: TorchDDPM, check: Callable[[bool], None]) -> None:
    """Check that the two networks are one and the same function before they are timed."""
    x = np.random.default_rng(0).standard_normal((64, model.dim)).astype(np.float32)
    t = np.arange(1, 65) * model.T // 64
    ours = model.predict(params, x, model.levels.log_snr[t])
    with torch.no_grad():
        theirs = other.eps(torch.from_numpy(x), torch.from_numpy(t)).numpy()
    check(bool(np.allclose(ours, theirs, atol=1e-4)))
