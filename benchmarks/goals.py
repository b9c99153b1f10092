"""What refgen aims at: how many times as long as refgen another does the same job, or a limit in seconds or
GiB."""

from __future__ import annotations

from timing import markdown

__all__ = ["goals_table"]

# The ratio that a job reports, what it must be, and the bound.
GOALS = [
    ("step 512 x 128 PyTorch eager", ">=", 1.6),
    ("step 512 x 128 JAX jit", ">=", 1.2),
    ("step 512 x 128 the bare matrix products", ">=", 1 / 2.6),
    ("step 4096 x 256 PyTorch eager", ">=", 1.7),
    ("sampling PyTorch no_grad", ">=", 2.5),
    ("sampling JAX scan, tuned", ">=", 1.0),
    ("denoiser PyTorch, cdist and softmax", ">=", 5.0),
    ("sliced Wasserstein PyTorch", ">=", 5.0),
    ("MMD PyTorch", ">=", 5.0),
    ("end to end PyTorch eager", ">=", 1.8),
    ("end to end JAX scan, tuned", ">=", 1.0),
    ("--help seconds", "<=", 0.1),
    ("largest memory GiB", "<=", 1.0),
]


def goals_table(ratios: dict[int, dict[str, float]]) -> str:
    """Each goal that was measured, with each number of threads; what falls short is marked."""
    rows = []
    for name, relation, bound in GOALS:
        cells = []
        for found in ratios.values():
            value = found.get(name)
            good = value is not None and (value >= bound if relation == ">=" else value <= bound)
            cells.append("-" if value is None else f"{value:.2f}" if good else f"{value:.2f} **short**")
        if set(cells) != {"-"}:
            rows.append([name, f"{'at least' if relation == '>=' else 'at most'} {bound:.2f}", *cells])
    header = ["goal", "", *(f"{n} thread{'s' * (n > 1)}" for n in ratios)]
    return markdown(header, rows)
