"""What is compared: the base and five methods, and REPO with one thing changed. Knows presets' keys; runs nothing."""

from __future__ import annotations

from typing import Final, NamedTuple


class Variant(NamedTuple):
    """A row of a table.

    Attributes:
        name: the folder of its runs.
        method: the command of ``negotiate train`` and the folder of its presets; "base" is not trained.
        title: for people.
        overrides: "key=value" settings in which it differs from the method's preset.
    """

    name: str
    method: str
    title: str
    overrides: tuple[str, ...] = ()


BASE: Final = Variant("base", "base", "Base")
SFT: Final = Variant("sft", "sft", "SFT")
REPO: Final = Variant("repo", "repo", "REPO")
FROM_START: Final = (Variant("dpo", "dpo", "DPO"), Variant("ppo", "ppo", "PPO"), Variant("grpo", "grpo", "GRPO"), REPO)
"""Methods that train on from the SFT adapter."""
METHODS: Final = (BASE, SFT, *FROM_START)
ON_POLICY: Final = ("ppo", "grpo", "repo")
TRAINED: Final = ("sft", "dpo", *ON_POLICY)
"""Commands of ``negotiate train`` that are compared."""
TURN_DISCOUNT: Final = 0.7
"""Weight of the next reply's reward in the ablation that credits later turns."""


def ablations(reward: str, kl_weight: float) -> tuple[Variant, ...]:
    """Return REPO with one thing changed each; n = 100 is REPO itself.

    Args:
        reward: the REPO preset's reward, to which settings are added.
        kl_weight: the PPO preset's weight of the divergence penalty.
    """

    def changed(name: str, title: str, *settings: str) -> Variant:
        return Variant(f"repo-{name}", "repo", title, settings)

    def rewarded(name: str, title: str, setting: str) -> Variant:
        return changed(name, title, f"reward={with_setting(reward, setting)}")

    return (
        rewarded("without-judge", "without RJ", "without=judge"),
        rewarded("without-rules", "without RF", "without=rules"),
        rewarded("sum", "plain sum", "formula=sum"),
        changed("kl", f"KL penalty, weight {kl_weight:g}", f"kl_weight={kl_weight}"),
        rewarded("n-25", "n = 25", "n=25"),
        rewarded("n-400", "n = 400", "n=400"),
        changed("turn-discount", f"turn discount {TURN_DISCOUNT:g}", f"turn_discount={TURN_DISCOUNT}"),
    )


def with_setting(reward: str, setting: str) -> str:
    """Return a reward's spec with one more setting: "repo" and "n=25" give "repo:n=25"."""
    return f"{reward}{',' if ':' in reward else ':'}{setting}"
