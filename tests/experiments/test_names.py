"""The register of experiments."""

from pathlib import Path

import pytest

from refgen import experiments

ROOT = Path(experiments.__file__).parent
# Parts that are no experiment of `refgen reproduce`: shared, pictures of runs, and what `misprints` calls.
PARTS = {"__init__", "outcome", "trained", "gallery", "consistency_form"}


@pytest.mark.parametrize("name", experiments.ENTRIES)
def test_every_experiment_has_a_file_that_runs_and_a_test(name):
    entry = experiments.ENTRIES[name]
    assert entry.title and entry.ids and name == name.lower() and "_" not in name
    if entry.why_not:
        with pytest.raises(ValueError, match=f"{name} .* is not reproduced: "):
            experiments.runner(name)
    else:
        assert callable(experiments.runner(name))
        assert (Path(__file__).parent / f"test_{name.replace('-', '_')}.py").exists()


def test_no_file_is_left_out():
    files = {path.stem for path in ROOT.glob("*.py")} - PARTS
    known = {name.replace("-", "_") for name, entry in experiments.ENTRIES.items() if not entry.why_not}
    shared = {
        stem
        for stem in files - known
        if not hasattr(__import__(f"refgen.experiments.{stem}", fromlist=[stem]), "run")
    }
    assert files - shared == known


def test_found_by_name_and_by_id_in_any_case():
    assert experiments.find("annealing-images") == experiments.find("exp-12") == ["annealing-images"]


def test_a_wrong_name_gets_the_near_ones():
    with pytest.raises(ValueError, match="no experiment 'annealing-image'; did you mean annealing-images"):
        experiments.find("annealing-image")
    with pytest.raises(ValueError, match="refgen reproduce lists them"):
        experiments.find("qqqq")
