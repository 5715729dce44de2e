"""Turn an incident into a rule, and score recorded episodes anew with it: nothing is played again."""

from pathlib import Path

from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout
from rewards.rescoring import compare, rescore

RULE = r"""
[[rule]]
id = "blames-neighbour"
points = -30
severity = "major"
message = "holds a neighbour's price against the hotel"
pattern = '\b(competitor|nearby|next door)\b'
yes = ["Your competitor Swan House charges 486."]
no = ["Could you do 420?"]
"""


def main() -> None:
    """Play ten episodes, add the rule, and print what moved."""
    scenarios = [sample_scenario(seed) for seed in range(10)]
    reward = load_reward("repo")
    before = rollout(load_policy("intent-driven"), scenarios, manager=load_manager("rules"), reward=reward)
    Path("my_rules.toml").write_text(RULE, encoding="utf-8")
    after = list(rescore(before, load_reward("repo:rules=my_rules.toml")))
    changed = compare(before, after)
    print(f"{len(changed.moves)} of {changed.replies} replies moved; rules before and after: {changed.terms}")


if __name__ == "__main__":
    main()
