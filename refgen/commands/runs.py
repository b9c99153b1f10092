"""train: the command that makes runs."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import fields
from pathlib import Path
from shlex import quote
from typing import Any

import click
from click.core import ParameterSource

from refgen.commands.data import OF_DATA, check_unchanged, data_of, for_model
from refgen.commands.shared import (
    Progress,
    did_you_mean,
    plain_text,
    program,
)
from refgen.models import NAMES as MODELS

__all__ = ["HELP", "train"]

# What the hyper-parameters of the models are, by field.
HELP = {
    "T": "Noise levels",  # and what NOISE_LEVELS says of the model
    "schedule": "How the noise grows from level to level.",
    "target": "What the network predicts: the noise, the data, the score or the velocity.",
    "weighting": "Weighting of the loss: simple is none, snr is the data's, capped, elbo is the bound "
    "itself, and likelihood a bound in continuous time.",
    "variance": "Variance of a reverse step: beta, the posterior's (small), or estimated from the data.",
    "decoder_var": "Variance of the last step to the data; 0 follows the schedule, about 1e-4.",
    "process": "How the noise grows: the data's power kept, nearly kept, or drowned.",
    "sampler": "How samples are drawn: back along the SDE, with Langevin steps besides, or along the flow.",
    "pairs": "How data meet noise: at random, or by optimal transport, on the host, for straighter lines.",
    "method": "How the sampler steps: by one, two or four evaluations of the network.",
    "noise_mean": "Mean of the logarithm of the noise in training.",
    "noise_std": "Std of the logarithm of the noise in training.",
    "density_steps": "Steps of the integrator that finds a log-density; 20 to 100 are usual.",
    "log_snr_high": "Log-SNR at the data's end of the schedule before training, which learns this end.",
    "log_snr_low": "Log-SNR at the noise's end of the schedule before training, which learns this end.",
    "hidden": "Width of the network.",
    "layers": "Hidden layers of the network.",
    "features": "Numbers that tell the network the noise level; even.",
    "largest": "Largest noise, in stds of the data; at least the distance of the modes.",
    "smallest": "Smallest noise, in stds of the data.",
    "per_level": "Langevin steps at each level; 5 to 100 are usual.",
    "langevin_step": "Size of a step, in units of the level's variance, below 2; 0.02 to 1 are usual.",
    "std": "Noise on the data, in their stds. The noisy law is learned: points and edges have no score.",
    "objective": "What training makes small.",
    "projections": "Directions for each point, for sliced; 1 to 10 are usual.",
    "law": "Law of the directions, for sliced.",
    "reduced": "For sliced: the square of the score exactly, not along the directions.",
    "chain": "Langevin steps to a sample; 100 to 10,000 are usual.",
    "base_std": "Std of the broad Gaussian that the network tilts; wider than the data, 1.5 to 3.",
    "chain_steps": "Langevin steps of each chain in an update, for cd and pcd; 1 to 50 are usual.",
    "jumps": "Proposals from the broad Gaussian for each chain in an update, for pcd; 0 for plain pcd.",
    "mala_step": "Step of Langevin dynamics with Metropolis' test, in units of std^2; 0.5 to 5 are usual.",
    "noise_ratio": "Points of noise for each point of data, for nce; 1 to 10 are usual.",
    "stages": "Stages of the sampler, from the broad Gaussian to the model; 20 to 500 are usual.",
    "per_stage": "Langevin steps at each stage; 1 to 20 are usual.",
    "latent": "Dimension of what a sample is made from; 2 to 16 are usual.",
    "draws": "Draws of the latent variable for each point, in training; 1 for the plain bound, to 50.",
    "bound_draws": "Draws of the latent variable for a point, for the bound on log p; 1 to 5000 are usual.",
    "depth": "Levels of latent variables; 1 to 5 are usual, more with fixed encoders.",
    "encoder": "Encoder of each level: learned, or fixed, which only adds noise, as diffusion does.",
    "critic_steps": "Updates of the discriminator for one of the generator; 1 to 5 are usual.",
    "penalty": "Weight of the penalty on the discriminator's slope; 0 for none, 0.01 to 10 are usual.",
    "penalty_points": "Points of a batch where that slope is looked at; 16 to all are usual.",
    "momentum": "Momentum of Adam (beta1), for both players; 0 to 0.5 are usual, 0.9 is unsteady.",
    "start": "Std of the normal points that chains start from; wider than the data.",
    "components": "Gaussians in the mixture of each coordinate; 5 to 30 are usual.",
    "couplings": "Maps that change one half of the coordinates; 4 to 16 are usual, 0 is a Gaussian.",
    "bins": "Pieces of each spline; 4 to 32 are usual.",
    "bound": "Splines bend within it, in stds of the data; 3 to 10 are usual.",
    "maps": "Planar maps, of which each bends space along one hyperplane; 8 to 64 are usual.",
    "ode_steps": "Steps of the integrator from noise to data, four evaluations each; 4 to 40 are usual.",
    "smooth": "Weight of the integrator's error in the loss; 1 to 100 are usual.",
    "trace": "In training: exact, or an unbiased estimate along one direction a point.",
    "dropout": "How often training leaves the label out; 0.1 to 0.2 are usual.",
    "least_std": "Least std of a Gaussian that the model gives, so that none shrinks onto a single point.",
}

# How the text for T goes on, by model.
NOISE_LEVELS = {
    "ddpm": "; 100 to 4000 are usual.",
    "conditional_ddpm": "; 100 to 4000 are usual.",
    "ncsn": "; 10 to 1000 are usual.",
    "score_sde": " of the sampler; training is in continuous time. 100 to 2000 are usual.",
    "edm": " of the sampler; training is in continuous time. 18 to 40 are usual.",
    "vdm": " of the sampler, of the bound, and of the loss with objective steps; 50 to 1000 are usual.",
    "flow_matching": " of the sampler; training is in continuous time. 1 to 100 are usual.",
}


class _Train(click.Group):
    """A group with one command for each model, whose options are the model's hyper-parameters."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(MODELS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _train_command(cmd_name) if cmd_name in MODELS else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in MODELS and not args[0].startswith("-"):
            near = did_you_mean(args[0], MODELS) or f"; the models are {', '.join(MODELS)}"
            raise click.UsageError(f"no model {args[0]!r}{near}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Train, subcommand_metavar="MODEL [OPTIONS]")
def train() -> None:
    """Train a model on a data set.

    As in: refgen train ddpm --data moons. A run is a folder: config.json, metrics.csv, checkpoint.npz and
    figures/. Ctrl-C saves it; --resume goes on to the same numbers, bit for bit. For a model's options:
    refgen train ddpm --help
    """


def _train_command(name: str) -> click.Command:
    """The command that trains one model; built when it is asked for, because it reads the model's class."""
    from refgen import models
    from refgen import training_defaults as usual
    from refgen.distributions.labelled import CLASSES

    kind = models.model_class(name)
    kinds = _kinds(kind)
    data = ("A data set (refgen datasets), or a CSV, NPY or NPZ file.", "NAME|FILE")
    if hasattr(kind, "classes"):
        data = (f"A data set with classes: {', '.join(CLASSES)}.", "NAME")
    share = click.FloatRange(0, 1, max_open=True)
    sizes = {"steps": usual.STEPS, "batch": usual.BATCH, "lr": usual.LR, "cool": usual.COOL}
    sizes |= getattr(kind, "usual", {})  # a model may have its own
    params: list[click.Parameter] = [
        _option("--data", None, str, *data),
        _option("--out", None, str, "Folder of the run.  [default: runs/MODEL-DATA]", "FOLDER"),
        click.Option(["--resume"], is_flag=True, help="Go on with the run in --out, its options kept."),
        _option("--steps", sizes["steps"], click.IntRange(1, 10**8), "Training steps."),
        _option("--batch", sizes["batch"], click.IntRange(1, 100_000), "Points a step."),
        _option("--lr", sizes["lr"], click.FloatRange(0, 10, min_open=True), "Learning rate of Adam."),
        _option(
            "--ema", usual.EMA, share, "Share of the moving average of the parameters that a step keeps."
        ),
        _option(
            "--cool",
            sizes["cool"],
            share,
            "Last share of the steps, in which the learning rate falls to 0.",
        ),
        _option("--seed", 0, click.IntRange(0), "Seed of all randomness."),
        _option(
            "--device",
            "cpu",
            click.Choice(["cpu", "gpu"]),
            "Where the arrays live; gpu needs CuPy and a GPU.",
        ),
    ]
    own = [field for field in fields(kind) if field.name not in OF_DATA]
    for field in own:
        flag, of_kind = (
            "--" + field.name.lower().replace("_", "-") + f"/--no-{field.name}" * (field.default is True),
            kinds.get(field.name, type(field.default)),
        )
        text = HELP[field.name] + NOISE_LEVELS.get(name, ".") * (field.name == "T")
        params.append(_option([flag, field.name], field.default, of_kind, text))
    names = [field.name for field in own]

    def run(**given: Any) -> None:
        _train(name, names, given)

    return click.Command(name, params=params, callback=run, help=plain_text(kind))


def _kinds(model: Any) -> dict[str, Any]:
    """The kinds of hyper-parameters that are more than their default's type."""
    from refgen import denoisers, schedules
    from refgen.formulas import sliced
    from refgen.models import ddpm

    choices = {
        "schedule": schedules.NAMES,
        "target": denoisers.TARGETS,
        "weighting": getattr(inspect.getmodule(model), "WEIGHTINGS", ()),
        "variance": ddpm.VARIANCES,
        "objective": getattr(inspect.getmodule(model), "OBJECTIVES", ()),
        "law": sliced.LAWS,
        "encoder": getattr(inspect.getmodule(model), "ENCODERS", ()),
        "trace": getattr(inspect.getmodule(model), "TRACES", ()),
        "process": getattr(inspect.getmodule(model), "PROCESSES", ()),
        "sampler": getattr(inspect.getmodule(model), "SAMPLERS", ()),
        "pairs": getattr(inspect.getmodule(model), "PAIRS", ()),
        "method": getattr(inspect.getmodule(model), "METHODS", ()),
    }
    return {"T": click.IntRange(1, 100_000)} | {name: click.Choice(known) for name, known in choices.items()}


def _option(
    flag: str | list[str], default: Any, kind: Any, text: str, metavar: str | None = None
) -> click.Option:
    names = [flag] if isinstance(flag, str) else flag
    return click.Option(
        names, default=default, type=kind, help=text, metavar=metavar, show_default=default is not None
    )


def _train(name: str, names: list[str], given: dict[str, Any]) -> None:
    from refgen import models, runs
    from refgen.backend import device

    ctx = click.get_current_context()
    if given["data"] is None and (given["out"] is None or not given["resume"]):
        raise click.UsageError("--data NAME|FILE is missing; refgen datasets lists the names", ctx)
    folder = Path(given["out"] or f"runs/{name}-{Path(given['data']).stem}")
    if given["resume"]:
        config = runs.read_config(folder)
        before = {**config["options"], **config["training"], "data": config["data"]["name"]}
        before["device"] = str(config.get("device", {}).get("name", "cpu")).partition(" ")[0]
        typed = [key for key in given if ctx.get_parameter_source(key) is ParameterSource.COMMANDLINE]
        given = {key: value if key in typed else before.get(key, value) for key, value in given.items()}
    where = device(given["device"])
    data = data_of(given["data"])
    if given["resume"] and "data" not in typed:
        check_unchanged(data, config)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: click.echo(f"warning: {message}", err=True)
        rows, told = for_model(data, models.model_class(name))
        model = models.named(name, **told, **{key: given[key] for key in names})
        sizes = {key: given[key] for key in ("steps", "batch", "lr", "ema", "cool", "seed", "resume")}
        sizes |= {
            "data_name": data.name,
            "data_sha256": data.sha256,
            "shift": data.shift,
            "scale": data.scale,
        }
        warnings.simplefilter("ignore", RuntimeWarning)  # where the loss overflows, an error says so
        try:
            states = runs.train(folder, model, rows, device=where, **sizes)
        except FloatingPointError as error:
            raise _diverged(error, given["lr"]) from None
        progress = Progress(f"train {name}", given["steps"])
        try:
            for state in states:
                progress(state.step, f"loss {state.row_loss:.4f}")
        except runs.Interrupted as stopped:
            click.echo(
                f"\n{stopped}\n  {program()} train {name} --out {quote(str(folder))} --resume", err=True
            )
            ctx.exit(130)
        except FloatingPointError as error:
            raise _diverged(error, given["lr"]) from None
    click.echo(f"{folder}: trained, {given['steps']} steps")
    shown = quote(str(folder))
    click.echo(f"next: {program()} evaluate {shown}\n      {program()} plot {shown}")
    if "classes" in told:
        click.echo(f"      {program()} sample {shown} --label 0 --scale 2")


def _diverged(error: FloatingPointError, lr: float) -> ValueError:
    said = str(error).partition(";")[0]
    return ValueError(f"training diverged: {said}; train anew, in a new folder, with --lr below {lr:g}")
