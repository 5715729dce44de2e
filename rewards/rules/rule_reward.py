"""RF: the rule-based reward source. Rules are data (``rules.toml``, read by ``rule_file``); this module applies them.

Every rule has examples that must and must not fire it, tried out on a made-up card (``check_examples``): one room at
400 yuan, commission 15 percent (340 net), target 352; or that and a second at 600.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import regex

from negotiation_env.errors import DataFileError
from negotiation_env.game.features import FEATURE_INDEX
from negotiation_env.game.lanes import FLOATS, Lanes, Num
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import Facts, Hotel, TaskCard, Ticket, card_numbers
from negotiation_env.game.state import apply_decision, apply_move, new_game, settle
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import RuleReader, understand
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import ReplyView, RewardTerm, Utterance
from rewards.rules.measures import LENGTHS, MEASURES, Measure
from rewards.rules.plain_text import DIGIT, ORDINARY_SIGNS, Prepared, prepare, token_set, tokens_of
from rewards.rules.rule_file import Example, Rule, load_rules
from rewards.sources import RuleScore

__all__ = ["PATTERN_SECONDS", "SHIPPED", "Example", "Rule", "RuleReward", "load_rules"]

SHIPPED = Path(__file__).with_name("rules.toml")
PATTERN_SECONDS = 0.25
"""Time limit of one pattern on one reply; a pattern that reaches it leaves the reply unscored, with a fault. Those of
the shipped file have none on ASCII."""
_CLAUSE_END = re.compile(r"[.!?;:,\n。！？；，]|\bbut\b")
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?;\n。！？；]")
_CLAUSE = 120
"""Characters before a match that are searched for the beginning of its clause."""
_BEHIND = 48
"""Characters behind a match, in its sentence, that may take it back."""
_MESSAGE = 400
"""Last characters of the hotel's message that are searched for what it asks."""
_LONG_WORD = 6
"""Letters of a word that is not used by chance."""
_MOST_MATCHES = 12
"""Matches of a pattern that are looked at; each may be excused by what stands before it."""


_Engine = tuple[Any, Any, Any]
"""Of one engine: a pattern, what excuses it before a match, and what takes it back behind one; either may be None."""


class _Matcher(NamedTuple):
    """A compiled pattern with its exceptions."""

    limited: _Engine
    """For ``regex``, whose searches end in time."""
    free: _Engine | None = None
    """The same for ``re``, for a tested pattern on ASCII, where both match alike: it takes six tenths of the time (the
    patterns of the shipped file on 200 messages, 1.2 for 1.9 ms), and has no time limit."""

    @classmethod
    def of(cls, rule: Rule, tested: bool) -> _Matcher:
        """Return the matcher of a rule with a pattern; ``tested``: it needs no time limit."""

        def compiled(engine: Any) -> _Engine:
            pattern, unless, back = (None if p is None else engine.compile(p) for p in _patterns(rule))
            return pattern, unless, back

        return cls(compiled(regex), compiled(re) if tested else None)

    def found(self, text: str, heard: frozenset[str] = frozenset()) -> bool:
        """Return whether the text has a match that nothing before it in its clause excuses, and nothing behind it.

        One that has longer words, all of which were ``heard``, does not count.
        """
        free = self.free is not None and text.isascii() and not _SEPARATORS.search(text)
        pattern, unless, back = self.free if free and self.free is not None else self.limited
        limit = {} if free else {"timeout": PATTERN_SECONDS}
        if unless is None and back is None and not heard:
            return pattern.search(text, **limit) is not None
        for number, match in enumerate(pattern.finditer(text, **limit)):
            start, end = match.span()
            before = _CLAUSE_END.split(text[max(0, start - _CLAUSE) : start])[-1]
            behind = _SENTENCE_END.split(text[end : end + _BEHIND], maxsplit=1)[0]
            excused = unless is not None and unless.search(before, **limit)
            excused = excused or (back is not None and back.search(behind, **limit))
            if not excused and not (heard and _is_heard(match[0], heard)):
                return True
            if number == _MOST_MATCHES:
                return False
        return False


