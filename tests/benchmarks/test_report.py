"""The page's markup and charts, without a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.report import REPORT_HTML
from benchmarks.report.charts import Series, line_chart, means_by, scatter_chart
from benchmarks.report.panels import learning_curves
from benchmarks.report.transcripts import marks
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CaseSuite, bad_cases
from negotiation_env.errors import DataFileError
from negotiation_env.game.state import Stage
from negotiation_env.play.protocols import RewardBreakdown, RewardTerm
from negotiation_env.play.records import TurnRecord
from simulators.managers.replay_manager import ScriptLine


def test_the_page_is_whole_and_safe(tmp_path: Path) -> None:
    case = next(iter(bad_cases()))
    hostile = replace(case, script=(ScriptLine("</script><script>alert(1)</script>"), *(case.script or ())[1:]))
    run_benchmark(["heuristic"], [CaseSuite("few", (hostile,))], out=tmp_path, progress=False)
    page = (tmp_path / REPORT_HTML).read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script") == 2
    assert "alert(1)" in page
    assert not re.search(r"""(?:src|href)=["'](?!#|data:,)""", page)
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    assert "default-src 'none'" in page
    found = re.search(r'<script type="application/json" id="transcripts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    (transcript,) = json.loads(found[1])
    assert transcript["turns"][0]["answer"] == "</script><script>alert(1)</script>"


def turn(text: str, *rules: str) -> TurnRecord:
    terms = tuple(RewardTerm("rules", rule, -10.0) for rule in rules)
    reward = RewardBreakdown(None, None, None, None, None, terms)
    return TurnRecord(text, (), Stage.OPEN, reward, "", ())


def test_a_rule_s_hit_is_marked_where_it_stands() -> None:
    text = "Hello. Agent: hello again."
    ((start, end, rule),) = marks(turn("Agent: hello again.", "role-label"))
    assert ("Agent: hello again."[start:end].strip(), rule) == ("Agent:", "role-label")
    assert marks(turn(text)) == []
    assert marks(turn("Good day.", "role-label")) == []
    assert marks(turn("Good day.", "a-rule-of-the-user-s-own")) == []


@pytest.mark.parametrize("chart", [line_chart, scatter_chart])
def test_a_chart_is_well_formed_and_escapes_names(chart: object) -> None:
    series = [Series("a <b> & c", [1.0, 2.0], [0.5, 0.25], [0.4, 0.2], [0.6, 0.3]), Series("flat", [1.0], [0.5])]
    drawn = chart(series, 'title "quoted" <', "x", "y")  # type: ignore[operator]
    root = ElementTree.fromstring(drawn)
    assert "a <b> & c" in "".join(root.itertext())
    numbers = [float(n) for n in re.findall(r"-?\d+\.\d+", " ".join(e.get("points", "") for e in root.iter()))]
    assert all(0.0 <= n <= 640.0 for n in numbers)


@pytest.mark.parametrize("chart", [line_chart, scatter_chart])
def test_nothing_to_draw_is_no_chart(chart: object) -> None:
    assert chart([Series("none", [], [])], "t", "x", "y") == ""  # type: ignore[operator]


def test_small_groups_have_no_mean() -> None:
    series = means_by({1.0: [1.0, 3.0] * 4, 2.0: [1.0]}, "name", least=5)
    assert (list(series.x), list(series.y)) == ([1.0], [2.0])
    assert series.low[0] < 2.0 < series.high[0]


def test_learning_curves_are_drawn_from_what_a_run_wrote(tmp_path: Path) -> None:
    ppo, sft = tmp_path / "ppo.jsonl", tmp_path / "sft.jsonl"
    rows = [{"step": k, "replies": 100 * k, "total": k / 9, "held_out/total": None, "entropy": 1.5} for k in range(4)]
    ppo.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4, "repl')
    sft.write_text("".join(json.dumps({"step": k, "loss": 1 / k, "entropy": 1.0}) + "\n" for k in (1, 2)))
    total, entropy, loss = learning_curves({"repo <1>": ppo, "sft": sft})
    assert "R_total of a reply, in training" in total
    assert "replies sampled" in total
    assert "repo &lt;1&gt;" in total
    # A supervised run's entropy is over other replies, and has no count of them.
    assert "sft" not in entropy
    assert "sft" in loss
    assert "optimiser step" in loss


def test_a_file_without_curves_is_told(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    for text, words in (("no json\n", "metrics.jsonl"), ('{"step": 1, "x": 2}\n', "held_out/total"), ("", "got none")):
        file.write_text(text)
        with pytest.raises(DataFileError, match=words):
            learning_curves({"repo": file})
