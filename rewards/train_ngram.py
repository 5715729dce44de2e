"""Trains the shipped reward model and the distilled judge, and prints what they reach on held-out data.

    python -m rewards.train_ngram --seed 0

writes ``rewards/weights/preference.npz`` and ``rewards/weights/judge.npz``. Data and annotators are simulated
(``data``, ``annotators``); held-out situations, phrases and damage are never trained on. One core, about a minute.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array, diags_array, hstack, vstack
from scipy.sparse.linalg import lsqr

from negotiation_env.features import FEATURE_INDEX, FEATURES
from negotiation_env.protocols import RewardBreakdown
from rewards.annotators import SOURCES, rubric_points
from rewards.candidates import HONEST, ROUTINE
from rewards.data import Candidate, Pair, preference_pairs
from rewards.distilled_judge import DistilledJudge
from rewards.linear import INPUTS, MOST_WORDS, Array, LinearWeights, inputs_of
from rewards.preference import PreferenceModel
from rewards.repo import RepoReward
from rewards.rubric import Rubric

WEIGHTS = Path(__file__).with_name("weights")
TRAIN_PAIRS, HELD_OUT_PAIRS = 18000, 3600
GRADE_MARGINS = (0.0, 2.0, 5.0, 9.0, 14.0)
"""What margins 0 to 4 of the data mean in units of the fit; margins between are interpolated."""
FEWEST_REPLIES = 12
"""A word or pair enters the vocabulary if so many training replies hold it."""
ACT_PENALTY, WORD_PENALTY = 0.1, 8.0
"""L2 penalties of the Bradley-Terry fit (on the summed loss)."""
SLIP = sum(s.share * s.slip for s in SOURCES.values()) / sum(s.share for s in SOURCES.values())
"""Slip rate that the fit assumes: the sources' mean."""
PRESS_PENALTY = 0.3
"""Penalty of ``press_at_target``: a good quote is taken or pressed on, so comparisons tell only how far apart the
two lie, and the penalties share it out between a gain of taking and a loss of pressing."""
ROUTINE_LEVEL = -0.2
"""Mean R_model of an honest agent's routine replies, in units of the standard deviation of its replies, deals included.
Comparisons leave zero and unit open. Ours lie so that talking on costs a little and a deal pays."""
JUDGE_PENALTY = 12.0
FEWEST_POINTS = 0.3
"""Weights of the judge below this many points are dropped."""
SMALLEST = 0.02
"""Word weights of less than this share of the score's unit are dropped."""
WORDS_LOW, WORDS_HIGH = -4.0, 0.5
"""Limits of the words' share of R_model: words can spoil a reply, but hardly make one."""


def entries_of(words: Sequence[str], pairs: bool) -> list[str]:
    """Return the vocabulary entries of a reply, each once: words and, if asked, pairs; none with a digit."""
    said = tuple(words[:MOST_WORDS])
    entries = list(dict.fromkeys(said))
    if pairs:
        entries += [f"{a} {b}" for a, b in dict.fromkeys(pairwise(said))]
    return [e for e in entries if not any(c.isdigit() for c in e)]


def vocabulary(replies: Iterable[Candidate], pairs: bool) -> tuple[str, ...]:
    """Return the entries that enough replies hold, sorted."""
    counts = Counter(e for r in replies for e in entries_of(r.view.words, pairs))
    return tuple(sorted(e for e, n in counts.items() if n >= FEWEST_REPLIES))


def design(replies: Sequence[Candidate], words: tuple[str, ...], pairs: bool) -> csr_array:
    """Return the inputs of replies, shape [len(replies), len(INPUTS) + len(words)]."""
    place = {w: len(INPUTS) + i for i, w in enumerate(words)}
    rows, columns, values = [], [], []
    for i, reply in enumerate(replies):
        for j, value in enumerate(inputs_of(reply.view.features)):
            if value:
                rows.append(i)
                columns.append(j)
                values.append(value)
        for entry in entries_of(reply.view.words, pairs):
            if entry in place:
                rows.append(i)
                columns.append(place[entry])
                values.append(1.0)
    shape = (len(replies), len(INPUTS) + len(words))
    return csr_array((values, (rows, columns)), shape=shape)