def _is_heard(words: str, heard: frozenset[str]) -> bool:
    longer = [word for word in tokens_of(words) if len(word) >= _LONG_WORD]
    return bool(longer) and heard.issuperset(longer)


def _patterns(rule: Rule) -> tuple[str | None, str | None, str | None]:
    return rule.pattern, rule.unless, rule.taken_back


_SEPARATORS = re.compile("[\x1c-\x1f]")
"""White space for ``re`` and not for ``regex``."""


class RuleReward:
    """Applies a list of rules to replies.

    Args:
        rules: the rules, in the order in which their terms are listed.
        tested: their patterns are known to be quick on any text, as those of the shipped file are by its tests.

    Every rule is prepared at construction: patterns compiled, and the words and signs that patterns and measurements
    need gathered into one set, so that a harmless reply costs one set intersection.
    """

    def __init__(self, rules: Sequence[Rule], tested: bool = False) -> None:
        self.rules = tuple(rules)
        self._terms = tuple(RewardTerm("rules", r.id, r.points, r.message) for r in rules)
        self._features = tuple(
            (FEATURE_INDEX[r.feature], r.above, i) for i, r in enumerate(rules) if r.feature is not None
        )
        self._measures: dict[int, tuple[Measure, tuple[str, ...], float]] = {
            i: (MEASURES[r.measure], r.phrases, 0.0 if r.feature else r.above)
            for i, r in enumerate(rules)
            if r.measure is not None
        }
        self._matchers = {i: _Matcher.of(r, tested) for i, r in enumerate(rules) if r.pattern is not None}
        self._excuses = {
            i: regex.compile(r.unless) for i, r in enumerate(rules) if r.unless is not None and r.pattern is None
        }
        self._asked = {i: (regex.compile(r.asked), {*r.needs}) for i, r in enumerate(rules) if r.asked is not None}
        # What only a long text, one beyond ASCII or one with checked statements can break is not tried on others.
        alone = {i: r.measure for i, r in enumerate(rules) if not r.needs and r.feature is None}
        lengths = {i: rules[i].above for i, measure in alone.items() if measure in LENGTHS}
        self._long, self._short = tuple(lengths), min(lengths.values(), default=0.0)
        self._foreign = tuple(i for i, measure in alone.items() if measure == "foreign-letters")
        self._of_claims = tuple(i for i, measure in alone.items() if measure == "false-claims")
        special = {*self._long, *self._foreign, *self._of_claims}
        tried = [i for i, r in enumerate(rules) if r.feature is None and i not in special]
        hinted = [i for i in tried if rules[i].needs and i not in self._asked]
        self._always = tuple(i for i in tried if i not in hinted or not ORDINARY_SIGNS.isdisjoint(rules[i].needs))
        cues: dict[str, tuple[tuple[int, str], ...]] = {}
        for i in hinted:
            for need in rules[i].needs:
                words = need.split(" ") if len(need) > 1 else [need]
                rarest = max(words, key=len)  # of a phrase, the longest word is looked for, then the phrase
                cues[rarest] = (*cues.get(rarest, ()), (i, need if len(words) > 1 else ""))
        self._cues = cues
        self._words = frozenset(c for c in cues if c.isascii() and c.isalnum())
        self._with_digits = tuple(sorted({*self._always, *(i for i, _ in cues.get(DIGIT, ()))}))

    @classmethod
    def from_toml(cls, path: str | Path | None = None) -> RuleReward:
        """Load rules from a file; None loads the shipped ones. Raises ``DataFileError`` where the file is wrong.

        Patterns of a user's file are tried on hostile text first; those of the shipped file are in its tests.
        """
        return cls(load_rules(SHIPPED, probe=False), tested=True) if path is None else cls(load_rules(Path(path)))

    @classmethod
    def shipped(cls) -> RuleReward:
        """Return the shipped rules, loaded once per process."""
        return _shipped()

    def score(self, view: ReplyView) -> RuleScore:
        """Check one reply against every rule."""
        features, prepared = view.features, prepare(view.text)
        fired: list[int] = []
        slow = ""
        for place, above, i in self._features:
            if features[place] > above and self._is_meant(i, view, prepared):
                fired.append(i)
        for i in self.tried(view, prepared):
            try:
                if self.fires(i, view, prepared):
                    fired.append(i)
            except TimeoutError:
                slow = f"rule {self.rules[i].id!r} took more than {PATTERN_SECONDS} s"
        if slow:
            return RuleScore(None, (), slow)
        if not fired:
            return _NOTHING
        fired.sort()
        return self._sum(fired)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> Num:
        """Return the points of the feature rules, a float or an array [N], without their patterns and measures."""
        total = lanes.full(features[0], 0.0)
        groups: dict[str, Num] = {}
        for place, above, i in self._features:
            rule, fired = self.rules[i], features[place] > above
            if rule.group:
                points = rule.points * fired
                groups[rule.group] = lanes.minimum(groups.get(rule.group, points), points)
            elif lanes.some(fired):
                total = total + rule.points * fired
        for points in groups.values():
            total = total + points
        return total

    def _is_meant(self, i: int, view: ReplyView, prepared: Prepared) -> bool:
        """Whether words or measure bear out a feature that was found; True where the rule asks for neither."""
        try:
            if i in self._measures:
                measure, phrases, above = self._measures[i]
                if measure(view, prepared, phrases) <= above:
                    return False
            if i in self._matchers:
                return self._matches(i, view, prepared)
            excuse = self._excuses.get(i)
            return excuse is None or excuse.search(prepared.text, timeout=PATTERN_SECONDS) is None
        except TimeoutError:
            return True  # the feature stands by itself

    def _matches(self, i: int, view: ReplyView, prepared: Prepared) -> bool:
        """Whether the pattern of rule ``i`` is found in either reading of the text."""
        matcher, text, plain = self._matchers[i], prepared.text, prepared.plain
        heard = frozenset[str]()
        if self.rules[i].unless_heard and view.manager_said:
            heard = token_set(view.manager_said[-1].text[-_MESSAGE:])
        return matcher.found(text, heard) or (plain is not text and matcher.found(plain, heard))

    def fires(self, i: int, view: ReplyView, prepared: Prepared) -> bool:
        """Whether rule ``i``, on words or by measurement, fires. Raises ``TimeoutError`` if it takes too long."""
        if i in self._asked and not self._is_asked(i, view):
            return False
        measured = self._measures.get(i)
        if measured is None:
            if i in self._matchers:
                return self._matches(i, view, prepared)
            return self._excuses[i].search(prepared.text, timeout=PATTERN_SECONDS) is None
        measure, phrases, above = measured
        return measure(view, prepared, phrases) > above

    def _is_asked(self, i: int, view: ReplyView) -> bool:
        """Whether the hotel's last message is one that rule ``i`` is about."""
        if not view.manager_said:
            return False
        asked, needs = self._asked[i]
        message = view.manager_said[-1].text[-_MESSAGE:].lower()
        if needs and needs.isdisjoint(tokens_of(message) if message.isascii() else _WORD.findall(message)):
            return False
        return asked.search(message, timeout=PATTERN_SECONDS) is not None

    def tried(self, view: ReplyView, prepared: Prepared) -> Iterable[int]:
        """Return which rules on words or with measurements may fire: without needs, or with one of them in the text."""
        base = self._with_digits if prepared.digits else self._always
        words = self._words.intersection(prepared.tokens)
        found: set[int] = set()
        if len(view.text) > self._short:
            found.update(self._long)
        if not prepared.ascii:
            found.update(self._foreign)
        if view.claims:
            found.update(self._of_claims)
        for cue in (*words, *prepared.signs) if prepared.signs else words:
            for i, phrase in self._cues.get(cue, ()):
                if not phrase or phrase in prepared.text or phrase in prepared.plain:
                    found.add(i)
        return found.union(base) if found else base

    def _sum(self, fired: list[int]) -> RuleScore:
        """Add up rules that fired, one per group (the one of the lowest points)."""
        if len(fired) == 1:
            term = self._terms[fired[0]]
            return RuleScore(term.points, (term,))
        kept: dict[str, int] = {}
        for i in fired:
            rule = self.rules[i]
            key = rule.group or f"rule {i}"
            if key not in kept or rule.points < self.rules[kept[key]].points:
                kept[key] = i
        terms = tuple(self._terms[i] for i in sorted(kept.values()))
        return RuleScore(sum(t.points for t in terms), terms)


