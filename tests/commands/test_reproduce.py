"""refgen reproduce: what it prints and writes, and its exit status, with experiments made up here."""

import json

import pytest
from click.testing import CliRunner

from refgen import experiments, plots
from refgen.cli import main
from refgen.experiments.outcome import Claim, Outcome


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """Two experiments: one whose number is drawn, one that is as the test says."""
    says = {"expected": True, "measured": 0.5}

    def drawn(rng, say):
        say("drawing")
        for total in (10, 20):
            for step in range(1, total + 1):
                say("stepping", step, total)
        number = float(rng.uniform())
        return Outcome(
            "It is small.",
            [Claim("number", number, "<=", 1.0)],
            {"n": number},
            plots.panels(1, 1)[0],
            "Look.",
        )

    def fixed(rng, say):
        claim = Claim("number", says["measured"], "<=", 1.0, expected=says["expected"])
        return Outcome("It is fixed.", [claim], {}, plots.panels(1, 1)[0], "See.")

    runs = {"drawn-number": drawn, "fixed-number": fixed}
    entries = {name: experiments.Entry(f"EXP-{90 + i}", "a number") for i, name in enumerate(runs)}
    entries["no-number"] = experiments.Entry("EXP-99", "none", "it cannot be")
    monkeypatch.setattr(experiments, "ENTRIES", entries)
    real = experiments.runner
    monkeypatch.setattr(experiments, "runner", lambda name: runs.get(name) or real(name))
    monkeypatch.chdir(tmp_path)
    return says


def call(*arguments):
    return CliRunner().invoke(main, ["reproduce", *arguments])


def test_without_a_name_it_lists(made_up, tmp_path):
    result = call()
    assert result.exit_code == 0
    assert (
        "drawn-number  a number" in result.stdout
        and "EXP-90" in result.stdout
        and "not reproduced: it cannot be" in result.stdout
    )
    assert [row["name"] for row in json.loads(call("--json").stdout)] == [
        "drawn-number",
        "fixed-number",
        "no-number",
    ]
    assert not list(tmp_path.iterdir())


def test_one_writes_its_picture_and_numbers_and_says_what_holds(made_up, tmp_path):
    result = call("exp-90", "--seed", "3")
    assert result.exit_code == 0
    assert "EXP-90  It is small." in result.stdout and "  holds         number" in result.stdout
    assert "drawing ..." in result.stderr and "stepping  10/10" in result.stderr
    assert "stepping  20/20" in result.stderr and "20/10" not in result.stderr
    assert sorted(path.name for path in tmp_path.glob("reproduced/*")) == [
        "drawn-number.json",
        "drawn-number.png",
    ]
    report = json.loads((tmp_path / "reproduced/drawn-number.json").read_text())
    assert report["seed"] == 3 and report["ids"] == ["EXP-90"] and report["claims"][0]["holds"]
    assert call("drawn-number", "--seed", "3", "--json", "--out", "b").exit_code == 0
    assert (tmp_path / "b/drawn-number.json").read_text() == (
        tmp_path / "reproduced/drawn-number.json"
    ).read_text()
    assert json.loads(call("EXP-90", "--seed", "4", "--json").stdout)[0]["numbers"] != report["numbers"]


def test_all_runs_what_can_be_and_sums_up(made_up):
    result = call("--all")
    assert result.exit_code == 0
    assert "2 experiments, 2 claims: 2 hold, 0 do not" not in result.stdout  # nothing to add where all hold
    assert "2 experiments, 2 claims: 2 hold" in result.stdout


@pytest.mark.parametrize(
    ("measured", "expected", "status"), [(2.0, True, 1), (2.0, False, 0), (0.5, False, 1)]
)
def test_only_a_surprise_is_a_failure(made_up, measured, expected, status):
    made_up |= {"measured": measured, "expected": expected}
    result = call("fixed-number")
    assert result.exit_code == status
    assert ("otherwise than expected: fixed-number" in result.stderr) == bool(status)
    assert ("known not to hold" in result.stdout) == (not expected and not status)


@pytest.mark.parametrize("name", ["EXP-99", "no-number", "drwn-number"])
def test_what_is_not_there_is_one_line(made_up, name):
    result = call(name)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_is_said_before_the_work(made_up, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("drawn-number", "--out", "file")
    assert result.exit_code == 2 and "drawing" not in result.stderr


def test_names_and_all_do_not_go_together(made_up):
    result = call("drawn-number", "--all")
    assert result.exit_code == 2 and "not both" in result.stderr
