"""The demo from end to end, with fewer cards and steps than it has."""

from click.testing import CliRunner

from refgen import training_defaults
from refgen.cards import CARDS
from refgen.cards.load import load_cards
from refgen.cli import main
from refgen.commands import demo

load_cards()


def test_the_demo_verifies_trains_draws_and_says_what_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_defaults, "STEPS", 200)
    few = {id: CARDS[id] for id in ("GAU-5", "GAU-7")}
    monkeypatch.setattr("refgen.cards.CARDS", few)
    for expected in ("runs/demo", "runs/demo-2"):  # a second demo leaves the first alone
        result = CliRunner().invoke(main, ["demo"])
        assert result.exit_code == 0, (result.output, result.exception)
        assert "2 cards: 2 passed" in result.stdout
        assert f"Open {expected}/figures/overview.png" in result.stdout
        assert "misprints ERR-3" in result.stdout
        assert (tmp_path / expected / "figures" / "score.png").stat().st_size > 1000


def test_a_folder_that_holds_a_run_is_refused_before_any_work(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 2 and "already holds a run" in result.stderr
    assert result.stdout == ""


def test_a_slow_machine_stops_the_training_in_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_defaults, "STEPS", 10_000)
    monkeypatch.setattr(demo, "SECONDS", 0.5)
    folder = demo._train(tmp_path / "run", seed=0)
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert 100 <= int(rows[-1].split(",")[0]) < 10_000
    from refgen import runs

    assert runs.load(folder).state.step < 10_000
