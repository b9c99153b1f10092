"""The config.json of a run: what it must have, and reading it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["NEEDED", "read_config"]

NUMBER = (int, float)
# What a config must have to be read, and a resumed run must agree on, with the types.
NEEDED: dict[str, Any] = {
    "model": str,
    "options": {},
    "data": {"name": str, "shift": list, "scale": list},
    "training": {
        "steps": int, "batch": int, "lr": NUMBER, "ema": NUMBER, "cool": NUMBER, "seed": int, "every": int,
    },
}  # fmt: skip


def read_config(folder: str | Path) -> dict[str, Any]:
    """The config of the run in a folder. Raises ValueError, one line, where it is none."""
    folder = Path(folder)
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is not a run: no config.json") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not isinstance(config, dict) or any(part not in config for part in NEEDED):
        raise ValueError(f"{path} is not a run's config: it must have {', '.join(NEEDED)}")
    fields = [(part, config[part], dict if isinstance(kind, dict) else kind) for part, kind in NEEDED.items()]
    fields += [(part, config.get(part, {}), dict) for part in ("versions", "blas", "device")]
    for part in ("data", "training"):
        if isinstance(config[part], dict):
            fields += [(f"{part}.{key}", config[part].get(key), kind) for key, kind in NEEDED[part].items()]
    for name, value, kind in fields:
        numbers = kind is list and isinstance(value, list)
        if not isinstance(value, kind) or (numbers and not all(isinstance(x, NUMBER) for x in value)):
            what = {str: "text", int: "a whole number", list: "numbers", dict: "a table"}.get(
                kind, "a number"
            )
            raise ValueError(f"{path} is not a run's config: {name} is {value!r}; it must be {what}")
    return config
