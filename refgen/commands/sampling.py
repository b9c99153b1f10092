"""sample: points from a trained model, by its own sampler or by another that it has what is needed for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from refgen.commands.data import law_of_run
from refgen.commands.draws import Asked, Drawing, drawing, needs_data
from refgen.commands.guiding import exact_denoiser, guidance_options, label_of, told
from refgen.commands.levels import SPACINGS
from refgen.commands.shared import Name, Progress, device_option, seed_option

__all__ = ["METHODS", "chosen", "sample", "sampler_options"]

SAMPLE_CHUNK = 10_000

DATA = 2000  # points of the data that a variance is estimated from

FEW = 0.05  # of the proposals accepted: the chains have hardly moved

METHODS = ("euler", "heun", "rk4", "rk45")


def _names() -> tuple[str, ...]:
    from refgen import samplers

    return samplers.NAMES


_OPTIONS = [
    click.option(
        "--sampler", type=Name("sampler", _names), help="See refgen samplers.  [default: the model's own]"
    ),
    click.option(
        "--steps",
        type=click.IntRange(1, 10**6),
        help="Levels of noise to go through; Langevin steps of langevin, underdamped and mala; stages of "
        "smc and of ebm's own.  [default: all the model's; 20 for dpm_solver, dpm_multistep, edm and "
        "annealed_langevin on no ladder; 50 for ddim, analytic and probability_flow; 60 stages; 1000 "
        "Langevin steps]",
    ),
    click.option(
        "--spacing",
        type=click.Choice(list(SPACINGS)),
        help="How these levels are spaced: as the model's own, evenly in time or log-SNR, or as in EDM.  "
        "[default: edm for edm, log_snr for dpm_solver, dpm_multistep and probability_flow, else model]",
    ),
    click.option(
        "--step",
        type=click.FloatRange(0, min_open=True),
        help="Size of a Langevin step, in units of the level's noise variance. It must be below 2, except "
        "for mala and smc.  [default: 0.5; 2 for smc; for annealed_langevin the model's own, or 0.1; for "
        "predictor_corrector as --snr has it]",
    ),
    click.option(
        "--per-level",
        type=click.IntRange(1, 10**6),
        help="Langevin steps at each level of annealed_langevin and predictor_corrector, at each stage of "
        "smc.  [default: the model's own, or 50; 1 for predictor_corrector; 4 for smc]",
    ),
    click.option(
        "--level", type=click.IntRange(1), help="Level t of the model, 1 the least noisy, for Langevin steps."
    ),
    click.option(
        "--std",
        type=click.FloatRange(0, min_open=True),
        help="In place of --level: the std of the noise, in stds of the data. The noise is added to the data "
        "as they are, without scaling them down.  [default: the model's, where it has one level; else 0.1]",
    ),
    click.option(
        "--eta",
        type=click.FloatRange(0, 1),
        help="Fresh noise of ddim; 1 is as much as ancestral has.  [default: 0]",
    ),
    click.option(
        "--order", type=click.IntRange(1, 3), help="Order of dpm_solver and dpm_multistep.  [default: 2]"
    ),
    click.option(
        "--snr",
        type=click.FloatRange(0, min_open=True),
        help="Drift over noise in a step of the corrector.  [default: 0.16]",
    ),
    click.option(
        "--method", type=click.Choice(METHODS), help="Integrator of probability_flow.  [default: heun]"
    ),
    click.option(
        "--churn",
        type=click.FloatRange(0),
        help="Fresh noise of edm, shared by its levels; 0 for none. More than 0.41 times the number of "
        "levels changes nothing, since each step takes sqrt(2) - 1 at most.  [default: 0]",
    ),
]


def sampler_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a model is sampled by."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(run: Any, given: dict[str, Any], rng: Any, exact: bool = False, law: Any = None) -> Drawing:
    """What draws from a run, with the options `sampler_options`. Raises ValueError for what does not fit.

    law: of the run's data, or of the class that its model is told, where that is known already.
    """
    model, options = run.model, dict(given)
    sampler, name = options.pop("sampler"), run.config["model"]
    wanted = needs_data(sampler, model)
    if law is None and (exact or wanted):
        law = law_of_run(run.folder, run.config, label_of(run))
    denoiser: Any = None
    if hasattr(model, "denoiser"):
        denoiser = exact_denoiser(run, law) if exact else model.denoiser(run.params)
    data = law.sample(rng.spawn("data"), DATA) if wanted else None
    return drawing(Asked(sampler, name, model, run.params, options, denoiser, exact, data))


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--n", type=click.IntRange(1, 10**7), default=2000, show_default=True, help="Points.")
@click.option("--out", metavar="FILE", help="FILE.csv, .npy, .npz or .png.  [default: RUN/samples.csv]")
@sampler_options
@guidance_options
@click.option("--exact", is_flag=True, help="Use the exact denoiser of the data in place of the network.")
@seed_option
@device_option
def sample(
    run_folder: str,
    n: int,
    out: str | None,
    exact: bool,
    seed: int,
    device: str,
    label: int | None,
    scale: float | None,
    **given: Any,
) -> None:
    """Draw points from a trained model.

    The points are in the units of its data. Samplers that go through many levels start at the noisiest.
    langevin, underdamped and mala walk at one level of noise from a normal law as wide as the noisy data.
    They hardly cross between modes that are well apart; smc finds these modes' weights. At the end these four
    take the noise off, except for a model of noisy data, ebm or score_net. --label draws one class, with any
    sampler, from a model trained with labels.
    """
    import numpy as np

    from refgen import backend, runs
    from refgen.commands.points import check_suffix, write_points

    where = backend.device(device)
    run = told(runs.load(run_folder, where), label, scale)
    path = Path(out or run.folder / "samples.csv")
    check_suffix(path, run.model.dim)
    rng = backend.Stream(seed, "sample", device=where)
    drawn = chosen(run, given, rng, exact)
    starts, pieces = range(0, n, SAMPLE_CHUNK), []
    progress = Progress(f"sample {n} point{'s' * (n != 1)}, calls", drawn.calls * len(starts))
    asked = _Shown(drawn.denoiser, progress) if drawn.denoiser else None
    for i, start in enumerate(starts, 1):
        count, stream = min(SAMPLE_CHUNK, n - start), rng.spawn(f"from {start}")
        pieces.append(run.to_data(drawn.draw(asked, count, stream)))
        progress(drawn.calls * i)
    write_points(path, np.concatenate(pieces))
    calls = asked.calls // len(starts) if asked else drawn.calls
    by = f"by {drawn.about}; {calls:,} call{'s' * (calls != 1)} of the {'denoiser' if asked else 'network'}"
    by += "" if label_of(run) is None else f"; class {run.model.label} at scale {run.model.s:g}"
    click.echo(f"{path}: {n} point{'s' * (n != 1)} {by}")
    _say_accepted(drawn.shares)


def _say_accepted(shares: list[Any]) -> None:
    """How many of the proposals of Metropolis' test were accepted, where there were any."""
    if not shares:
        return
    share = sum(float(share) for share in shares) / len(shares)
    click.echo(f"accepted {share:.0%} of the proposals")
    if share < FEW:
        click.echo(
            "warning: nearly every proposal was refused, so the points are still where they started; "
            "take a smaller --step",
            err=True,
        )


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
