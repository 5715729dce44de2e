"""Trains the light reward model, n-grams by Bradley-Terry.

    negotiate train rm --preset ngram --out rewards/weights

writes ``rewards/weights/preference.npz`` and ``report.json``, with what it reaches on held-out data. Data and
annotators are simulated (``simulators.people``); scenarios, personas, phrases and damage of the held-out pairs are
never trained on. A file of pairs can be trained on instead (``--set data=FILE``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field
from scipy.optimize import minimize
from scipy.sparse import csr_array

from negotiation_env import __version__
from negotiation_env.files import read_json, write_json
from negotiation_env.language.reading import context_of
from negotiation_env.language.wording import agent_phrase_book, word
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import ReplyView, RewardBreakdown
from negotiation_env.seeds import Stream
from negotiation_env.training.presets import Preset, read_preset
from rewards.linear import INPUTS, MOST_WORDS, Array, LinearWeights, inputs_of, text_marks
from rewards.model.preference_model import ROUTINE_LEVEL, PreferenceModel
from rewards.repo import RepoReward
from rewards.training.held_out_figures import pair_report
from simulators.people.candidates import HONEST, ROUTINE, draw_acts
from simulators.people.preferences import Pair, pair_views, preference_pairs
from simulators.people.situations import Situation, sample_situation
from simulators.people.training_files import PreferencePair, read_preferences, split_lines

FEWEST_REPLIES = 12
"""A word or pair enters the vocabulary if so many training replies hold it."""
GRADE_MARGINS = (0.0, 1.5, 3.0, 5.0, 9.0)
"""What margins 0 to 4 of the data mean in units of the fit; margins between are interpolated."""
SLIP = 0.025
"""Share of comparisons that the fit takes for slips."""
ACT_PENALTY, WORD_PENALTY = 0.1, 8.0
"""L2 penalties of the Bradley-Terry fit (on the summed loss)."""
MARK_PENALTY = 1.0
"""The same for marks of the text, which are few."""
OWN_PENALTIES = {"press_at_target": 0.3, "answer_reason": 10.0, "ignore_reason": 10.0}
"""Penalties of features that come in turns: a good quote is taken or pressed on, a question answered or passed over.
Comparisons tell only how far apart the two lie; the penalties share it out between a gain and a loss."""
SMALLEST = 0.02
"""Word weights of less than this share of the score's unit are dropped."""
WORDS_LOW, WORDS_HIGH = -4.0, 0.0
"""Limits of the words' share of R_model. No word has a positive weight, so words can spoil a reply but never make one:
there is nothing to stuff it with."""


def entries_of(view: ReplyView, pairs: bool) -> list[str]:
    """Return the vocabulary entries of a reply, each once: words, marks, pairs if asked; none with a digit."""
    said = tuple(view.words[:MOST_WORDS])
    entries = [*dict.fromkeys(said), *text_marks(view)]
    if pairs:
        entries += [f"{a} {b}" for a, b in dict.fromkeys(pairwise(said))]
    return [e for e in entries if not any(c.isdigit() for c in e)]


def vocabulary(replies: Iterable[ReplyView], pairs: bool) -> tuple[str, ...]:
    """Return the entries that enough replies hold, sorted."""
    counts = Counter(e for view in replies for e in entries_of(view, pairs))
    return tuple(sorted(e for e, n in counts.items() if n >= FEWEST_REPLIES))


def design(replies: Sequence[ReplyView], words: tuple[str, ...], pairs: bool) -> csr_array:
    """Return the inputs of replies, shape [len(replies), len(INPUTS) + len(words)]."""
    place = {w: len(INPUTS) + i for i, w in enumerate(words)}
    rows, columns, values = [], [], []
    for i, view in enumerate(replies):
        for j, value in enumerate(inputs_of(view.features)):
            if value:
                rows.append(i)
                columns.append(j)
                values.append(value)
        for entry in entries_of(view, pairs):
            if entry in place:
                rows.append(i)
                columns.append(place[entry])
                values.append(1.0)
    shape = (len(replies), len(INPUTS) + len(words))
    return csr_array((values, (rows, columns)), shape=shape)


def fit_bradley_terry(difference: csr_array, margins: Array, penalty: Array, free: int) -> Array:
    """Return the weights w that minimise the Bradley-Terry loss with margins and slips, plus sum penalty * w^2 / 2.

    The first ``free`` weights may have any sign, the others are at most 0.

    The loss is -log(s + (1 - 2 s) sigmoid(difference @ w - margin)): graded comparisons tell how far apart two replies
    are (margins as in Touvron et al. 2023), and the slip rate s keeps a wrong tick from outweighing many right ones.
    """
    transposed = difference.T.tocsr()

    def loss(w: Array, slip: float) -> tuple[float, Array]:
        right = 1.0 / (1.0 + np.exp(-np.clip(difference @ w - margins, -60.0, 60.0)))
        likely = slip + (1.0 - 2.0 * slip) * right
        slope = (1.0 - 2.0 * slip) * right * (1.0 - right) / likely
        value = float(-np.log(likely).sum() + 0.5 * (penalty * w * w).sum())
        return value, penalty * w - transposed @ slope

    # With slips the loss is not convex, and flat far from the margins: the fit without slips leads near them.
    w = np.zeros(difference.shape[1])
    bounds = [(None, None if i < free else 0.0) for i in range(len(w))]
    for slip in (0.0, SLIP):
        w = minimize(loss, w, args=(slip,), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 300}).x
    return np.asarray(w, dtype=np.float64)


