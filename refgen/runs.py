"""A run is a folder: config.json, metrics.csv, checkpoint.npz and figures/.

`train` makes one or goes on with one, to the same numbers, bit for bit; `load` reads one back.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refgen import checkpoints, machine, models, training
from refgen.backend import CPU, Device, Stream, to_host
from refgen.interrupts import Interrupted, held
from refgen.run_config import NEEDED, read_config
from refgen.training_defaults import BATCH, COOL, EMA, LR, STEPS

__all__ = ["Interrupted", "Run", "check_new", "load", "points_hash", "read_config", "train"]

HEADER = "step,loss,seconds"


@dataclass(frozen=True)
class Run:
    """A run read back: its folder, config, model and training state."""

    folder: Path
    config: dict[str, Any]
    model: Any
    state: training.State

    @property
    def params(self) -> np.ndarray:
        """The parameters to sample with: the moving average."""
        return self.state.ema

    @property
    def shift(self) -> np.ndarray:
        """What was subtracted from the data, (d,)."""
        return np.array(self.config["data"]["shift"])

    @property
    def scale(self) -> np.ndarray:
        """What the data were divided by afterwards, (d,)."""
        return np.array(self.config["data"]["scale"])

    def to_data(self, x: np.ndarray) -> np.ndarray:
        """Points of the model, (n, d) on any device, in the units of the data and on the host."""
        x = to_host(x)
        return x * self.scale.astype(x.dtype) + self.shift.astype(x.dtype)


def train(
    folder: str | Path,
    model: Any,
    data: Any,
    *,
    steps: int = STEPS,
    batch: int = BATCH,
    lr: float = LR,
    ema: float = EMA,
    cool: float = COOL,
    seed: int = 0,
    data_name: str = "",
    data_sha256: str | None = None,
    shift: Any = 0.0,
    scale: Any = 1.0,
    resume: bool = False,
    every: int = 100,
    save_every: int = 1000,
    device: Device = CPU,
) -> Generator[training.State, None, None]:
    """Train in a folder; yields the state at every row of metrics.csv (each `every` steps, and the last).

    model: one of `refgen.models`. data: as the model sees them, standardised: a distribution or points (n,
    d). data_name, data_sha256, shift, scale: what they are called, the hash of a file's points (by default of
    `data`, where these are points), and how they were standardised, for whoever reads the run. The other
    options are those of `training.fit`. A checkpoint is written each `save_every` steps, at the end, and on
    Ctrl-C, which raises `Interrupted` between two steps. device: where to train.

    resume: go on with the run in the folder; without `cool` also to more steps than it was begun with, and
    with the same points under another name. Raises ValueError where there is none, where there is one and
    resume is False, or where an option differs; OSError where the folder cannot be written (an earlier
    checkpoint is then untouched). Warns where versions or the device differ, since the numbers then may.
    """
    for name, value in [("steps", steps), ("every", every), ("save_every", save_every)]:
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be >= 1")
    folder, ones = Path(folder), np.ones(model.dim)
    sizes = {"steps": steps, "batch": batch, "lr": lr, "ema": ema, "cool": cool, "seed": seed, "every": every}
    described = {"name": data_name, "shift": (shift * ones).tolist(), "scale": (scale * ones).tolist()}
    if not hasattr(data, "sample"):
        data = np.ascontiguousarray(data, np.float32)
    points = data if isinstance(data, np.ndarray) else getattr(data, "points", None)
    if data_sha256 or points is not None:
        described["sha256"] = data_sha256 or points_hash(points)
    config = {"model": models.name_of(model), "options": asdict(model), "data": described, "training": sizes}
    config |= {"versions": machine.versions(), "blas": machine.blas()}
    config["device"] = {"name": machine.device_name(device)}
    if resume:
        state = _resumed(folder, config, device)
    else:
        check_new(folder)
        rng = Stream(seed, device=device)
        # A step that is thrown away: what cannot begin leaves no folder behind.
        next(training.fit(model, data, training.start(model, rng.spawn("train"), lr), 1, batch, ema))
        state = training.start(model, rng.spawn("train"), lr)
    fitting = training.fit(model, data, state, steps, batch, ema, cool)
    _open_folder(folder, config, state)
    return _loop(folder, fitting, state, steps, every, save_every)


def _loop(
    folder: Path, fitting: Iterator, state: training.State, steps: int, every: int, save_every: int
) -> Generator[training.State, None, None]:
    before, began, saved = _seconds(folder), time.perf_counter(), -1

    def save() -> None:
        checkpoints.save(folder / "checkpoint.npz", state.to_arrays())

    with held() as interrupted:
        try:
            for _ in fitting:
                if state.step % every == 0 or state.step == steps:
                    state.row_loss = float(state.total) / (state.step - state.since)
                    state.total, state.since = 0.0, state.step
                    seconds = before + time.perf_counter() - began
                    _append(folder, f"{state.step},{state.row_loss!r},{seconds:.2f}")
                    if state.step % save_every == 0 or state.step == steps:
                        save()
                        saved = state.step
                    yield state
                if interrupted and state.step < steps:
                    save()
                    raise Interrupted(f"stopped at step {state.step} of {steps}; resume to go on: {folder}")
        except GeneratorExit:  # whoever asked for the states wants no more
            if saved != state.step:
                save()
            raise


def points_hash(points: Any) -> str:
    """SHA-256 of points (n, d), of their numbers and precision, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(points).tobytes()).hexdigest()


