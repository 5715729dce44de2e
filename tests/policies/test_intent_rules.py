from pathlib import Path

import pytest

from negotiation_env.errors import DataFileError
from negotiation_env.files import read_toml
from policies.intent_driven import ANY, MOVES, RULES, RuleBase, default_rules

MINIMAL = """
format = 1
[[intents]]
name = "quotes"
acts = ["counter"]
[[rules]]
intent = "any"
say = ["bargain"]
[bargaining]
anchor = 1.2
turns_to_goal = 8
power = 1.0
settle_from_turn = 9
reasons = ["exposure"]
"""


def test_every_intent_and_move_of_the_shipped_table_is_used() -> None:
    rules = default_rules()
    said = {move for rule in rules.rules for move in rule.say}
    assert said == set(MOVES)
    # Intents without a rule of their own go straight to the next step of the procedure.
    answered = {rule.intent for rule in rules.rules}
    assert {"silent", "upset", "bereaved", "fishing", "injection", "wants_promise", ANY} <= answered


def test_a_small_rule_base_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    assert read_toml(path, RuleBase).rules[0].say == ("bargain",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("format = 1", "format = 2", "format: expected 1"),
        ('"bargain"', '"bargian"', "Did you mean 'bargain'"),
        ('acts = ["counter"]', 'acts = ["conter"]', "Did you mean 'counter'"),
        ('acts = ["counter"]', 'patterns = ["("]', "regular expression"),
        ('say = ["bargain"]', 'say = ["bargain"]\nwhen = ["!takable"]', "Did you mean 'takeable'"),
        ('say = ["bargain"]', 'say = ["bargain"]\nstage = ["opne"]', "Did you mean 'open'"),
        ('intent = "any"', 'intent = "quote"', "Did you mean 'quotes'"),
        ("anchor = 1.2", "anchor = 3", "bargaining.anchor: expected a number of at most 2.0, got 3"),
        ("anchor = 1.2", "ancor = 1.2", "Did you mean 'anchor'"),
        ('["exposure"]', '["pressure"]', "bargaining.reasons"),
        ("[bargaining]", "[bargaining", "expected readable TOML"),
    ],
)
def test_a_wrong_rule_base_is_told_apart(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "own.toml"
    assert old in MINIMAL
    path.write_text(MINIMAL.replace(old, new), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"own\.toml") as error:
        read_toml(path, RuleBase)
    assert told in str(error.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"intents\.toml: expected a readable TOML file"):
        read_toml(tmp_path / RULES.name, RuleBase)