_NOTHING = RuleScore(0.0)


@cache
def _shipped() -> RuleReward:
    return RuleReward.from_toml()


EXAMPLE_CARD = TaskCard(
    hotel=Hotel("Jade Lake Hotel", "Hangzhou", "business", 4, "low", 0.45),
    tickets=(Ticket("Deluxe King", date(2027, 3, 1), 5, 400, 0.15, 352),),
    facts=Facts(20, 12, "Plum Blossom Inn", 385, "the spring trade fair", -10),
    promises=("banner", "weekly-report"),
)
EXAMPLE_CARD_OF_TWO = replace(
    EXAMPLE_CARD, tickets=(*EXAMPLE_CARD.tickets, Ticket("Family Suite", date(2027, 3, 1), 5, 600, 0.15, 520))
)


def example_view(example: Example) -> ReplyView:
    """Return the view of one example of a rules file, on the example card.

    What both sides said is understood and changes the public state, as in a negotiation: a quote is a quote.
    """
    table = {"text": example} if isinstance(example, str) else example
    card = EXAMPLE_CARD if table.get("rooms", 1) == 1 else EXAMPLE_CARD_OF_TWO
    game = new_game(FLOATS, card_numbers(card))
    said: list[Utterance] = []
    manager: list[Utterance] = []
    for own, heard in zip_longest(table.get("said", ()), table.get("manager", ())):
        if own is not None:
            meant = understand(own, context_of(card, game, "agent"))
            move = move_of(meant.acts, card, game)
            apply_move(FLOATS, game, move, settle(FLOATS, game, move))
            said.append(Utterance(own, meant.acts))
        if heard is not None:
            meant = understand(heard, context_of(card, game, "manager"))
            apply_decision(FLOATS, game, decision_of(meant.acts, game))
            manager.append(Utterance(heard, meant.acts))
    text = str(table["text"]) * int(table.get("repeat", 1))
    return reply_view(text, card, game, said, manager, _CHECKING)


_CHECKING = RuleReader("claims")


def tried_rules(path: Path) -> RuleReward:
    """Return a file's rules, each tried on its own examples.

    Raises:
        DataFileError: the file is wrong, or a rule does not do what its examples say.
    """
    found = RuleReward.from_toml(path)
    if wrong := check_examples(found.rules):
        raise DataFileError(f"{path}: expected every rule to do what its own examples say, but " + "; ".join(wrong))
    return found


def check_examples(rules: Sequence[Rule]) -> list[str]:
    """Try every rule's examples, alone and so without its group; return one line for each that goes wrong."""
    wrong = []
    for rule in rules:
        alone = RuleReward([rule])
        for wanted, examples in ((True, rule.yes), (False, rule.no)):
            for example in examples:
                fired = bool(alone.score(example_view(example)).terms)
                if fired is not wanted:
                    wrong.append(f"rule {rule.id!r} {'misses' if wanted else 'fires on'} {example!r}")
    return wrong