def _resumed(folder: Path, config: dict[str, Any], device: Device) -> training.State:
    old = read_config(folder)
    was, now = (part["data"].get("sha256") for part in (old, config))
    if was != now:
        raise ValueError(f"the data have changed since {folder} was begun: SHA-256 {was}, not {now}")
    free = {"steps"} if config["training"]["cool"] == 0 else set()
    free |= {"name"} if now else set()  # a file that was moved
    for part in NEEDED:
        if not isinstance(config[part], dict):
            if old[part] != config[part]:
                raise ValueError(f"{folder} was begun with {part} {old[part]!r}, not {config[part]!r}")
            continue
        for name in sorted(old[part].keys() | config[part].keys()):
            was, now = old[part].get(name), config[part].get(name)
            if was != now and name not in free:
                shown = "data" if (part, name) == ("data", "name") else name
                raise ValueError(
                    f"{folder} was begun with {shown} {was!r}, not {now!r}; resume with the same"
                )
    for part in ("versions", "blas", "device"):
        for name, now in config[part].items():
            if old.get(part, {}).get(name) != now:
                warnings.warn(
                    f"{folder} was begun under {part} {name} {old.get(part, {}).get(name)}, not {now}: "
                    "numbers may differ in the last digits",
                    stacklevel=4,
                )
    state = training.State.from_arrays(checkpoints.load(folder / "checkpoint.npz"), device)
    if state.step > config["training"]["steps"]:
        raise ValueError(f"steps is {config['training']['steps']}; {folder} is already at step {state.step}")
    return state


def check_new(folder: str | Path) -> None:
    """Raise ValueError, one line, where a run cannot be begun in a folder: it holds one, or a file of another
    origin that would be overwritten."""
    folder = Path(folder)
    if (folder / "config.json").exists():
        raise ValueError(f"{folder} already holds a run; resume it, or name another folder")
    for path in (folder / "metrics.csv", folder / "checkpoint.npz"):
        if path.exists():
            raise ValueError(f"{path} is not of a run, and would be overwritten; name another folder")


def _open_folder(folder: Path, config: dict[str, Any], state: training.State) -> None:
    """Make the folder, write its config, and drop the rows of metrics that are past the checkpoint.

    The config comes last, so that a folder with one is a whole run; a new one that fails is removed.
    """
    new = not (folder / "config.json").exists()
    try:
        try:
            (folder / "figures").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"cannot make {folder}: {error.strerror or error}") from None
        rows = [row for row in _rows(folder) if int(row.split(",")[0]) <= state.step] if state.step else []
        checkpoints.write_text(folder / "metrics.csv", "\n".join([HEADER, *rows, ""]))
        if new:
            checkpoints.save(folder / "checkpoint.npz", state.to_arrays())
        checkpoints.write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")
    except BaseException:
        if new:
            with suppress(OSError):
                for name in ("metrics.csv", "checkpoint.npz", "config.json"):
                    (folder / name).unlink(missing_ok=True)
                (folder / "figures").rmdir()
                folder.rmdir()
        raise


def _rows(folder: Path) -> list[str]:
    """The whole rows of metrics.csv without its header; a last row that was cut short is left out."""
    try:
        text = (folder / "metrics.csv").read_text()
    except (OSError, UnicodeDecodeError):
        return []
    rows = text[: text.rfind("\n") + 1].splitlines()[1:]
    return [row for row in rows if row.count(",") == 2 and row.split(",")[0].isdigit()]


def _seconds(folder: Path) -> float:
    rows = _rows(folder)
    return float(rows[-1].split(",")[2]) if rows else 0.0


def _append(folder: Path, row: str) -> None:
    try:
        with open(folder / "metrics.csv", "a") as file:
            file.write(row + "\n")
    except OSError as error:
        raise OSError(f"cannot write {folder / 'metrics.csv'}: {error.strerror or error}") from None


def load(folder: str | Path, device: Device = CPU) -> Run:
    """The run in a folder, its parameters on a device.

    Raises ValueError, one line, where there is none or a file of it is broken.
    """
    folder = Path(folder)
    config = read_config(folder)
    try:
        model = models.named(config["model"], **config["options"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'config.json'} is not a run's config: {error}") from None
    shift, scale = config["data"]["shift"], config["data"]["scale"]
    if len(shift) != model.dim or len(scale) != model.dim:
        raise ValueError(
            f"{folder / 'config.json'} is not a run's config: shift and scale are not {model.dim} numbers"
        )
    path = folder / "checkpoint.npz"
    try:
        state = training.State.from_arrays(checkpoints.load(path), device)
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    size = model.init(Stream(0)).shape
    if state.params.shape != size:
        raise ValueError(f"{path} holds parameters {state.params.shape}; the model of config.json has {size}")
    return Run(folder, config, model, state)