def fit_preference(
    chosen: Sequence[ReplyView],
    rejected: Sequence[ReplyView],
    margins: Sequence[float],
    honest: Sequence[ReplyView],
    routine: Sequence[bool],
) -> LinearWeights:
    """Fit R_model on pairs, and set its zero and unit by an honest agent's replies.

    Args:
        chosen: the chosen reply of each pair.
        rejected: the other one.
        margins: how much better the chosen one is, as annotators grade it: 0 to 4.
        honest: replies of an honest agent, deals among them.
        routine: which of those are routine replies on the way to a deal; see ``ROUTINE_LEVEL``.
    """
    words = vocabulary([*chosen, *rejected], pairs=True)
    penalty = np.full(len(INPUTS) + len(words), WORD_PENALTY)
    penalty[: len(INPUTS)] = ACT_PENALTY
    for name, value in OWN_PENALTIES.items():
        penalty[INPUTS.index(name)] = value
    penalty[[len(INPUTS) + i for i, word in enumerate(words) if word[0] == "<"]] = MARK_PENALTY
    difference = csr_array(design(chosen, words, True) - design(rejected, words, True))
    graded = np.interp(margins, range(len(GRADE_MARGINS)), GRADE_MARGINS)
    w = fit_bradley_terry(difference, graded, penalty, free=len(INPUTS))
    x = design(honest, words, True)
    w /= float((x @ w).std())
    acts, texts = w[: len(INPUTS)], w[len(INPUTS) :]
    keep = np.abs(texts) >= SMALLEST
    share = np.clip(x[:, len(INPUTS) :] @ np.where(keep, texts, 0.0), WORDS_LOW, WORDS_HIGH)
    scores = x[:, : len(INPUTS)] @ acts + share
    zero = float(scores[np.asarray(routine, dtype=bool)].mean()) - ROUTINE_LEVEL
    return LinearWeights(
        outputs=("reward",),
        acts=acts[:, None],
        bias=np.array([-zero]),
        words=tuple(word for word, k in zip(words, keep, strict=True) if k),
        word_weights=texts[keep][:, None],
        text_mean=np.array([share.mean()]),
        low=np.array([WORDS_LOW]),
        high=np.array([WORDS_HIGH]),
    )


WEIGHTS = Path(__file__).parents[1] / "weights"
PRESETS = Path(__file__).with_name("presets")
CALIBRATION_STEP = 10
"""Every so manieth training pair is left out of the fit, to find the temperature of the scores on."""


class NgramPreset(Preset):
    """One training run; see ``presets/ngram.toml``."""

    seed: int = Field(ge=0)
    data: str
    pairs: int = Field(ge=100)
    held_out: int = Field(ge=20)
    honest: int = Field(ge=100)


class ComparedViews(NamedTuple):
    """A pair to learn from or to test on: both views, and what its line says."""

    chosen: ReplyView
    rejected: ReplyView
    source: str
    margin: float
    sure: float | None


def train(
    preset: Mapping[str, Any] | str | Path = "ngram", out: str | Path = WEIGHTS, overrides: Sequence[str] = ()
) -> Path:
    """Train the scorer and write weights and report into a folder, which is returned.

    Args:
        preset: a table, a TOML file, or the shipped "ngram".
        out: the folder; made if need be.
        overrides: "key=value" over the preset's.

    Raises:
        DataFileError: a wrong preset, or a data file that cannot be used: names file, line and field.
    """
    settings = read_preset(NgramPreset, preset, PRESETS, overrides)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    generated = preference_pairs(settings.pairs, settings.seed, held_out=False)
    generated_test = preference_pairs(settings.held_out, settings.seed, held_out=True)
    if settings.data:
        training, test = (_from_lines(part, settings.data) for part in split_lines(read_preferences(settings.data)))
    else:
        training, test = _from_pairs(generated), _from_pairs(generated_test)
    honest, routine = honest_replies(settings.honest, settings.seed)
    fitted = [p for i, p in enumerate(training) if i % CALIBRATION_STEP]
    fit_preference(
        [p.chosen for p in fitted], [p.rejected for p in fitted], [p.margin for p in fitted], honest, routine
    ).save(folder / "preference.npz")
    model = PreferenceModel.from_file(folder / "preference.npz")
    report = {
        "version": __version__,
        "note": "Simulated data and annotators; held-out pairs: unseen scenarios, personas, phrases and damage.",
        "settings": settings.model_dump(),
        "reward_model": {
            "training_pairs": len(fitted),
            "test_pairs": len(test),
            "training_accuracy": float((gaps_of(model, fitted) > 0.0).mean()),
            **report_preference(model, training[::CALIBRATION_STEP], test),
            "vocabulary": len(model.weights.words),
        },
        "mean_reward_by_habit": report_habits(RepoReward(model), generated_test),
        "accuracy_by_damage": report_damage(model, generated_test),
    }
    write_json(folder / "report.json", _rounded(report), indent=1, escaped=True)
    return folder


