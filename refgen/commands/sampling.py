"""sample: points from a trained model, by its own sampler or by another that it has what is needed for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from refgen.commands.data import law_of_run
from refgen.commands.draws import annealed, at_one_level, by_stages, check_fits, own
from refgen.commands.shared import Name, Progress, device_option, seed_option

__all__ = ["sample"]

SAMPLE_CHUNK = 10_000

# Which options go with which sampler, besides --steps.
OPTIONS = {
    "ancestral": (),
    "annealed_langevin": ("step", "per_level"),
    "langevin": ("step", "level", "std"),
    "underdamped": ("step", "level", "std"),
    "mala": ("step", "level", "std"),
    "smc": ("step", "per_level", "level", "std"),
}


FEW = 0.05  # of the proposals accepted: the chains have hardly moved


def _names() -> tuple[str, ...]:
    from refgen import samplers

    return samplers.NAMES


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--n", type=click.IntRange(1, 10**7), default=2000, show_default=True, help="Points.")
@click.option("--out", metavar="FILE", help="FILE.csv, .npy, .npz or .png.  [default: RUN/samples.csv]")
@click.option(
    "--sampler", type=Name("sampler", _names), help="See refgen samplers.  [default: the model's own]"
)
@click.option(
    "--steps",
    type=click.IntRange(1, 10**6),
    help="Noise levels to use (ancestral, annealed_langevin), Langevin steps, or stages (smc, ebm's own). "
    " [default: all the model's; for annealed_langevin 20 levels of a ddpm, at a constant ratio; 60 stages "
    "of smc; 1000 Langevin steps where another sampler is named]",
)
@click.option(
    "--step",
    type=click.FloatRange(0, min_open=True),
    help="Size of a Langevin step, in units of the level's noise variance; below 2 but for mala "
    "and smc.  [default: 0.5; for smc 2; for annealed_langevin the model's own, or 0.1]",
)
@click.option(
    "--per-level",
    type=click.IntRange(1, 10**6),
    help="Steps of annealed_langevin at each level, of smc at each stage.  [default: the model's own, or 50; "
    "for smc 4]",
)
@click.option(
    "--level", type=click.IntRange(1), help="Level t of the model, 1 the least noisy, for Langevin steps."
)
@click.option(
    "--std",
    type=click.FloatRange(0, min_open=True),
    help="Or its noise, in stds of the data, which are not scaled then.  [default: the model's, where it has "
    "one level; else 0.1]",
)
@click.option("--exact", is_flag=True, help="Use the exact denoiser of the data in place of the network.")
@seed_option
@device_option
def sample(
    run_folder: str, n: int, out: str | None, exact: bool, seed: int, device: str, **given: Any
) -> None:
    """Draw points from a trained model.

    The points are in the units of its data. langevin, underdamped and mala walk at one level of noise from a
    normal law as wide as the noisy data. They hardly cross between modes that are well apart; smc finds these
    modes' weights. At the end they take the noise off, but of a model of noisy data, ebm or score_net.
    """
    import numpy as np

    from refgen import backend, runs
    from refgen.commands.points import check_suffix, write_points
    from refgen.denoisers import ExactDenoiser

    where = backend.device(device)
    run = runs.load(run_folder, where)
    path, model = Path(out or run.folder / "samples.csv"), run.model
    check_suffix(path, model.dim)
    sampler = _checked(given, model)
    rng = backend.Stream(seed, "sample", device=where)
    by_itself = sampler in (None, "ancestral")
    optimal = by_itself and getattr(model, "variance", "") == "optimal"  # estimated from data
    law: Any = law_of_run(run.folder, run.config) if exact or optimal else None
    denoiser: Any = ExactDenoiser(law) if exact else None
    if denoiser is None and hasattr(model, "denoiser"):
        denoiser = model.denoiser(run.params)
    if sampler is not None:
        check_fits(sampler, run.config["model"], model, denoiser)
    if not hasattr(model, "denoiser"):
        _check_direct(run.config["model"], given["steps"], exact)
    shares: list[Any] = []
    if sampler is None or by_itself:
        data = law.sample(rng.spawn("data"), 2000) if optimal else None
        draw, calls = own(model, run.params, given["steps"] or 0, data, exact)
        calls *= 1 + optimal
    elif sampler == "annealed_langevin":
        draw, calls = annealed(model, run.params.dtype, given)
    elif sampler == "smc":
        draw, calls = by_stages(model, run.params.dtype, given, exact)
    else:
        draw, calls = at_one_level(sampler, model, run.params.dtype, given, exact, shares)
    starts, pieces = range(0, n, SAMPLE_CHUNK), []
    progress = Progress(f"sample {n} point{'s' * (n != 1)}, calls", calls * len(starts))
    asked = _Shown(denoiser, progress)
    for i, start in enumerate(starts, 1):
        count, stream = min(SAMPLE_CHUNK, n - start), rng.spawn(f"from {start}")
        pieces.append(run.to_data(draw(asked, count, stream)))
        progress(calls * i)
    write_points(path, np.concatenate(pieces))
    click.echo(f"{path}: {n} point{'s' * (n != 1)}")
    if shares:
        share = sum(float(share) for share in shares) / len(shares)
        click.echo(f"accepted {share:.0%} of the proposals")
        if share < FEW:
            click.echo(
                "warning: nearly every proposal was refused, so the points are still where they started; "
                "take a smaller --step",
                err=True,
            )


def _check_direct(name: str, steps: int | None, exact: bool) -> None:
    """Raise ValueError, one line, for what means nothing to a model that draws without a denoiser."""
    if exact:
        raise ValueError(f"--exact puts the exact denoiser in the network's place; this {name} asks for none")
    if steps is not None:
        raise ValueError(f"--steps is {steps}; this {name} has no levels of noise and no chain")


class _Shown:
    """A denoiser whose calls are shown as progress."""

    def __init__(self, denoiser: Any, progress: Progress):
        self.denoiser, self.progress, self.calls = denoiser, progress, 0

    def __getattr__(self, question: str) -> Any:
        answer = getattr(self.denoiser, question)

        def asked(*args: Any) -> Any:
            self.calls += 1
            if self.calls < self.progress.total:  # the last is shown when the points are there
                self.progress(self.calls)
            return answer(*args)

        return asked if callable(answer) else answer


def _checked(given: dict[str, Any], model: Any) -> str | None:
    """The sampler that is asked for. Raises ValueError for an option that does not go with it."""
    sampler = given["sampler"]
    for name, value in given.items():
        if name in ("sampler", "steps") or value is None or name in OPTIONS.get(sampler, ()):
            continue
        fits = [known for known, names in OPTIONS.items() if name in names]
        said = f"not for {sampler}" if sampler else "and none is named: add --sampler"
        raise ValueError(f"--{name.replace('_', '-')} is for {', '.join(fits)}, {said}")
    if given["level"] is not None and given["std"] is not None:
        raise ValueError("--level and --std both name a level of noise; give one of them")
    levels = getattr(model, "levels", None)
    if sampler in (None, "ancestral") and given["steps"] and levels and 1 < levels.T < given["steps"]:
        raise ValueError(f"--steps is {given['steps']}; the model has {levels.T} levels")
    return sampler
