"""The data of a run: by name or from a file, and whether they still are what the run was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["OF_DATA", "Data", "check_unchanged", "data_of", "for_model", "law_of_run", "open_run"]

OF_DATA = ("dim", "classes")  # hyper-parameters that the data tell


class Data(NamedTuple):
    """Data to train on: their standardised law, the shift (d,) and scale (d,) back, and who they are.

    name: of a data set, or the absolute path of a file. sha256: of a file's points, else None.
    """

    name: str
    law: Any
    shift: Any
    scale: Any
    sha256: str | None


def data_of(name_or_file: str) -> Data:
    """A named data set, or the points in a file. Raises ValueError where there is none."""
    from refgen import distributions, runs

    if name_or_file not in distributions.NAMES and distributions.files.is_file_name(name_or_file):
        name_or_file = str(Path(name_or_file).resolve())
    law = distributions.load(name_or_file)
    points = getattr(law, "points", None)
    return Data(name_or_file, *law.standardised(), None if points is None else runs.points_hash(points))


def for_model(data: Data, kind: Any) -> tuple[Any, dict[str, int]]:
    """What a model of that class is trained on, and its hyper-parameters that the data tell.

    A model that has `classes` gets rows with a label. Raises ValueError, one line, for data without any.
    """
    if not hasattr(kind, "classes"):
        return data.law, {"dim": data.law.dim}
    law = _labelled(data)
    return law.rows, {"dim": law.dim, "classes": law.count}


def _labelled(data: Data) -> Any:
    """The standardised law of the data, and the class of each of its components."""
    from refgen.distributions.labelled import CLASSES, labelled

    if data.sha256 is not None:
        raise ValueError(f"{data.name} is a file, which has no classes; there are {', '.join(CLASSES)}")
    return labelled(data.name).standardised()[0]


def law_of_run(folder: Path, config: dict[str, Any], label: int | None = None) -> Any:
    """The standardised law of the data that a run was trained on, or of one class of them.

    Raises ValueError, one line, where they are gone or are no longer the same.
    """
    try:
        data = data_of(config["data"]["name"])
    except ValueError as error:
        raise ValueError(f"the data that {folder} was trained on are needed: {error}") from None
    check_unchanged(data, config)
    return data.law if label is None else _labelled(data).conditional(label)


def check_unchanged(data: Data, config: dict[str, Any]) -> None:
    """Raise ValueError, one line, where data are not those that a run's config describes."""
    import numpy as np

    old, begin = config["data"], f"the data in {data.name} have changed since the run was trained"
    if old.get("sha256") != data.sha256:
        was, now = (str(value)[:12] for value in (old.get("sha256"), data.sha256))
        raise ValueError(f"{begin}: their SHA-256 was {was}..., it is {now}...; put the old ones back")
    for what, now in [("shift", data.shift), ("scale", data.scale)]:
        # In another version of NumPy the last digits of a mean may differ.
        if len(old[what]) != len(now) or not np.allclose(old[what], now, 1e-9, 1e-9 * np.max(data.scale)):
            raise ValueError(f"{begin}: their {what} was {old[what]}, it is {now.tolist()}")


def open_run(folder: str, device: Any = None) -> Any:
    """The run in a folder, its parameters on a device (the host by default), and the law of its data."""
    from refgen import backend, runs

    run = runs.load(folder, device or backend.CPU)
    return run, law_of_run(run.folder, run.config)
