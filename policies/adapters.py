"""The trained adapters that ship with the project, and the policies that play them.

``sft`` plays the best scale at which all methods ship, so that names alone compare like with like; ``sft:small`` that
one, ``sft:PATH`` an adapter folder of your own; ``sft:vllm``, ``sft:vllm:tiny`` and ``sft:vllm:PATH`` play the same on
vLLM, and with ``auto`` in its place on vLLM where there is a GPU for it; the other methods likewise. Imports no
machine-learning library until one is played.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from negotiation_env.engines.specs import join_spec
from negotiation_env.errors import UsageError
from negotiation_env.files import read_json
from negotiation_env.play.agent_prompts import PROMPTS, default_prompt
from negotiation_env.training.run_folder import RUN
from policies.chat import ChatPolicy

ARTIFACTS = Path(__file__).with_name("artifacts")
METHODS = ("sft", "dpo", "ppo", "grpo", "repo")
SCALES = ("small", "tiny")
"""Scales that may ship, best first."""
TEMPERATURE = 0.7
"""Adapters are played as on-policy training samples, without a nucleus: there the policy is what was trained. At 1 a
small model's slips of the figures drown what training could tell good replies from bad ones by."""


def shipped(method: str) -> list[str]:
    """Return the scales at which a method's adapter ships, best first."""
    return [scale for scale in SCALES if (ARTIFACTS / f"{method}-{scale}" / "adapter_config.json").is_file()]


def adapter_folder(method: str, which: str = "") -> Path:
    """Return a method's adapter: of "tiny" or "small", or the folder named; of the best scale of all methods for "".

    Raises:
        UsageError: if there is none.
    """
    known = shipped(method)
    if not which and known:
        # Where no scale has all methods, the method's own best.
        which = next((scale for scale in SCALES if all(scale in shipped(other) for other in METHODS)), known[0])
    if which in known:
        return ARTIFACTS / f"{method}-{which}"
    folder = Path(which).expanduser()
    if which and (folder / "adapter_config.json").is_file():
        return folder
    raise UsageError(
        f"{method}: expected a shipped scale ({', '.join(known) or 'none'}) or an adapter folder, got {which!r}; "
        f"train one: negotiate train {method} --preset tiny --out DIR"
    )


def start_folder(name: str) -> Path:
    """Return the adapter that a preset's ``start`` names: a folder, or a shipped one such as "sft-tiny"."""
    if (ARTIFACTS / name / "adapter_config.json").is_file():
        return ARTIFACTS / name
    folder = Path(name).expanduser()
    if (folder / "adapter_config.json").is_file():
        return folder
    known = sorted(path.parent.name for path in ARTIFACTS.glob("*/adapter_config.json"))
    raise UsageError(
        f"start: expected the folder of an adapter or a shipped one ({', '.join(known) or 'none'}), got {name!r}"
    )


def trained_with(folder: Path) -> tuple[str, int]:
    """Return the prompt, and the most tokens of a reply, in the run whose folder this is.

    Where it does not say: what suits an adapter on its base, and the prompt's own.

    Raises:
        DataFileError: if the settings cannot be read.
    """
    path = folder / RUN
    record = read_json(path, dict[str, Any]) if path.is_file() else {}
    prompt, most = record.get("prompt"), record.get("max_reply_tokens")
    # Runs older than the transcript prompt do not say; all of them had the compact one.
    name = prompt if isinstance(prompt, str) else "compact" if record else default_prompt(f"hf:{folder}")
    return name, most if isinstance(most, int) else PROMPTS[name].max_tokens


def trained_policy(method: str, which: str = "", options: Mapping[str, Any] | None = None) -> ChatPolicy:
    """Return the policy that plays a method's adapter; see ``adapter_folder``.

    "vllm" or "vllm:WHICH" plays on vLLM; "auto" in its place where vLLM has a GPU, else as without.

    Prompt and most tokens of a reply are those it was trained with, unless ``options`` (see ``ChatOptions``) say
    otherwise; a reply that was cut there is spoken as it stands, as it was in training.
    """
    first, _, rest = which.partition(":")
    engine, which = (first, rest) if first in ("vllm", "auto") else ("hf", which)
    folder = adapter_folder(method, which)
    prompt, most = trained_with(folder)
    return ChatPolicy(
        join_spec(f"{engine}:{folder}", options or {}),
        name=method,
        prompt=prompt,
        max_tokens=most,
        temperature=TEMPERATURE,
        top_p=1.0,
    )


sft_policy, dpo_policy, ppo_policy, grpo_policy, repo_policy = (partial(trained_policy, method) for method in METHODS)
