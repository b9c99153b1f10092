"""The job in PyTorch on the CPU: eager as usually written, tuned (features from a table, fused Adam), or
compiled."""

from __future__ import annotations

import ddpm_job as job
import numpy as np
import torch

__all__ = ["TorchDDPM"]


class TorchDDPM:
    """The network, its training step and its sampler. tuned: see above. compiled: by torch.compile."""

    def __init__(
        self,
        params: np.ndarray,
        hidden: int = 128,
        tuned: bool = False,
        compiled: bool = False,
        device: str = "cpu",
    ):
        self.tuned, self.device = tuned, device
        layers: list[torch.nn.Module] = []
        for weight, bias in zip(*[iter(job.views(params, hidden))] * 2, strict=True):
            layer = torch.nn.Linear(*weight.shape)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weight.T.copy()))
                layer.bias.copy_(torch.from_numpy(bias.copy()))
            layers += [layer, torch.nn.SiLU()]
        self.net = torch.nn.Sequential(*layers[:-1]).to(device)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=job.LR, fused=tuned or None)
        self.levels = {name: torch.from_numpy(array).to(device) for name, array in job.LEVELS.items()}
        self.frequencies = torch.from_numpy(job.FREQUENCIES).to(device)
        self.loss_of = torch.compile(self.loss) if compiled else self.loss

    def eps(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if self.tuned:
            return self.net(torch.cat([x, self.levels["features"][t]], dim=1))
        angles = self.levels["log_snr"][t][:, None] * self.frequencies
        return self.net(torch.cat([x, torch.sin(angles), torch.cos(angles)], dim=1))

    def loss(self, points: torch.Tensor, batch: int) -> torch.Tensor:
        x = points[torch.randint(len(points), (batch,), device=self.device)]
        t = torch.randint(1, job.T + 1, (batch,), device=self.device)
        noise = torch.randn_like(x)
        x_t = self.levels["signal"][t][:, None] * x + self.levels["std"][t][:, None] * noise
        return ((self.eps(x_t, t) - noise) ** 2).sum(dim=1).mean()

    def steps(self, points: torch.Tensor, batch: int, count: int) -> float:
        """So many training steps on rows drawn from points; the mean loss."""
        total = torch.zeros((), device=self.device)
        for _ in range(count):
            loss = self.loss_of(points, batch)
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()
            total += loss.detach()
        return float(total) / count

    @torch.no_grad()
    def sample(self, n: int, x: torch.Tensor | None = None) -> torch.Tensor:
        """n points by the ancestral sampler. x: where it starts; it then adds no noise, for a comparison."""
        noisy = x is None
        x = torch.randn(n, job.DIM, device=self.device) if x is None else x
        scale, part, noise = (job.LEVELS[name].tolist() for name in ("scale", "part", "noise"))
        first = self.net[0]
        # The features of a step are the same for all points: their product with the weights is a table.
        offsets = self.levels["features"] @ first.weight[:, job.DIM :].T + first.bias if self.tuned else None
        for t in range(job.T, 0, -1):
            if offsets is None:
                eps = self.eps(x, torch.full((len(x),), t, device=self.device))
            else:
                eps = self.net[1:](torch.addmm(offsets[t], x, first.weight[:, : job.DIM].T))
            x = scale[t] * (x - part[t] * eps)
            if t > 1 and noisy:
                x = x + noise[t] * torch.randn_like(x)
        return x