def _from_pairs(pairs: Sequence[Pair]) -> list[ComparedViews]:
    return [ComparedViews(p.chosen.view, p.rejected.view, p.source, p.margin, p.sure) for p in pairs]


def _from_lines(lines: Sequence[PreferencePair], path: str) -> list[ComparedViews]:
    return [ComparedViews(*pair_views(x, path), x.source, x.margin, x.sure) for x in lines]


def honest_replies(
    count: int,
    seed: int,
    first: int | None = None,
    say: Callable[[Situation, str, np.random.Generator], ReplyView] | None = None,
) -> tuple[list[ReplyView], list[bool]]:
    """Return an honest agent's replies, by which a learnt reward's zero and unit are set, and which are routine.

    Args:
        count: replies, each to a situation of its own.
        seed: of the habits, and of what ``say`` draws.
        first: number of the first situation; None for those of this seed's own range.
        say: returns a habit's reply to a situation; None for the agent's own phrase book.
    """
    views, routine, habits = [], [], sorted(HONEST)
    for number in range(count):
        rng = np.random.default_rng((Stream.HONEST_REPLY, seed, number))
        situation = sample_situation((seed << 32 if first is None else first) + number)
        habit = habits[int(rng.integers(len(habits)))]
        views.append((say or _own_words)(situation, habit, rng))
        routine.append(habit in ROUTINE)
    return views, routine


def _own_words(at: Situation, habit: str, rng: np.random.Generator) -> ReplyView:
    """Return a habit's reply, worded by the agent's own phrase book."""
    acts, context = draw_acts(habit, at.card, at.game, rng), context_of(at.card, at.game, "agent")
    text = word(acts, at.card, context, agent_phrase_book(), int(rng.integers(1 << 40)), int(at.game.turn))
    return reply_view(text, at.card, at.game, at.said, at.manager)


def gaps_of(model: PreferenceModel, pairs: Sequence[ComparedViews]) -> Array:
    """Return score of the chosen reply less that of the rejected one, per pair."""
    return np.array([model.score(p.chosen) - model.score(p.rejected) for p in pairs])


def report_preference(
    model: PreferenceModel, calibration: Sequence[ComparedViews], test: Sequence[ComparedViews]
) -> dict[str, Any]:
    """Return the held-out figures of a model; its temperature is found on pairs that were left out of the fit."""
    views = [view for p in test for view in (p.chosen, p.rejected)]
    return pair_report(
        gaps_of(model, test),
        [p.source for p in test],
        [p.margin for p in test],
        [p.sure for p in test],
        np.array([model.score(v) for v in views]),
        np.array([float(len(v.text)) for v in views]),
        gaps_of(model, calibration),
    )


def report_damage(model: PreferenceModel, pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Return the accuracy on pairs that hold a reply with each kind of damage."""
    kinds: dict[str, list[bool]] = {}
    for pair in pairs:
        right = model.score(pair.chosen.view) > model.score(pair.rejected.view)
        for kind in {pair.chosen.damage, pair.rejected.damage}:
            kinds.setdefault(kind or "none in one of both", []).append(right)
    return {kind: {"value": float(np.mean(oks)), "n": len(oks)} for kind, oks in sorted(kinds.items())}


def report_habits(reward: RepoReward, pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Return the mean reward, composed and by source, of undamaged replies by the habit that they come from."""
    replies = list({id(c): c for p in pairs for c in (p.chosen, p.rejected)}.values())
    groups: dict[str, list[RewardBreakdown]] = {}
    for reply, scored in zip(replies, reward.score([r.view for r in replies]), strict=True):
        if not reply.damage and reply.habit:
            groups.setdefault("routine (honest)" if reply.habit in ROUTINE else reply.habit, []).append(scored)
    fields = ("total", "model", "judge", "rules")
    return {
        group: {f: float(np.mean([float(getattr(s, f) or 0.0) for s in some])) for f in fields} | {"n": len(some)}
        for group, some in sorted(groups.items())
    }


def _rounded(value: Any) -> Any:
    """Return a report with its numbers rounded to four digits."""
    if isinstance(value, dict):
        return {key: _rounded(x) for key, x in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def figure_lines(folder: Path) -> list[str]:
    """Return the main held-out figures of a trained folder as lines for people."""
    model = read_json(folder / "report.json", dict[str, Any])["reward_model"]
    accuracy = model["accuracy"]
    return [
        f"held-out pairs: accuracy {accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}], "
        f"n {accuracy['n']}, ceiling {model['ceiling'] or float('nan'):.3f} (simulated annotators)",
        *(f"  {source}: {part['value']:.3f} (n {part['n']})" for source, part in model["accuracy_by_source"].items()),
        f"length correlation {model['length_correlation']:+.3f}, calibration {model['calibration']}",
    ]
