import numpy as np
import pytest

from benchmarks.studies.sb3_quality import cut_agreed, evaluate, interval, study


def test_the_interval_holds_the_ratio_and_narrows_with_more_episodes() -> None:
    generator = np.random.default_rng(0)
    tickets = generator.integers(1, 4, size=800).astype(float)
    parts = np.stack([generator.binomial(tickets.astype(int), 0.7), tickets], axis=1)
    value, low, high = interval(parts, seed=1)
    assert value == pytest.approx(parts[:, 0].sum() / parts[:, 1].sum())
    assert low < value < high
    assert low < 0.7 < high
    few = interval(parts[:100], seed=1)
    assert few[2] - few[1] > 2 * (high - low)


def test_the_shipped_agent_wins_more_cuts_than_the_heuristic_on_held_out_scenarios() -> None:
    # Far apart at this size already (0.77 against 0.63 over 1,500 scenarios); guards against a
    # stale agent.
    played = evaluate(["sb3", "heuristic"], 100)
    shares = {
        name: interval(np.array([cut_agreed(episode) for episode in episodes]), seed=0)[0]
        for name, episodes in played.items()
    }
    assert shares["sb3"] > shares["heuristic"]


def test_the_command_prints_every_measure(capsys: pytest.CaptureFixture[str]) -> None:
    study("random", 3)
    printed = capsys.readouterr().out
    for measure in ("cut agreed", "target reached", "share of cut", "reward", "turns", "ends"):
        assert measure in printed
