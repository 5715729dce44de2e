"""Turns a GGUF file of a Llama model into a standard safetensors checkpoint.

Tokenizers are byte-level BPE with single-digit splitting ("smollm"). Weights are dequantised to float32 and rounded to
bfloat16.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from negotiation_env.files import write_json

_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TOP_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_CONTROL_TOKEN = 3  # gguf.TokenType.CONTROL


class GGUFContentError(ValueError):
    """A GGUF file that holds something other than the kind of model known here."""


def convert_llama_gguf(source: Path, folder: Path) -> None:
    """Write model.safetensors, config.json, tokenizer files and chat template into folder.

    folder must exist. Raises GGUFContentError for another architecture or tokenizer.
    """
    reader = gguf.GGUFReader(source)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    architecture = fields.get("general.architecture")
    tokenizer = (fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre"))
    if architecture != "llama" or tokenizer != ("gpt2", "smollm"):
        raise GGUFContentError(
            f"{source.name}: expected architecture llama with the gpt2/smollm tokenizer, "
            f"got {architecture} with {tokenizer[0]}/{tokenizer[1]}"
        )
    heads = int(fields["llama.attention.head_count"])
    kv_heads = int(fields["llama.attention.head_count_kv"])
    weights: dict[str, torch.Tensor] = {}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        name = _checkpoint_name(tensor.name)
        if name.endswith("q_proj.weight"):
            values = _undo_row_order(values, heads)
        elif name.endswith("k_proj.weight"):
            values = _undo_row_order(values, kv_heads)
        weights[name] = torch.tensor(values).to(torch.bfloat16)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = _config(fields, tied="lm_head.weight" not in weights)
    write_json(folder / "config.json", config, escaped=True, ordered=True)
    write_json(
        folder / "generation_config.json",
        {
            "bos_token_id": int(fields["tokenizer.ggml.bos_token_id"]),
            "eos_token_id": int(fields["tokenizer.ggml.eos_token_id"]),
            "pad_token_id": int(fields["tokenizer.ggml.padding_token_id"]),
        },
        ordered=True,
    )
    _write_tokenizer(fields, folder)


def _checkpoint_name(name: str) -> str:
    if name in _TOP_NAMES:
        return _TOP_NAMES[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in _LAYER_NAMES:
        return f"model.layers.{parts[1]}.{_LAYER_NAMES[parts[2]]}.{parts[3]}"
    raise GGUFContentError(f"tensor {name}: not a tensor of a Llama model")


def _undo_row_order(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    # GGUF interleaves the two halves of each head's rotary dimensions; checkpoints keep them apart.
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def _config(fields: dict[str, Any], *, tied: bool) -> dict[str, object]:
    heads = int(fields["llama.attention.head_count"])
    hidden = int(fields["llama.embedding_length"])
    theta = float(fields["llama.rope.freq_base"])
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": int(fields["llama.feed_forward_length"]),
        "num_hidden_layers": int(fields["llama.block_count"]),
        "num_attention_heads": heads,
        "num_key_value_heads": int(fields["llama.attention.head_count_kv"]),
        "head_dim": hidden // heads,
        "max_position_embeddings": int(fields["llama.context_length"]),
        # GGUF stores this in float32; six digits give back the 1e-05 that was meant.
        "rms_norm_eps": float(f"{fields['llama.attention.layer_norm_rms_epsilon']:.6g}"),
        # Both spellings: readers before and after transformers 5 look in different places.
        "rope_theta": theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": tied,
        "vocab_size": int(fields["llama.vocab_size"]),
        "bos_token_id": int(fields["tokenizer.ggml.bos_token_id"]),
        "eos_token_id": int(fields["tokenizer.ggml.eos_token_id"]),
        "pad_token_id": int(fields["tokenizer.ggml.padding_token_id"]),
        "torch_dtype": "bfloat16",
    }


def _write_tokenizer(fields: dict[str, Any], folder: Path) -> None:
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    kinds: list[int] = fields["tokenizer.ggml.token_type"]
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [t for t, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {
            # The plain class keeps tokenizer.json's own digit splitting.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[int(fields["tokenizer.ggml.bos_token_id"])],
            "eos_token": tokens[int(fields["tokenizer.ggml.eos_token_id"])],
            "unk_token": tokens[int(fields["tokenizer.ggml.unknown_token_id"])],
            "pad_token": tokens[int(fields["tokenizer.ggml.padding_token_id"])],
            "model_max_length": int(fields["llama.context_length"]),
            "clean_up_tokenization_spaces": False,
        },
        escaped=True,
        ordered=True,
    )
    template = fields["tokenizer.chat_template"]
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
