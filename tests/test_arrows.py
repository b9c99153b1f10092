"""The arrows between the rooms run one way: read off the imports."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "refgen"

TRUTH = {"formulas", "backend", "autodiff", "schedules", "processes", "distributions"}
SAMPLING = TRUTH | {"denoisers"}
CHECKED = SAMPLING | {"samplers", "nets", "models"}

EVERYTHING = {"cards", "checkpoints", "derivations", "evaluation", "machine", "metrics", "plots", "runs"}
EVERYTHING |= {"ladders", "sources", "training", "training_defaults", "guidance"}

# What each room may import of the others.
ALLOWED = {
    "autodiff": set(),
    "threads": set(),
    "backend": {"autodiff"},
    "sources": set(),
    "optimizers": set(),
    "formulas": {"autodiff"},
    "nets": {"backend", "autodiff", "threads"},
    "schedules": {"formulas", "backend"},
    "ladders": {"formulas"},
    "processes": {"formulas", "ladders", "schedules"},
    "distributions": {"formulas", "backend", "threads"},
    "denoisers": TRUTH,
    "samplers": SAMPLING,
    "guidance": {"formulas", "denoisers"},
    "likelihood": SAMPLING | {"nets"},
    "metrics": SAMPLING | {"threads"},
    "models": {"nets", "formulas", "schedules", "ladders", "processes", "denoisers", "samplers"}
    | {"backend", "autodiff", "guidance", "likelihood"},
    "training": {"optimizers", "backend", "training_defaults"},
    "cards": {"backend", "sources", "derivations"},  # derivations only to find them, inside a function
    "derivations": CHECKED | {"cards", "ladders", "sources"},
    "plots": CHECKED | {"checkpoints"},
    "checkpoints": set(),
    "machine": {"backend", "threads"},
    "interrupts": set(),
    "training_defaults": set(),
    "run_config": set(),
    "runs": {"backend", "machine", "models", "training", "training_defaults"}
    | {"checkpoints", "interrupts", "run_config"},
    "evaluation": SAMPLING | {"samplers", "metrics"},
    "experiments": CHECKED | EVERYTHING | {"optimizers"},
    "commands": CHECKED | EVERYTHING | {"experiments"},
    "cli": {"commands"},
}
OUTSIDE = {
    "formulas": {"autograd", "scipy.special"},
    "nets": {"autograd", "numpy"},
    "cli": {"click"},
}


def modules() -> dict[str, Path]:
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("refgen", *path.relative_to(ROOT).with_suffix("").parts)
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(path: Path, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


MODULES = modules()


@pytest.mark.parametrize("module", [m for m in MODULES if m != "refgen"])
def test_imports_follow_the_arrows(module: str) -> None:
    here = room(module)
    assert here in ALLOWED, f"{here} is a room without a place in the house: give it its arrows"
    for name in imports(MODULES[module]):
        if name.startswith("refgen.") and room(name) in ALLOWED and room(name) != here:
            assert room(name) in ALLOWED[here], f"{module} imports {name}: no arrow from {here} there"


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in OUTSIDE])
def test_what_comes_from_outside(module: str) -> None:
    standard = {*sys.stdlib_module_names, "refgen"}
    for name in imports(MODULES[module]):
        if name.partition(".")[0] not in standard:
            assert any(f"{name}.".startswith(f"{a}.") for a in OUTSIDE[room(module)]), (module, name)


def test_no_circles() -> None:
    graph = {}
    for module, path in MODULES.items():
        graph[module] = {name for name in imports(path, top_only=True) if name in MODULES and name != module}
        # `from refgen.formulas import gaussian` names the package as well as the module that is meant
        graph[module] -= {
            name for name in graph[module] if any(o.startswith(name + ".") for o in graph[module])
        }
    TopologicalSorter(graph).prepare()


def test_plots_and_runs_are_used_by_experiments_and_commands_only() -> None:
    for module, path in MODULES.items():
        if room(module) not in ("experiments", "commands", "plots", "runs"):
            assert not {room(n) for n in imports(path)} & {"plots", "runs"}, module


def test_derivations_name_formulas_by_their_module() -> None:
    # A formula imported by name would be out of reach of the test of independence.
    for module, path in MODULES.items():
        if room(module) == "derivations" and module != "refgen.derivations":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("refgen.formulas"):
                    assert node.module == "refgen.formulas", f"{module}: from {node.module} import a name"
