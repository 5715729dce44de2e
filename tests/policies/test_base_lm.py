import json
from pathlib import Path
from typing import Any

import pytest

from negotiation_env.errors import DataFileError, UsageError
from tests.policies.tiny_models import chats

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from negotiation_env.files import write_folder  # noqa: E402
from negotiation_env.training.run_folder import clear_leftovers  # noqa: E402
from policies.training import base_lm  # noqa: E402
from policies.training.base_lm import Muon, stock_sentences, train_tokenizer  # noqa: E402


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats(80)), encoding="utf-8")
    return path


def settings(**changes: Any) -> Any:
    small = {"examples": 80, "held_out": 16, "tokenizer_examples": 40, "vocabulary": 512, "hidden": 32, "layers": 2}
    small |= {"intermediate": 48, "heads": 2, "kv_heads": 1, "context": 128, "batch_size": 8, "warmup_steps": 2}
    return base_lm.read_settings(
        "tiny",
        [
            f"{k}={str(v).lower()}"
            for k, v in {**small, "epochs": 2, "save_every": 5, "log_every": 1, "dtype": "float32", **changes}.items()
        ],
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    out = tmp_path_factory.mktemp("base") / "run"
    base_lm.train(settings(), out, corpus)
    return out


def test_training_lowers_the_loss_and_writes_a_standard_checkpoint(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 16 and losses[-1] < losses[0] - 1.0
    model = transformers.AutoModelForCausalLM.from_pretrained(run / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(run / "model")
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert "synthetic" in (run / "model" / "README.md").read_text(encoding="utf-8")


def test_training_goes_on_from_a_base(run: Path, corpus: Path, tmp_path: Path) -> None:
    base_lm.train(settings(start=run / "model", epochs=1), tmp_path / "more", corpus)
    first, later = (json.loads((folder / "metrics.jsonl").open().readline()) for folder in (run, tmp_path / "more"))
    assert later["loss"] < first["loss"] - 1.0
    tokens = [json.loads((f / "model" / "tokenizer.json").read_text()) for f in (run, tmp_path / "more")]
    assert tokens[0]["model"] == tokens[1]["model"]
    with pytest.raises(UsageError, match="start: expected the folder of a base"):
        base_lm.train(settings(start=tmp_path / "none"), tmp_path / "other", corpus)


def test_a_chat_s_first_message_is_not_learned() -> None:
    import numpy as np

    start, pad = 1, 0
    tokens, labels = base_lm.padded(
        [np.array([start, 5, 6, 2, start, 7, 2]), np.array([start, 5, start, 8])], pad, start
    )
    ignored = base_lm.IGNORED
    assert labels.tolist() == [[ignored] * 4 + [start, 7, 2], [ignored] * 2 + [start, 8] + [ignored] * 3]
    assert tokens[1].tolist() == [start, 5, start, 8, pad, pad, pad]


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("killed_at", [7, 11])
def test_a_killed_run_ends_as_an_unbroken_one(killed_at: int, run: Path, corpus: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    def kill(done: int, steps: int, loss: float) -> None:
        if done == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        base_lm.train(settings(), tmp_path / "run", corpus, on_step=kill)
    with pytest.raises(UsageError, match="--resume"):
        base_lm.train(settings(), tmp_path / "run", corpus)
    base_lm.train(settings(), tmp_path / "run", corpus, resume=True)
    mine, other = (load_file(folder / "model" / "model.safetensors") for folder in (tmp_path / "run", run))
    assert all(torch.equal(mine[name], other[name]) for name in other)
    logs = [
        [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        for folder in (tmp_path / "run", run)
    ]
    assert logs[0] == logs[1]


def test_digits_stand_alone_and_every_text_comes_back() -> None:
    tokenizer = train_tokenizer(chats(40), 512, 128)
    for text in ("How about 1290 yuan?", "谢谢 ¥3.5", "<think>\n\n", "a  b"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
    pieces = [tokenizer.decode([i]) for i in tokenizer("1290", add_special_tokens=False)["input_ids"]]
    assert pieces == ["1", "2", "9", "0"]


def test_the_chat_template_is_chatml() -> None:
    tokenizer = train_tokenizer(chats(40), 512, 128)
    text = str(tokenizer.apply_chat_template(chats(1)[0][:2], tokenize=False, add_generation_prompt=True))
    assert text.startswith("<|im_start|>system\n") and text.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_stock_sentences_are_those_that_many_prompts_share() -> None:
    systems = [
        f"You speak for hotel {i}. Ask for one lower room rate. Name: {i} yuan, room {i % 7}." for i in range(50)
    ]
    assert stock_sentences(systems) == ["Ask for one lower room rate.", "You speak for hotel"]


def test_batches_hold_every_example_once_and_follow_from_seed_and_epoch() -> None:
    import numpy as np

    examples = [np.arange(5 + i % 9) for i in range(64)]
    first, again, other = (base_lm.epoch_batches(examples, 8, 0, epoch) for epoch in (0, 0, 1))
    assert sorted(i for batch in first for i in batch) == list(range(64))
    assert first == again != other


def test_a_bad_corpus_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"messages": []}\n{"text": "x"}\n', encoding="utf-8")
    with pytest.raises(DataFileError, match=r"corpus\.jsonl:2"):
        base_lm.read_corpus(path)


def test_a_folder_swap_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    def fill(text: str) -> Any:
        return lambda folder: (folder / "file").write_text(text, encoding="utf-8")

    write_folder(tmp_path / "best", fill("old"))
    (tmp_path / ".best.aaaa.new").mkdir()
    (tmp_path / ".best.aaaa.new" / "file").write_text("new", encoding="utf-8")
    clear_leftovers(tmp_path)
    assert (tmp_path / "best" / "file").read_text(encoding="utf-8") == "old"  # the new one may have been half written
    (tmp_path / "best").rename(tmp_path / ".best.bbbb.old")
    (tmp_path / ".best.bbbb.new").mkdir()
    (tmp_path / ".best.bbbb.new" / "file").write_text("new", encoding="utf-8")
    clear_leftovers(tmp_path)
    assert (tmp_path / "best" / "file").read_text(encoding="utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_muon_steps_as_torch_s_does_but_for_its_bfloat16() -> None:
    torch.manual_seed(0)
    one = torch.nn.Parameter(torch.randn(20, 50))
    two = torch.nn.Parameter(one.detach().clone())
    first = one.detach().clone()
    ours = Muon([one], lr=0.01, weight_decay=0.1)
    theirs = torch.optim.Muon([two], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        one.grad = torch.randn(20, 50)
        two.grad = one.grad.clone()
        ours.step()
        theirs.step()
    assert (one - two).norm() < 0.01 * (two - first).norm()
