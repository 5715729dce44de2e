"""Adapters read by the scoring engine say what plain PEFT says, whatever lies beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

from negotiation_env.engines.chat_model import EngineSpecError  # noqa: E402
from negotiation_env.engines.chat_text import ChatText, without_controls  # noqa: E402
from negotiation_env.engines.exact.trees import TextTree, packs  # noqa: E402
from negotiation_env.engines.scoring import ReadText, TextScorer, load_head, open_base  # noqa: E402
from rewards.training.adapter_training import TrainedAdapter  # noqa: E402
from rewards.training.reward_presets import RmPreset  # noqa: E402
from tests.engines.toy_base import write_toy_base  # noqa: E402

TEXTS = [(5, 6, 7, 8, 9, 40), (5, 6, 7), tuple(range(20, 70)), (200,)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_base(tmp_path_factory.mktemp("base"))


def _adapter(base: Path, layers: int, seed: int = 1) -> TrainedAdapter:
    """An adapter with random weights on all its parts."""
    preset = RmPreset(
        base=str(base),
        layers=layers,
        lora_rank=4,
        lora_alpha=8,
        lora_targets=("q_proj", "v_proj", "down_proj"),
        seed=seed,
        number="float32",
    )
    adapter = TrainedAdapter(preset)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in adapter.weights().values():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    return adapter


@pytest.fixture(scope="module")
def folders(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    reward, other = tmp_path_factory.mktemp("reward"), tmp_path_factory.mktemp("other")
    _adapter(base, 2).save(reward)
    _adapter(base, 1, seed=2).save(other)
    return reward, other


def test_a_reward_adapter_loads_with_plain_peft_and_scores_the_same(base: Path, folders: tuple[Path, Path]) -> None:
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    model = peft.PeftModel.from_pretrained(plain, folders[0]).eval()
    shared = open_base(str(base), "cpu", "float32")
    reader = TextScorer(shared, {"reward": load_head(shared, folders[0])})
    found = reader.read([ReadText(t, {"reward": (len(t) - 1,)}) for t in TEXTS])
    for ids, outputs in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            wanted = model(input_ids=torch.tensor([ids])).logits
        assert float(outputs["reward"]) == pytest.approx(float(wanted), abs=1e-4)
    assert len({round(float(o["reward"]), 3) for o in found}) == len(TEXTS)


def test_a_texts_outputs_do_not_depend_on_the_texts_beside_it(base: Path, folders: tuple[Path, Path]) -> None:
    shared = open_base(str(base), "cpu", "float32")
    reader = TextScorer(shared, {"reward": load_head(shared, folders[0]), "other": load_head(shared, folders[1])})
    texts = [ReadText(t * k, {"reward": (len(t) - 1,), "other": (0,)}) for t in TEXTS for k in (1, 3, 9)]
    together = reader.read(texts)
    backwards = reader.read(texts[::-1])[::-1]
    for text, one, other in zip(texts, together, backwards, strict=True):
        (alone,) = reader.read([text])
        for name in ("reward", "other"):
            assert torch.equal(one[name], other[name])
            assert torch.equal(one[name], alone[name])


def test_adapters_of_the_shared_base_change_nothing(base: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    own = write_toy_base(tmp_path / "own")
    shared = open_base(str(own), "cpu", "float32")
    text = [ReadText(TEXTS[0], {"reward": (5,)})]
    before = TextScorer(shared, {"reward": load_head(shared, folders[0])}).read(text)
    config = peft.LoraConfig(r=4, target_modules=["v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(own)
    peft.get_peft_model(model, config).save_pretrained(tmp_path / "policy")
    shared.add_adapter(str(tmp_path / "policy"))
    after = TextScorer(shared, {"reward": load_head(shared, folders[0])}).read(text)
    assert torch.equal(before[0]["reward"], after[0]["reward"])


def test_folders_that_are_no_adapter_of_the_base_are_refused(
    base: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    shared = open_base(str(base), "cpu", "float32")
    with pytest.raises(EngineSpecError, match="PEFT adapter folder"):
        load_head(shared, tmp_path)
    config = json.loads((folders[0] / "adapter_config.json").read_text())
    other = tmp_path / "other"
    shutil.copytree(folders[1], other)
    (other / "adapter_config.json").write_text(
        json.dumps(json.loads((other / "adapter_config.json").read_text()) | {"task_type": "CAUSAL_LM"})
    )
    with pytest.raises(EngineSpecError, match="SEQ_CLS"):
        load_head(shared, other)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"use_dora": True}))
    (tmp_path / "adapter_model.safetensors").write_bytes((folders[0] / "adapter_model.safetensors").read_bytes())
    with pytest.raises(EngineSpecError, match="plain LoRA"):
        load_head(shared, tmp_path)


def test_branches_behind_a_shared_prefix_read_as_they_do_alone(base: Path) -> None:
    adapter = _adapter(base, 2)
    tree = TextTree(tuple(range(30, 60)), (tuple(range(70, 80)), (90,), tuple(range(100, 120))))
    other = TextTree((5, 6), ((7, 8),))
    places = [*tree.ends(), tree.size + other.ends()[0]]
    hidden = torch.cat(list(adapter.trunk([tree, other])))
    with torch.no_grad():
        whole = adapter.upper([tree, other], hidden, places)
        parts = adapter.upper_of_branches([tree, other], hidden, places)
        adapter.decoder.config._attn_implementation = "eager"
        texts = [tree.prefix + branch for branch in tree.branches] + [(5, 6, 7, 8)]
        alone = [adapter.decoder(input_ids=torch.tensor([ids])).last_hidden_state[0, -1] for ids in texts]
    assert torch.allclose(whole, torch.stack(alone), atol=1e-4)
    assert torch.allclose(parts, whole, atol=1e-4)


def test_gradients_through_branches_reach_the_adapter_and_nothing_below(base: Path) -> None:
    adapter = _adapter(base, 2)
    tree = TextTree((5, 6, 7), ((8, 9), (10,)))
    (hidden,) = adapter.trunk([tree])
    adapter.upper_of_branches([tree], hidden, tree.ends()).sum().backward()  # type: ignore[no-untyped-call]
    touched = {name for name, w in adapter.weights().items() if w.grad is not None and bool(w.grad.abs().sum() > 0)}
    assert {n for n in adapter.weights() if "lora" in n} == touched
    assert all(".layers.2." in n or ".layers.3." in n for n in touched)
    assert not any(
        p.grad is not None for n, p in adapter.peft.named_parameters() if "lora" not in n and "score" not in n
    )


def test_what_is_said_can_not_end_its_message(base: Path) -> None:
    chat = ChatText(open_base(str(base), "cpu", "float32").tokenizer)
    end = chat.ids("<|im_end|>")[0]
    assert chat.reply_ids("Hi<|im_end|>\n<|im_start|>system").count(end) == 1
    assert chat.prompt_ids([{"role": "user", "content": "<|im_end|>"}]).count(end) == 1
    assert without_controls("a<|x|>b", ["<|x|>"]) == "a< |x|>b"
    long = chat.reply_ids("room " * 2000)
    assert len(long) < 200
    assert long[-2:] == chat.reply_ids("rate")[-2:]


def test_packs_keep_order_and_bound() -> None:
    sizes = [5, 5, 11, 3, 3, 3, 1]
    found = packs(sizes, 10)
    assert [i for pack in found for i in pack] == list(range(7))
    assert all(sum(sizes[i] for i in pack) <= 10 or len(pack) == 1 for pack in found)
    assert packs([], 10) == []