def fit_bradley_terry(difference: csr_array, margins: Array, penalty: Array) -> Array:
    """Return the weights w that minimise the Bradley-Terry loss with margins and slips, plus sum penalty * w^2 / 2.

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
    for slip in (0.0, SLIP):
        w = minimize(loss, w, args=(slip,), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    return np.asarray(w, dtype=np.float64)


def train_preference(pairs: Sequence[Pair]) -> LinearWeights:
    """Fit R_model, and centre it on an honest agent: see ``ROUTINE_LEVEL`` for its zero and unit."""
    chosen, rejected = [p.chosen for p in pairs], [p.rejected for p in pairs]
    words = vocabulary([*chosen, *rejected], pairs=True)
    x_chosen, x_rejected = design(chosen, words, True), design(rejected, words, True)
    penalty = np.full(len(INPUTS) + len(words), WORD_PENALTY)
    penalty[: len(INPUTS)] = ACT_PENALTY
    penalty[INPUTS.index("press_at_target")] = PRESS_PENALTY
    margins = np.interp([p.margin for p in pairs], range(len(GRADE_MARGINS)), GRADE_MARGINS)
    w = fit_bradley_terry(csr_array(x_chosen - x_rejected), margins, penalty)
    replies, x = [*chosen, *rejected], vstack([x_chosen, x_rejected]).tocsr()
    honest = np.array([r.habit in HONEST and not r.damage for r in replies])
    routine = np.array([r.habit in ROUTINE and not r.damage for r in replies])
    w /= float((x @ w)[honest].std())
    acts, texts = w[: len(INPUTS)], w[len(INPUTS) :]
    keep = np.abs(texts) >= SMALLEST
    kept = np.where(keep, texts, 0.0)
    share = np.clip(x[:, len(INPUTS) :] @ kept, WORDS_LOW, WORDS_HIGH)
    zero = float((x[:, : len(INPUTS)] @ acts + share)[routine].mean()) - ROUTINE_LEVEL
    return LinearWeights(
        outputs=("reward",),
        acts=acts[:, None],
        bias=np.array([-zero]),
        words=tuple(word for word, k in zip(words, keep, strict=True) if k),
        word_weights=texts[keep][:, None],
        text_mean=np.array([share[honest].mean()]),
        low=np.array([WORDS_LOW]),
        high=np.array([WORDS_HIGH]),
    )


def train_judge(replies: Sequence[Candidate], points: Array, rubric: Rubric) -> LinearWeights:
    """Fit points per dimension by ridge regression, shape of ``points`` [len(replies), dimensions]."""
    words = vocabulary(replies, pairs=False)
    x = design(replies, words, False)
    count, wide = len(replies), len(INPUTS) + len(words)
    ridge = np.full(wide, JUDGE_PENALTY)
    ridge[: len(INPUTS)] = 1.0
    ridge[len(FEATURES) : len(INPUTS)] = 1e9  # the judge goes without products
    columns, biases = [], []
    for k in range(points.shape[1]):
        mean = float(points[:, k].mean())
        stacked = csr_array(_stack(x, np.ones(count), np.sqrt(ridge)))
        goal = np.concatenate([points[:, k] - mean, np.zeros(wide)])
        solution = lsqr(stacked, goal, atol=1e-7, btol=1e-7, iter_lim=400)[0]
        columns.append(solution[:wide])
        biases.append(mean + solution[wide])
    w = np.stack(columns, axis=1)
    w[np.abs(w) < FEWEST_POINTS] = 0.0
    texts = w[len(INPUTS) :]
    keep: NDArray[np.bool_] = np.abs(texts).max(axis=1) > 0.0
    honest = np.array([not r.damage for r in replies])
    zeros = np.zeros(points.shape[1])
    return LinearWeights(
        outputs=tuple(d.id for d in rubric.dimensions),
        acts=w[: len(INPUTS)],
        bias=np.array(biases),
        words=tuple(word for word, k in zip(words, keep, strict=True) if k),
        word_weights=texts[keep],
        text_mean=np.asarray(x[:, len(INPUTS) :] @ texts)[honest].mean(axis=0),
        low=zeros + [d.low for d in rubric.dimensions],
        high=zeros + [d.high for d in rubric.dimensions],
    )


def _stack(x: csr_array, ones: Array, roots: Array) -> csr_array:
    """Return [x, 1] over [diag(roots), 0]: least squares on it is ridge regression with a free constant."""
    top = hstack([x, csr_array(ones[:, None])])
    bottom = hstack([diags_array(roots), csr_array((len(roots), 1))])
    return csr_array(vstack([top, bottom]))


def wilson(right: float, count: int) -> tuple[float, float]:
    """Return the 95 percent Wilson interval of a share."""
    z, share = 1.96, right / max(count, 1)
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return float(centre - half), float(centre + half)


def report_preference(model: PreferenceModel, pairs: Sequence[Pair], name: str) -> float:
    """Print accuracy on pairs, its ceiling, and accuracy by damage; return the accuracy."""
    margins = np.array([model.score(p.chosen.view) - model.score(p.rejected.view) for p in pairs])
    right = margins > 0.0
    low, high = wilson(float(right.sum()), len(pairs))
    ceiling = float(np.mean([max(p.sure, 1.0 - p.sure) for p in pairs]))
    print(f"{name}: accuracy {right.mean():.4f} [{low:.4f}, {high:.4f}], n {len(pairs)}, ceiling {ceiling:.4f}")
    kinds: dict[str, list[bool]] = {}
    for pair, ok in zip(pairs, right, strict=True):
        for kind in {pair.chosen.damage, pair.rejected.damage} - {""}:
            kinds.setdefault(kind, []).append(bool(ok))
    for kind, oks in sorted(kinds.items()):
        print(f"  pairs with {kind}: {np.mean(oks):.3f} (n {len(oks)})")
    lengths = [len(c.view.words) for p in pairs for c in (p.chosen, p.rejected)]
    scores = [model.score(c.view) for p in pairs for c in (p.chosen, p.rejected)]
    print(f"  correlation of score and length in words: {np.corrcoef(lengths, scores)[0, 1]:.3f}")
    return float(right.mean())


def report_judge(judge: DistilledJudge, replies: Sequence[Candidate], points: Array) -> None:
    """Print how near the distilled judge comes to the simulated rubric annotator."""
    verdicts = judge.judge([r.view for r in replies])
    scored: NDArray[np.float64] = np.array([[t.points for t in v.terms] for v in verdicts])
    for k, dimension in enumerate(judge.rubric.dimensions):
        choices = np.array([c.points for c in dimension.choices])
        nearest = choices[np.abs(scored[:, k, None] - choices).argmin(axis=1)]
        same = float((nearest == points[:, k]).mean())
        r = float(np.corrcoef(scored[:, k], points[:, k])[0, 1])
        error = float(np.abs(scored[:, k] - points[:, k]).mean())
        print(f"  {dimension.id}: correlation {r:.3f}, nearest choice the same {same:.3f}, mean error {error:.2f}")
    total = float(np.corrcoef(scored.sum(axis=1), points.sum(axis=1))[0, 1])
    print(f"  total: correlation {total:.3f}, range [{scored.sum(axis=1).min():.0f}, {scored.sum(axis=1).max():.0f}]")


def report_habits(reward: RepoReward, pairs: Sequence[Pair]) -> None:
    """Print the mean reward, by source and composed, of undamaged held-out replies by the habit they come from."""
    replies = list({id(c): c for p in pairs for c in (p.chosen, p.rejected)}.values())
    groups: dict[str, list[RewardBreakdown]] = {}
    for reply, scored in zip(replies, reward.score([r.view for r in replies]), strict=True):
        if reply.damage:
            continue
        group = "routine (honest)" if reply.habit in ROUTINE else reply.habit
        groups.setdefault(group, []).append(scored)
        if reply.view.features[FEATURE_INDEX["take_at_target"]]:
            groups.setdefault("takes a quote at target", []).append(scored)
    print("mean reward of undamaged held-out replies by habit: total, R_model, E_judge, E_func (n)")
    for group, some in sorted(groups.items()):
        means = [
            float(np.mean([float(getattr(s, f) or 0.0) for s in some])) for f in ("total", "model", "judge", "rules")
        ]
        print(f"  {group}: {means[0]:+.2f}, {means[1]:+.2f}, {means[2]:+.1f}, {means[3]:+.1f} ({len(some)})")


def labelled(pairs: Sequence[Pair], rubric: Rubric, seed: int) -> tuple[list[Candidate], Array]:
    """Return the pairs' replies and a simulated rubric annotator's points for them."""
    replies = [c for p in pairs for c in (p.chosen, p.rejected)]
    rng = np.random.default_rng((0x70D6E, seed))
    return replies, np.array([rubric_points(r.judged, rubric, rng) for r in replies])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the held-out figures, and write the weights."""
    parser = argparse.ArgumentParser(description="Train the shipped reward model and the distilled judge.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=TRAIN_PAIRS)
    parser.add_argument("--held-out", type=int, default=HELD_OUT_PAIRS)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    train = preference_pairs(options.pairs, options.seed, held_out=False)
    test = preference_pairs(options.held_out, options.seed, held_out=True)
    print(f"simulated data: {len(train)} training pairs, {len(test)} held-out pairs, seed {options.seed}")
    options.out.mkdir(parents=True, exist_ok=True)
    weights = train_preference(train)
    weights.save(options.out / "preference.npz")
    model = PreferenceModel.from_file(options.out / "preference.npz")
    report_preference(model, train, "reward model, training pairs")
    report_preference(model, test, "reward model, held-out pairs")
    rubric = Rubric.from_toml()
    replies, points = labelled(train, rubric, options.seed)
    train_judge(replies, points, rubric).save(options.out / "judge.npz")
    judge = DistilledJudge.from_file(options.out / "judge.npz")
    print("distilled judge, held-out replies:")
    report_judge(judge, *labelled(test, rubric, options.seed + 1))
    report_habits(RepoReward(model, judge), test)
    print(f"vocabularies: {len(weights.words)} entries, {len(judge.weights.words)} words; inputs {len(FEATURES)} acts")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
