import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.training.presets import read_preset
from policies.training.settings import PRESETS, DpoPreset, SftPreset, SupervisedPreset
from tests.policies.tiny_models import chats, save_tiny_model, table, write_preferences, write_sft

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
pytest.importorskip("trl")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sft(tmp_path_factory.mktemp("data") / "sft.jsonl")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_preferences(tmp_path_factory.mktemp("data") / "preferences.jsonl")


def train_sft(out: Path, data: Path, settings: dict[str, Any], resume: bool = False) -> Path:
    from policies.training import supervised

    return supervised.train(supervised.read_settings("sft", settings), out, data, resume, quiet=True)


def train_dpo(out: Path, data: Path, settings: dict[str, Any], resume: bool = False) -> Path:
    from policies.training import supervised

    return supervised.train(supervised.read_settings("dpo", settings), out, data, resume, quiet=True)


@pytest.fixture(scope="module")
def sft_run(tmp_path_factory: pytest.TempPathFactory, base: Path, demonstrations: Path) -> Path:
    return train_sft(tmp_path_factory.mktemp("sft") / "run", demonstrations, table(base))


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "adapter_model.safetensors"))


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def logits(model: Any, tokenizer: Any) -> Any:
    text = tokenizer.apply_chat_template(chats(1)[0], tokenize=False)
    with torch.no_grad():
        return model(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits


@pytest.mark.parametrize("method", ["sft", "dpo"])
@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_every_shipped_preset_is_valid(method: str, scale: str) -> None:
    model: type[SupervisedPreset] = SftPreset if method == "sft" else DpoPreset
    assert read_preset(model, scale, PRESETS / method).batch_size >= 1


def test_the_paper_preset_has_the_paper_s_settings() -> None:
    wanted: dict[str, Any] = {
        "base": "Qwen/Qwen3-32B",
        "lora_rank": 64,
        "lora_alpha": 64.0,
        "learning_rate": 1e-6,
        "batch_size": 128,
    }
    wanted |= {"warmup_steps": 2, "epochs": 10, "max_reply_tokens": 512}
    runs: list[tuple[type[SupervisedPreset], str]] = [(SftPreset, "sft"), (DpoPreset, "dpo")]
    for model, method in runs:
        found = read_preset(model, "paper", PRESETS / method).model_dump()
        assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(("change", "told"), [({"lora_rnak": 8}, "lora_rank"), ({"micro_batch_size": 3}, "multiple")])
def test_wrong_settings_are_named(base: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataFileError, match=told):
        read_preset(SftPreset, table(base, **change), PRESETS / "sft")


def test_sft_learns(sft_run: Path) -> None:
    losses = [line["loss"] for line in metrics(sft_run) if "loss" in line]
    held_out = [line["eval_loss"] for line in metrics(sft_run) if "eval_loss" in line]
    assert len(losses) == 8 and losses[-1] < losses[0] - 0.2
    assert held_out[-1] < held_out[0]


def test_the_loss_is_on_the_reply_alone(base: Path, demonstrations: Path, tmp_path: Path) -> None:
    from negotiation_env.training.run_folder import RunFolder
    from policies.training.supervised import load_base, make_data, make_trainer, read_settings, with_adapter
    from simulators.people.training_files import read_sft

    settings = read_settings("sft", table(base))
    model, tokenizer = load_base(settings)
    data = make_data(read_sft(demonstrations), settings, tokenizer)
    trainer = make_trainer(settings, with_adapter(model, settings), tokenizer, data, RunFolder(tmp_path))
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learnt = str(tokenizer.decode(ids[labels != -100]))
        assert learnt.startswith("How about") and learnt.rstrip("\n").endswith("<|im_end|>")


def test_only_the_adapter_is_trained(base: Path, sft_run: Path) -> None:
    assert {name.rpartition(".lora_")[0] for name in weights(sft_run)}
    assert all(".lora_" in name for name in weights(sft_run))
    assert all(tensor.dtype == torch.float32 for tensor in weights(sft_run).values())


def test_the_adapter_loads_with_plain_peft_and_with_the_engine(base: Path, sft_run: Path) -> None:
    from negotiation_env.engines.checkpoints import open_checkpoint

    plain = transformers.AutoModelForCausalLM.from_pretrained(base)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    bare = logits(plain, tokenizer)
    adapted = logits(peft.PeftModel.from_pretrained(plain, sft_run), tokenizer)
    assert not torch.allclose(bare, adapted, atol=1e-3)
    shared, name = open_checkpoint(str(sft_run), "cpu", "float32")
    wrapped = shared._wrapped
    with shared.use(name) as model:
        by_hand = {n: p for n, p in model.named_parameters() if f".{name}." in n}
        assert by_hand and wrapped is not None
        for key, tensor in weights(sft_run).items():
            mine = by_hand[key.removeprefix("base_model.model.").replace(".weight", f".{name}.weight")]
            assert torch.equal(mine, tensor)


def test_a_card_tells_how_the_adapter_was_made(sft_run: Path) -> None:
    card = (sft_run / "README.md").read_text(encoding="utf-8")
    for told in ("synthetic", "SHA-256", "commit", "best held-out loss", "learning_rate", "a call from Python"):
        assert told in card


def test_no_file_of_a_run_is_a_pickle(sft_run: Path) -> None:
    kinds = {path.suffix for path in sft_run.rglob("*") if path.is_file() and "tensorboard" not in path.parts}
    assert kinds <= {".safetensors", ".json", ".jsonl", ".md"}


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("killed_at", [4, 7])
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_killed_run_ends_as_an_unbroken_one(
    method: str, killed_at: int, base: Path, sft_run: Path, demonstrations: Path, pairs: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from policies.training.resumable import Watch

    train, data = (train_sft, demonstrations) if method == "sft" else (train_dpo, pairs)
    settings = table(base) if method == "sft" else table(base, start=str(sft_run), beta=0.1)
    whole = sft_run if method == "sft" else train(tmp_path / "whole", data, settings)
    original = Watch.on_step_end

    def killing(self: Watch, args: Any, state: Any, control: Any, **kwargs: object) -> None:
        original(self, args, state, control, **kwargs)
        if state.global_step == killed_at:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_step_end", killing)
        with pytest.raises(KilledError):
            train(tmp_path / "broken", data, settings)
    assert (tmp_path / "broken" / "checkpoints" / f"step-{killed_at // 3 * 3}").is_dir()
    resumed = train(tmp_path / "broken", data, settings, resume=True)
    for folder in (".", "last"):
        mine, other = weights(resumed / folder), weights(whole / folder)
        assert mine.keys() == other.keys()
        assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert [line["step"] for line in metrics(resumed)] == [line["step"] for line in metrics(whole)]


def test_a_run_is_not_written_over(base: Path, sft_run: Path, demonstrations: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        train_sft(sft_run, demonstrations, table(base))
    with pytest.raises(UsageError, match="settings and data"):
        train_sft(sft_run, demonstrations, table(base, epochs=3), resume=True)


def test_dpo_starts_at_its_reference_and_learns_preferences(
    base: Path, sft_run: Path, pairs: Path, tmp_path: Path
) -> None:
    out = train_dpo(tmp_path / "dpo", pairs, table(base, start=str(sft_run), beta=0.1))
    losses = [line["loss"] for line in metrics(out) if "loss" in line]
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)
    measured = [line for line in metrics(out) if "eval_rewards/accuracies" in line]
    assert measured[-1]["eval_rewards/accuracies"] == 1.0
    assert set(weights(out)) == set(weights(sft_run))


def test_a_start_of_another_shape_is_refused(base: Path, sft_run: Path, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rank"):
        train_dpo(tmp_path / "dpo", pairs, table(base, start=str(sft_run), lora_rank=8, beta=0.1))


def test_a_loss_that_is_no_number_stops_the_run(base: Path, demonstrations: Path, tmp_path: Path) -> None:
    from negotiation_env.training.run_folder import TrainingStoppedError

    broken = tmp_path / "base"
    shutil.copytree(base, broken)
    from safetensors.torch import load_file, save_file

    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"].fill_(float("nan"))
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingStoppedError, match="finite loss"):
        train_sft(tmp_path / "run", demonstrations, table(broken))


def test_too_long_examples_are_left_out_and_counted(base: Path, demonstrations: Path) -> None:
    from policies.training.supervised import load_base, make_data, read_settings
    from simulators.people.training_files import read_sft

    settings = read_settings("sft", table(base, max_reply_tokens=3))
    with pytest.raises(UsageError, match="40 are longer"):
        make_data(read_sft(demonstrations), settings, load_base(settings)[1])


@pytest.mark.slow
def test_a_run_killed_from_outside_goes_on(base: Path, sft_run: Path, demonstrations: Path, tmp_path: Path) -> None:
    preset = tmp_path / "preset.toml"
    preset.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in table(base).items()), encoding="utf-8")
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-c",
        "from benchmarks.cli.main import main; main()",
        "train",
        "sft",
        "--preset",
        str(preset),
    ]
    command += ["--data", str(demonstrations), "--out", str(out)]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None and not list(out.glob("checkpoints/step-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = train_sft(out, demonstrations, table(base), resume=True)
    mine, other = weights(resumed), weights(sft_run)
    assert all(torch.equal(mine[name], other[name]) for name in other)
