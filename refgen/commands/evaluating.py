"""evaluate: a run measured against the exact law of its data, and what is said of it."""

from __future__ import annotations

from typing import Any

import click

from refgen.commands.data import law_of_run
from refgen.commands.guiding import guidance_options, label_of, require_exact, told
from refgen.commands.sampling import chosen, sampler_options
from refgen.commands.shared import device_option, json_option, print_json, seed_option

__all__ = ["evaluate", "report_lines"]


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option(
    "--n", type=click.IntRange(2, 10**6), default=10_000, show_default=True, help="Points a sample."
)
@click.option(
    "--control/--no-control",
    default=None,
    help="Also the exact denoiser.  [default: unless it takes minutes]",
)
@sampler_options
@guidance_options
@seed_option
@device_option
@json_option
def evaluate(
    run_folder: str,
    n: int,
    control: bool | None,
    seed: int,
    device: str,
    as_json: bool,
    label: int | None,
    scale: float | None,
    **given: Any,
) -> None:
    """Measure a trained model against the exact law.

    Sliced Wasserstein distance in multiples of its sampling floor, the negative log-likelihood, or its bound,
    minus the entropy, mode weights, and the error of the score by noise level. A model of one noise level is
    measured against the data under that noise. With --sampler, or --steps, its samples are drawn as refgen
    sample draws them with these options, and so is the control. With --label the truth is that class of the
    data, exactly; a --scale other than 0 and 1 has no such truth.
    """
    from refgen import backend, runs
    from refgen.evaluation import evaluate

    where = backend.device(device)
    run = told(runs.load(run_folder, where), label, scale)
    require_exact(run)
    law = law_of_run(run.folder, run.config, label_of(run))
    rng = backend.Stream(seed, "evaluate", device=where)
    other = any(value is not None for value in given.values())
    report = evaluate(
        run.model,
        run.params,
        law,
        rng,
        n=n,
        control=control,
        by=chosen(run, given, rng, law=law) if other else None,
        say=lambda stage: click.echo(f"  {stage} ...", err=True),
    )
    if label_of(run) is not None:
        report["label"] = label
    if as_json:
        print_json(report)
    else:
        click.echo("\n".join(report_lines(report)))


def report_lines(report: dict[str, Any]) -> list[str]:
    """An evaluation as an aligned table for a terminal; what falls short of its bound is marked."""
    floor, noise = report["floor"], report["noise"]
    truth = f"the truth is the data under noise of std {noise:g}, the law that this model learns"
    of_class = f"the truth is class {report.get('label')} of the data"
    lines = [
        *([truth, ""] if noise else []),
        *([of_class, ""] if "label" in report else []),
        f"sliced Wasserstein distance of {report['n']:,} points along {report['directions']} directions, and "
        f"in multiples of",
        f"its sampling floor, {floor['max']:.4f}, the largest of five distances of two exact samples",
        "bound: the most that is good. A control above its own: the sampler itself is off, or the draw is",
        "unlucky, which another --seed shows",
        "",
        f"{'':<34}{'distance':>10}{'x floor':>10}{'bound':>8}",
        f"{'exact samples, mean of five':<34}{floor['mean']:>10.4f}{floor['mean'] / floor['max']:>10.2f}",
    ]
    for name, key in [("exact denoiser (control)", "control"), ("trained model", "samples")]:
        if key in report:
            row = report[key]
            short = "" if row["times_floor"] <= row["bound"] else "  falls short"
            distance = f"{row['distance']:>10.4f}{row['times_floor']:>10.2f}{row['bound']:>8.1f}"
            lines.append(f"{name:<34}{distance}{short}")
    if "nll" in report:
        nll = report["nll"]
        error = f" +- {nll['standard_error']:.4f}"
        exact = nll["kind"] == "exact"
        name = f"NLL ({'exact' if exact else 'upper bound'}), nats"
        lines += ["", f"{name:<34}{nll['bound']:>10.4f}{error if nll['gap'] is None else ''}"]
        if nll["gap"] is not None:
            of, what = ("noisy data" if noise else "data"), ("NLL" if exact else "bound")
            lines.append(f"{f'entropy of the {of}':<34}{nll['entropy']:>10.4f}")
            lines.append(f"{f'{what} minus entropy':<34}{nll['gap']:>10.4f}{error}")
            if not exact:
                lines.append("that is the divergence from the truth to the model, plus what the bound loses")
        if "steps_error" in nll:
            off = nll["steps_error"]
            lines.append(f"{'error of its steps, mean':<34}{off['mean']:>10.1e}, largest {off['max']:.1e}")
    if "modes" in report:
        modes = report["modes"]
        lines += ["", f"{'mode':<6}{'weight':>8}{'found':>8}{'z':>8}"]
        for k, row in enumerate(zip(modes["weights"], modes["fractions"], modes["z"], strict=True), 1):
            far = "  off by more than chance" if modes["independent"] and abs(row[2]) > 4 else ""
            lines.append(f"{k:<6}{row[0]:>8.4f}{row[1]:>8.4f}{row[2]:>8.2f}{far}")
        lines.append(f"{sum(modes['covered'])} of {len(modes['covered'])} modes covered")
    calls = f"{report['calls']:,} evaluation{'s' * (report['calls'] != 1)} of the network a point"
    lines += ["", f"sampled by {report['sampler']}"]
    lines += [f"sampling: {calls}, {report['seconds']:.3g} s for {report['n']:,} points"]
    return lines + _score_lines(report.get("score", []))


def _score_lines(rows: list[dict[str, float]]) -> list[str]:
    """The error of the score by level; of a model of one level, which has no times, by its noise alone."""
    many = len(rows) > 1
    head = f"{'t':>6}" * many + f"{'std':>8}{'score error':>13}   relative, weighted by the exact density"
    lines = [f"{row['t']:>6}" * many + f"{row['std']:>8.3f}{row['relative_error']:>13.4f}" for row in rows]
    return ["", head, *lines] if rows else []
