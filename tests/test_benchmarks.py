"""What benchmarks/ prints with is right; nothing is timed here."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def module(monkeypatch):
    """A module of benchmarks/ by name, forgotten afterwards: `all` is no name to leave about."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(ROOT / "benchmarks")):
            del sys.modules[name]


def test_the_slope_of_a_power_is_its_exponent(module):
    sizes = [1.0, 3.0, 10.0, 50.0]
    assert module("timing").slope(sizes, [7 * n**1.5 for n in sizes]) == pytest.approx(1.5)


def test_a_ratio_is_taken_within_a_round(module, monkeypatch):
    timing = module("timing")
    clock = iter([0, 1, 0, 2, 0, 10, 0, 10, 0, 3, 0, 9])  # ratios 2, 1 and 3; medians 3 and 9
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    found = timing.interleaved({"ours": lambda: 0, "theirs": lambda: 0}, rounds=3, warm=0, units=2)
    assert found["ours"] == (1500, 1) and found["theirs"] == (4500, 2)


def test_sides_that_differ_stop_the_benchmark(module):
    agree = module("timing").agree
    agree([1.0, 2.0], [1.0, 2.001], "same")
    for other in ([1.0, 2.1], [1.0], [1.0, float("nan")]):
        with pytest.raises(SystemExit, match="different: the two sides differ"):
            agree([1.0, 2.0], other, "different")


def test_goals_that_fall_short_are_marked(module):
    table = module("goals").goals_table({1: {"sampling PyTorch no_grad": 2.0, "--help seconds": 0.05}})
    assert "| sampling PyTorch no_grad | at least 2.50 | 2.00 **short** |" in table
    assert "| --help seconds | at most 0.10 | 0.05 |" in table and "MMD" not in table


def test_every_table_has_its_place_in_the_page_and_only_it_changes(module, tmp_path):
    page = (ROOT / "docs/performance.md").read_text()
    for name in ["machine", "goals", *module("all").JOBS]:
        assert page.count(f"<!-- table: {name} -->") == 1
        assert (ROOT / f"benchmarks/{name}.py").exists()
    file = tmp_path / "page.md"
    file.write_text("a\n<!-- table: x -->\nold\n<!-- end -->\nb\n<!-- table: y -->\n<!-- end -->\n")
    module("all").put_into(file, {"x": r"new \1"})
    once = file.read_text()
    assert once == "a\n<!-- table: x -->\n\nnew \\1\n\n<!-- end -->\nb\n<!-- table: y -->\n<!-- end -->\n"
    module("all").put_into(file, {"x": r"new \1"})
    assert file.read_text() == once


def test_a_table_says_where_others_used_the_machine(module):
    busy = module("all").busy
    assert busy((0, 0, 0), (100, 50, 48)) == ""  # total, idle, ours: 2 of 100 were others'
    assert busy((10, 5, 5), (110, 55, 15)).endswith("other processes used 40% of the machine.")
    assert busy((0, 0, 0), (0, 0, 0)) == ""  # nothing is known
