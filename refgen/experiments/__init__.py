"""Experiments: one file for each figure or claim of the lectures, by name. Each ends in numbers that hold or
do not. A file is imported when its experiment is asked for.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["ENTRIES", "Entry", "find", "runner"]


class Entry(NamedTuple):
    """ids: what it reproduces. title: one line. why_not: for what is not reproduced, the reason."""

    ids: str
    title: str
    why_not: str = ""


# By name; the file is the name with underscores.
ENTRIES: dict[str, Entry] = {
    "contrastive-divergence": Entry("SYS-6 EBM-4", "an energy learned by CD-k, its gradient and its log Z"),
    "cost-by-dimension": Entry("EXP-1 SYS-42", "time of a training step against the dimension: SM, SSM, DSM"),
    "score-error": Entry("EXP-2 SYS-10 SYS-11 SYS-12", "how well SM, SSM and DSM estimate the clean score"),
    "noise-size": Entry(
        "EXP-3 DSM-9 DSM-10", "denoising score matching: exploding variance and a best noise"
    ),
    "trace-passes": Entry("EXP-17", "the trace of a Jacobian: one reverse pass for each dimension"),
    "sliced-pass": Entry("EXP-18", "along a direction: one more neuron and one reverse pass"),
    "projections": Entry("EXP-19", "vector fields projected on random directions"),
    "density-and-score": Entry("EXP-4", "density and score of a mixture of two Gaussians"),
    "density-from-score": Entry(
        "EXP-5 EBM-9 ERR-35", "the density back from its score, and where that fails"
    ),
    "low-density": Entry("EXP-7 LAN-9", "where there are no data, an estimated score is wrong"),
    "noising": Entry(
        "EXP-8 NCSN-8 ERR-52", "noise makes the estimated score accurate between the modes, not everywhere"
    ),
    "noise-levels": Entry("EXP-10", "three levels of noise: densities, scores, estimated scores"),
    "normalising": Entry("EXP-16", "a density keeps its area while it moves; a score is free of that"),
    "score-then-langevin": Entry("EXP-6 SYS-13", "score matching, then Langevin dynamics: the pipeline"),
    "score-and-kl": Entry("LAN-6", "what a wrong score costs Langevin dynamics"),
    "lost-weights": Entry("EXP-9 LAN-7", "Langevin dynamics do not find the weights of a mixture"),
    "annealed-langevin": Entry("EXP-11 SYS-14 SYS-15", "annealed Langevin dynamics, large noise to small"),
    "level-count": Entry("TAX-2", "10, 100 or 1000 levels of noise"),
    "posterior-gap": Entry("EXP-26", "a bound that rises, and a gap to the posterior that need not fall"),
    "families": Entry("EXP-28 SYS-39", "four families on one data set: GAN, VAE, flow, diffusion"),
    "gan-gaussian": Entry("SYS-5", "the smallest adversarial network: a Gaussian, and momentum"),
    "gan-modes": Entry("TAX-3", "adversarial networks on a ring: modes found, objective and seed"),
    "speed-up": Entry(
        "EXP-24 TAX-1 SYS-25 SYS-26 SYS-27", "quality against calls of the denoiser, sampler by sampler"
    ),
    "same-marginals": Entry(
        "EXP-25 SDE-4 SDE-11 SYS-19 SYS-20 SYS-22",
        "chain, reverse SDE, flow and corrector: one law at each level",
    ),
    "dye": Entry("EXP-13 EXP-14 EXP-15 TAX-6 SYS-16", "a swiss roll spreads like dye in water; and back"),
    "wrong-start": Entry("ERR-53", "backward from a uniform law, and from N(0, I)"),
    "learned-snr": Entry("SYS-18", "a noise schedule that is learned, and what lies between its ends"),
    "guidance": Entry("SYS-29", "conditional samples by guidance, and what a larger scale costs"),
    "annealing-images": Entry(
        "EXP-12",
        "annealed Langevin dynamics on CIFAR-10",
        "no networks for images here; annealed-langevin shows the walk in 2-D",
    ),
}


def find(name: str) -> list[str]:
    """The experiments of that name or ID, such as "cost-by-dimension" or "EXP-1".

    Raises ValueError, with the near names, where there is none.
    """
    if name in ENTRIES:
        return [name]
    of_id = [key for key, entry in ENTRIES.items() if name.upper() in entry.ids.split()]
    if of_id:
        return of_id
    known = [*ENTRIES, *(one for entry in ENTRIES.values() for one in entry.ids.split())]
    near = difflib.get_close_matches(name.lower().replace("_", "-"), known, 3, 0.5)
    near = near or difflib.get_close_matches(name.upper(), known, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "refgen reproduce lists them"
    raise ValueError(f"no experiment {name!r}; {hint}")


def runner(name: str) -> Callable[..., Any]:
    """The function `run(rng, say) -> Outcome` of an experiment. Raises ValueError for one that has none."""
    entry = ENTRIES[name]
    if entry.why_not:
        raise ValueError(f"{name} ({entry.ids}) is not reproduced: {entry.why_not}")
    return importlib.import_module(f"refgen.experiments.{name.replace('-', '_')}").run
