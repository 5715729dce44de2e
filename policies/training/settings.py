"""Settings of policies' training, typed, and the card that shows them; needs no torch.

A method's files lie in ``presets/METHOD/SCALE.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from negotiation_env.files import known
from negotiation_env.play.agent_prompts import PROMPTS
from negotiation_env.play.registry import AUTO, suited_reader
from negotiation_env.training.presets import AdapterPreset, Count, LearningRate, Preset, Share
from negotiation_env.training.run_folder import model_card, provenance

PRESETS = Path(__file__).with_name("presets")
LAUNCH_FILES = Path(__file__).with_name("launch")
"""Accelerate's configurations of runs in several processes."""


class PolicyPreset(AdapterPreset):
    """What all methods of a scale have in common, so that only the method differs.

    ``batch_size`` counts examples, pairs or replies. ``start`` is also the reference where a method has one.
    """

    epochs: Count
    micro_batch_size: Count
    """Examples computed at once on one device; divides ``batch_size``."""
    prompt: Annotated[str, known(PROMPTS, "a prompt")] = "compact"
    """What the policy sees (``negotiation_env.play.agent_prompts``)."""
    max_prompt_tokens: Count
    max_reply_tokens: Count
    dtype: Literal["auto", "float32", "bfloat16"]
    """Number format of the base, "auto": bfloat16 where the device multiplies it, else float32, which is then several
    times faster. Adapters and their optimiser are float32."""
    gradient_checkpointing: bool = False
    """Compute activations twice to hold fewer of them."""
    torch_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads on a CPU."""

    @model_validator(mode="after")
    def _whole_batches(self) -> PolicyPreset:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"expected batch_size as a multiple of micro_batch_size, got {self.batch_size} and "
                f"{self.micro_batch_size}"
            )
        return self


class SupervisedPreset(PolicyPreset):
    """What SFT and DPO have in common."""

    examples: Count
    """Examples to generate where no file is given, held-out ones included."""
    held_out: Count
    """Most held-out examples that each measurement uses."""
    measure_every: Count
    """Optimiser steps between measurements of the held-out loss; each is followed by a checkpoint."""


class SftPreset(SupervisedPreset):
    """One SFT run."""


class DpoPreset(SupervisedPreset):
    """One DPO run (Rafailov et al. 2023, arXiv 2305.18290)."""

    beta: Annotated[float, Field(gt=0.0, le=10.0)]
    """Strength of the pull towards the start (their equation 7)."""


class BasePreset(Preset):
    """One training run from scratch; ``seed`` names it: corpus, first weights and order follow from it.

    ``examples`` chats are generated, ``held_out`` of them not trained on. ``vocabulary`` is the most that the
    tokenizer may have. ``dtype`` is the format of products: ``auto`` is bfloat16 where the processor multiplies it.
    """

    seed: Annotated[int, Field(ge=0)]
    examples: Count
    held_out: Count
    tokenizer_examples: Count
    vocabulary: Annotated[int, Field(ge=512, le=65536)]
    hidden: Count
    intermediate: Count
    layers: Count
    heads: Count
    kv_heads: Count
    context: Annotated[int, Field(ge=128)]
    epochs: Count
    batch_size: Count
    learning_rate: LearningRate
    """Of embeddings and norms (AdamW)."""
    muon_learning_rate: LearningRate
    weight_decay: Annotated[float, Field(ge=0.0, lt=1.0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    dtype: Literal["auto", "float32", "bfloat16"]
    torch_threads: Annotated[int, Field(ge=1, le=64)]
    log_every: Count
    save_every: Count
    start: str = ""
    """Folder of a base to go on from, which gives tokenizer and shape; without one, training starts from scratch."""


class Sb3Preset(Preset):
    """One PPO run. Names follow Stable-Baselines3 where it has one.

    ``seed`` names the run: network, action sampling and training scenarios follow from it.
    ``reward_scale`` is a constant factor on rewards, which mostly lie between -2 and 2 a turn.
    ``learning_rate`` falls linearly to a tenth of itself.
    """

    seed: Annotated[int, Field(ge=0)]
    total_steps: Annotated[int, Field(ge=1)]
    num_envs: Annotated[int, Field(ge=1, le=65536)]
    max_turns: Annotated[int, Field(ge=4, le=200)] = 20
    n_steps: Annotated[int, Field(ge=2, le=4096)]
    batch_size: Annotated[int, Field(ge=2)]
    n_epochs: Annotated[int, Field(ge=1, le=100)]
    learning_rate: LearningRate
    gamma: Share
    gae_lambda: Share
    clip_range: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    ent_coef: Annotated[float, Field(ge=0.0, le=1.0)]
    reward_scale: Annotated[float, Field(gt=0.0)]
    hidden: Annotated[tuple[int, ...], Field(min_length=1, max_length=4)]
    torch_threads: Annotated[int, Field(ge=1, le=64)] = 1
    greedy: bool = True
    """Whether the exported agent takes the likeliest action."""


def _named_reader(name: str) -> str:
    return suited_reader(None) if name == AUTO else name


class OnPolicyPreset(PolicyPreset):
    """One run of PPO, GRPO or REPO; which of them is the command's to say.

    Of the settings that all methods share: ``batch_size`` is replies per optimiser step (a round is divided evenly
    into about as many), ``epochs`` how often a round's replies are learned from, ``learning_rate`` the policy's
    (AdamW, constant after warm-up). Passes hold as many tokens as ``micro_batch_size`` replies of the greatest length.
    """

    reward: str
    """Name of the reward, as the environment takes it."""
    manager: str
    """Name of the hotel's side."""
    reader: Annotated[str, AfterValidator(_named_reader)] = Field(AUTO, validate_default=True)
    """Name of who reads the replies; ``"auto"`` becomes the name of what suits a language model in this
    installation."""

    scenarios: str | None = None
    """A scenario file, a folder of them, or a suite without a script, to train on; None: sampled ones. Checkpoints are
    compared on sampled ones in any case."""
    replies: Count
    """Budget: training ends with the round in which as many replies have been sampled."""
    dialogues: Count
    """Played per round, with one reply sampled at each turn; a method that samples groups plays fewer by its group
    size, so that a round has about as many replies whatever the method."""
    max_turns: Annotated[int, Field(ge=1, le=200)]
    temperature: Annotated[float, Field(gt=0.0, le=2.0)]
    """Of sampling, without a nucleus; the policy that is trained is the one at this temperature."""
    whole_dialogues: bool = False
    """Divide a round into minibatches by dialogue rather than by reply. What a dialogue's prompts begin with is then
    computed once, which saves a third of the tokens; but replies of one dialogue are alike, so steps differ more."""
    rollout_batch: Count
    """Dialogues in play at a time."""
    rollout: Annotated[str, Field(pattern=r"^(hf|vllm(\?.+)?)$")] | None = None
    """An engine of its own to sample from, which takes the policy's weights before each round: "hf", or "vllm" with the
    options of its spec, if any; None samples from the trained base itself."""

    policy_layers: Annotated[int, Field(ge=1)] | None = None
    """How many of the uppermost layers the policy learns in; None for all. The others keep the start's adapter, and no
    gradient runs through them, which saves time and memory."""
    value_learning_rate: LearningRate
    """Of the value model's adapter and head."""
    value_layers: Annotated[int, Field(ge=0)] = 0
    """How many of the uppermost layers the value model adapts; 0 for all. Nothing is learned through the others."""
    max_grad_norm: Annotated[float, Field(gt=0.0)]
    clip_range: Annotated[float, Field(gt=0.0, le=1.0)]
    dual_clip: Annotated[float, Field(gt=2.0)]
    """Greatest ratio with which a token of a bad reply counts; inf for PPO as it was."""
    gamma: Share
    """Discount per token within a reply."""
    gae_lambda: Share
    turn_discount: Share
    """Discount per turn of later replies' rewards; 0: a reply answers for itself alone."""
    group_size: Count
    """Replies sampled in each state; 1 where the method compares none."""
    decoupled: bool = False
    """Whether a group's replies are compared by each source of the reward for itself (GDPO), not by R_model; grpo's."""
    kl_weight: Annotated[float, Field(ge=0.0)]
    """Weight of the divergence from the start; 0 for none."""

    evaluate_every: Count
    """Rounds between evaluations on held-out scenarios."""
    held_out: Count
    """Dialogues per evaluation."""
    least_entropy: Annotated[float, Field(ge=0.0)]
    """Nats per token of a round's replies below which the run stops."""
    most_divergence: Annotated[float, Field(gt=0.0)]
    """Nats per token between the sampling policy and the trained one (estimator k3) above which the run stops."""
    most_empty: Share
    """Share of a round's replies without a word above which the run stops."""

    @property
    def part_tokens(self) -> int:
        """Tokens, padding included, that a pass holds; no result depends on it but for rounding."""
        return self.micro_batch_size * (self.max_prompt_tokens + self.max_reply_tokens)


