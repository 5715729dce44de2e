"""The ``negotiate`` command: what people see, exit codes, and that help stays quick."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.cli import train
from benchmarks.cli.main import app, main
from benchmarks.studies import STUDIES
from negotiation_env import __version__
from negotiation_env.engines.chat_model import ChatReply
from negotiation_env.language import READER_VERSION
from negotiation_env.play import registry
from tests.benchmarks.playing import ScoredByLength
from tests.benchmarks.test_raters_llm import Canned

POLITE = "tests.benchmarks.playing:Polite"
CASE = "benchmarks/suites/bad_cases/emotion-2.toml"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "120")


def invoke(*arguments: str, text: str = "") -> Any:
    return CliRunner().invoke(app, list(arguments), input=text)


@pytest.mark.parametrize("command", ["bench", "demo", "play", "read", "doctor", "train", "persona", "study"])
def test_every_command_has_help(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert command in result.output


def test_version() -> None:
    assert __version__ in invoke("--version").output


def test_bench_prints_the_table_and_ends_with_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    result = invoke("bench", "-p", POLITE, "-s", CASE, "-o", str(tmp_path), "-q")
    assert result.exit_code == 0, result.output
    assert "clean_fix" in result.output
    assert result.output.rstrip().splitlines()[-1] == f"Report: {tmp_path / 'report.html'}"
    assert json.loads((tmp_path / "report.json").read_text())["policies"].keys() == {POLITE}


def test_bench_shows_a_models_ratings_beside_the_panels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    plain, rated = tmp_path / "plain", tmp_path / "rated"
    assert invoke("bench", "-p", POLITE, "-s", CASE, "-o", str(plain), "-q").exit_code == 0
    monkeypatch.setattr("negotiation_env.engines.specs.load_engine", lambda spec: Canned(ChatReply("no idea")))
    result = invoke("bench", "-p", POLITE, "-s", CASE, "-o", str(rated), "-q", "--rater", "canned")
    assert result.exit_code == 0, result.output
    assert "readable 0.00" in result.output
    assert (rated / "llm_ratings.jsonl").is_file()
    figures = [json.loads((folder / "report.json").read_text())["policies"] for folder in (plain, rated)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("policy", "suite", "words"),
    [
        ("heuristik", "online", "Did you mean 'heuristic'?"),
        (POLITE, "onlin", "Did you mean 'online'?"),
        (POLITE, "no/such.toml", "no such path"),
    ],
)
def test_a_wrong_name_is_one_clean_line_and_exit_code_2(tmp_path: Path, policy: str, suite: str, words: str) -> None:
    result = invoke("bench", "-p", policy, "-s", suite, "-o", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: expected")
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_bench_draws_learning_curves_on_the_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    runs = [tmp_path / "ppo", tmp_path / "repo"]
    for run in runs:
        run.mkdir()
        rows = [{"step": k, "replies": 64 * k, "held_out/total": k - 2.0} for k in range(3)]
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench = ("bench", "-p", POLITE, "-s", CASE, "-o", str(tmp_path / "out"), "-q")
    curves = ("--curve", f"ppo={runs[0]}", "--curve", f"mine={runs[1] / 'metrics.jsonl'}")
    reports = []
    for arguments, shown in ((bench, False), ((*bench, *curves), True)):
        result = invoke(*arguments)
        assert result.exit_code == 0, result.output
        page = (tmp_path / "out/report.html").read_text()
        assert ("held-out dialogues" in page) is (">mine<" in page) is shown
        report = json.loads((tmp_path / "out/report.json").read_text())
        del report["provenance"]["times"]
        reports.append(report)
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        (["out/ppo"], "expected NAME=PATH, got 'out/ppo'"),
        (["=out/ppo"], "expected NAME=PATH"),
        (["ppo=no/such/run"], "found no file no/such/run"),
        (["ppo=tests"], "found no file tests/metrics.jsonl"),
        (
            ["a=pyproject.toml"],
            "pyproject.toml:1: expected readable JSON, got: Expecting value: line 1 column 2 (char 1): "
            "name a training run's metrics.jsonl",
        ),
    ],
)
def test_a_wrong_curve_is_told_before_anything_is_played(tmp_path: Path, curves: list[str], words: str) -> None:
    options = [part for curve in curves for part in ("--curve", curve)]
    result = invoke("bench", "-p", POLITE, "-s", CASE, "-o", str(tmp_path / "out"), *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_two_curves_need_two_names(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1, "loss": 2.0}\n')
    result = invoke("bench", "-p", POLITE, "-o", str(tmp_path / "out"), "--curve", f"a={file}", "--curve", f"a={file}")
    assert result.exit_code == 2
    assert "got 'a' twice" in result.stderr


def test_a_wrong_manager_is_told_before_anything_is_played(tmp_path: Path) -> None:
    result = invoke("bench", "-p", POLITE, "-s", CASE, "--manager", "rule", "-o", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "Did you mean 'rules'?" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_interrupt_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(spec: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "load_policy", interrupted)
    result = invoke("bench", "-p", POLITE, "-s", CASE, "-o", str(tmp_path))
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


@pytest.mark.parametrize("command", [("play",), ("read", "Deal."), ("bench", "-p", POLITE, "-s", CASE, "-q", "-o")])
def test_a_wrong_reader_is_one_clean_line(command: tuple[str, ...], tmp_path: Path) -> None:
    place = [str(tmp_path / "out")] if command[-1] == "-o" else []
    result = invoke(*command, *place, "--reader", "rulez", text="/quit\n")
    assert result.exit_code == 2
    assert "Did you mean 'rules'" in result.output
    assert not (tmp_path / "out").exists()


def test_read_says_how_a_message_is_understood() -> None:
    result = invoke("read", "Would 300 yuan work for you?", "--reader", "rules")
    assert result.exit_code == 0, result.output
    said, meant, who = result.output.splitlines()
    assert said == "agent: Would 300 yuan work for you?"
    assert meant == "proposes 300 for the Deluxe King"
    assert who == f"read by rules {READER_VERSION}, confidence 1.00"


def test_read_knows_the_situation() -> None:
    rooms = ("--room", "Superior Twin=363", "--room", "Family Suite=600")
    figures = ("--quote", "0", "--quote", "577", "--bid", "300", "--heard", "577 for the suite.", "--reader", "rules")
    result = invoke("read", "We take the suite at 577.", *rooms, *figures, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["speaker"], found["reader"]) == ("agent", f"rules {READER_VERSION}")
    (act,) = found["acts"]
    assert (act["act"], act["ticket"], act["price"], act["force"]) == ("ACCEPT", 1, 577.0, "firm")
    assert found["text"] == "takes 577 for the Family Suite (firm)"
    hotel = json.loads(invoke("read", "I can do 590.", "--manager", "--reader", "rules", "--json").output)
    assert (hotel["speaker"], hotel["acts"][0]["act"]) == ("manager", "COUNTER")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--room", "363"), "NAME=PRICE"),
        (("--room", "King=many"), "NAME=PRICE"),
        (("--quote", "300", "--quote", "310"), "at most one figure a room"),
        (("--bid", "-3"), "at most one figure a room"),
        (("--room", "A=300", "--room", "A=310"), "different room types"),
        (("--room", "A=1", "--room", "B=2", "--room", "C=3", "--room", "D=4"), "1 to 3 tickets"),
    ],
)
def test_read_tells_of_a_situation_that_cannot_be(options: tuple[str, ...], words: str) -> None:
    result = invoke("read", "Deal.", "--reader", "rules", *options)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


@pytest.mark.parametrize("text", ["", "\x00", "🙂" * 30, "9" * 400, "[/bold] [red]"])
def test_read_takes_any_text(text: str) -> None:
    assert invoke("read", text, "--reader", "rules").exit_code == 0


def test_doctor_names_the_parts() -> None:
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    for part in ("Python", "gymnasium", "torch", "SmolLM2", "cache", "writable", "intent-driven"):
        assert part in result.output


def test_doctor_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.cli import doctor

    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("ray", "vllm") else "1.0")
    found = {finding.part: finding for finding in doctor.packages()}
    assert found["ray"] == ("ray", "not installed", "optional: pip install 'negotiation-env[ray]'")
    assert "venv of its own" in found["vllm"].remedy
    card = doctor.Gpu("NVIDIA GeForce RTX 4090", 25_282_805_760)
    assert doctor.machine([card])[1].state == "1: NVIDIA GeForce RTX 4090, 25.3 GB"
    if importlib.util.find_spec("peft") is not None:
        here = {finding.part: finding for finding in doctor.launch_findings([card])}
        assert here["qwen3-1.7b_24gb"].state == "fits here"
        assert here["qwen3-1.7b_24gb"].remedy.endswith("qwen3-1.7b_24gb.sh OUT")
        assert here["qwen3-32b_2nodes"].state.startswith("no: wants 8 GPUs of 84.9 GB")


def test_train_hands_over_to_the_training_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    class Training:
        @staticmethod
        def train(preset: str, out: Path, overrides: tuple[str, ...], verbose: int) -> Path:
            given.extend([preset, out, overrides])
            return out

    monkeypatch.setitem(sys.modules, "policies.training.sb3_ppo", Training)
    monkeypatch.setattr("policies.training.sb3_ppo", Training, raising=False)
    result = invoke("train", "sb3", "--preset", "tiny", "--out", str(tmp_path), "--seed", "4", "--set", "gamma=0.5")
    assert result.exit_code == 0, result.output
    assert given == ["tiny", tmp_path, ("gamma=0.5", "seed=4")]
    assert f"--policy sb3:{tmp_path}" in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['negotiate', '--help']\n"
        "from benchmarks.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'transformers', 'scipy', 'stable_baselines3') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.rstrip().endswith("[]")


def test_the_list_of_studies_imports_none_of_them() -> None:
    code = (
        "import sys; sys.argv = ['negotiate', 'study', '--help']\n"
        "from benchmarks.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('benchmarks.studies.')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.rstrip().endswith("[]")
    assert all(name in result.stdout and study.what.split()[0] in result.stdout for name, study in STUDIES.items())


@pytest.mark.parametrize("name", [name for name, study in STUDIES.items() if study.extra != "verifiers"])
def test_every_study_has_help(name: str) -> None:
    if STUDIES[name].extra == "train":
        pytest.importorskip("trl")
    result = invoke("study", name, "--help")
    assert result.exit_code == 0, result.output
    assert name in result.output


def test_a_study_s_missed_target_is_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.studies.robustness.SLOWEST", -1.0)
    assert invoke("study", "robustness", "--messages", "3").exit_code == 1
    monkeypatch.setattr("benchmarks.studies.robustness.SLOWEST", 60.0)
    assert invoke("study", "robustness", "--messages", "3").exit_code == 0
    assert invoke("study", "robustnes").exit_code == 2


def test_a_study_that_lacks_a_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.delitem(sys.modules, "policies.integrations.trl_grpo", raising=False)
    result = invoke("study", "trl-grpo")
    assert result.exit_code == 2
    assert "pip install 'negotiation-env[train]'" in result.stderr


def test_serving_without_openenv_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openenv", None)
    monkeypatch.delitem(sys.modules, "policies.integrations.openenv_server", raising=False)
    result = invoke("serve")
    assert result.exit_code == 2
    assert "pip install 'negotiation-env[openenv]'" in result.stderr


def test_no_module_is_a_program_of_its_own_or_changes_its_arguments() -> None:
    """Everything is a command of ``negotiate``; library code does not import the command line."""
    packages = ("negotiation_env", "simulators", "policies", "rewards", "benchmarks")
    faults = []
    for path in (path for package in packages for path in (ROOT / package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        words = ["argparse", "sys.argv =", "\nif __name__ =="]
        words += [] if path.parent.name == "cli" else ["benchmarks.cli"]
        faults += [f"{path.relative_to(ROOT)}: {word.strip()}" for word in words if word in text]
    assert faults == []


def test_main_and_train_are_mounted() -> None:
    assert callable(main)
    assert train.app.registered_commands