METHOD_TITLES = {
    "sft": "supervised fine-tuning on demonstrations",
    "dpo": "direct preference optimisation",
    "ppo": "PPO with a reward model",
    "grpo": "GRPO with a reward model",
    "repo": "REPO: reward-enhanced policy optimisation",
}


def policy_card(method: str, preset: PolicyPreset, command: str, figures: Mapping[str, Any], data: str = "") -> str:
    """Return a trained policy's model card.

    Args:
        method: a key of ``METHOD_TITLES``.
        preset: overrides included.
        command: what the user typed.
        figures: name to value, as measured in this run.
        data: a sentence on the data file; "" where there is none.
    """
    base = preset.base
    folder = f", the base's folder being `negotiation_env.engines.specs.base_path({base!r})`"
    return model_card(
        f"{method.upper()} adapter on `{base}`",
        (
            f"A LoRA adapter of a hotel-rate negotiation agent, made by {METHOD_TITLES[method]}. It writes the next "
            f"message of a travel platform's agent, prompt `{preset.prompt}` of `negotiation_env.play.agent_prompts`.",
            "Data are synthetic: dialogues, hotels and managers are simulated, and so are the annotators of "
            "preferences. No person wrote or compared a reply. Not for use with real hotels.",
        ),
        base=base,
        tags=("lora", "negotiation", method),
        use=f"`negotiate bench --policy {method}:FOLDER --out DIR`, or in Python "
        f'`load_engine("hf:FOLDER")`. With plain PEFT: `PeftModel.from_pretrained(base, "FOLDER")`'
        f"{folder if base in ('tiny', 'smollm2') else ''}.",
        made=(command, data) if data else (command,),
        settings=preset.model_dump(),
        figures=figures,
        versions=provenance(),
    )
