"""How a language model voices the hotel manager, on situations of written dialogues: ``negotiate study voice``.

Each situation is an answer that is due in a dialogue of the split: what was said so far, the agent's message, and the
annotated decision, worded plainly as the rules would in play. The model answers from the prompt alone, as in play; how
the author answered and the plain wording itself are measured beside it, and no text of the split is printed. Shares are
of answers, Wilson's, clustered by dialogue: how many pass the check at once and how many end in the plain wording
(``template``); of those that were said in the model's words, how many hold a sentence that the hotel has said before,
how many only say the plain wording again (``copied``), and, where the agent's message has something to refer to, how
many take up one of its words (figures, rooms and talk of prices aside). ``distinct`` is the share of different bigrams
among the first 5,000 words.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from benchmarks.statistics import Figure, share
from negotiation_env.engines import load_engine
from negotiation_env.files import write_text
from negotiation_env.language.reading import Reader
from negotiation_env.play.registry import load_reader
from simulators.managers.llm_manager import (
    Spoken,
    VoiceTask,
    checking_reader,
    counted,
    repeats,
    speak,
    voice_engine,
    voice_seed,
)
from simulators.managers.voice_check import content_words, same_sentence, sentences_of, verdicts
from simulators.people.voice_data import VoiceSituation, situations
from simulators.people.written_dialogues import distinct, words, written_dialogues

LEAST_CONTENT: Final = 3
"""Content words that an agent's message has at least for an answer to be able to refer to it."""
TARGETS: Final = {"at_once": 0.92, "template": 0.02, "repeats": 0.05, "refers": 0.5, "distinct": 0.55}
_SHARES: Final = ("at_once", "template", "repeats", "copied", "refers")
AT_LEAST: Final = frozenset({"at_once", "refers", "distinct"})


class Answered(NamedTuple):
    """A situation and how it was answered."""

    situation: VoiceSituation
    spoken: Spoken


def task_of(situation: VoiceSituation, said: frozenset[str], seed: int) -> VoiceTask:
    """Return a situation as what is to be worded."""
    one = situation
    return VoiceTask(one.speaker, one.turns, one.agent, one.note, one.scene, one.plain, said, seed)


def said_before(situation: VoiceSituation) -> frozenset[str]:
    """Return the sentences that the hotel has said before."""
    return frozenset(same_sentence(one) for turn in situation.turns for one in sentences_of(turn.hotel)) - {""}


def answered(
    found: Sequence[VoiceSituation], engine: str, reader: Reader, retries: int, seed: int, batch: int = 64
) -> list[Answered]:
    """Return how a model answers situations."""
    model = load_engine(voice_engine(engine))
    made: list[Answered] = []
    for start in range(0, len(found), batch):
        part = found[start : start + batch]
        tasks = [task_of(one, said_before(one), voice_seed(seed, start + i)) for i, one in enumerate(part)]
        made += map(Answered, part, speak(model, tasks, reader, retries))
    return made


def said_otherwise(found: Sequence[VoiceSituation], texts: Sequence[str], reader: Reader) -> list[Answered]:
    """Return given answers, checked as a model's are; one that fails is none of the model's words and no template."""
    passed = verdicts([one.scene for one in found], [[text] for text in texts], reader)
    return [
        Answered(one, Spoken(text, "first" if verdict.text else "failed", verdict.fault and f"x: {verdict.fault}"))
        for one, text, verdict in zip(found, texts, passed, strict=True)
    ]


def copies(text: str, plain: str) -> bool:
    """Whether every sentence of a text stands in the plain wording."""
    known = {" ".join(words(one)) for one in sentences_of(plain)}
    return all(" ".join(words(one)) in known for one in sentences_of(text))


def measures(made: Sequence[Answered]) -> dict[str, Figure]:
    """Return the figures by name; see the module."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one, spoken in made:
        dialogue = one.where.partition(":")[0]
        table["at_once"][dialogue].append(spoken.how == "first")
        table["template"][dialogue].append(spoken.how == "template")
        if spoken.how == "template":
            continue
        table["copied"][dialogue].append(copies(spoken.text, one.plain))
        table["repeats"][dialogue].append(repeats(spoken.text, said_before(one)))
        asked = content_words(one.agent)
        if len(asked) >= LEAST_CONTENT:
            table["refers"][dialogue].append(bool(asked & content_words(spoken.text)))
    figures = {name: share(list(table[name].values())) for name in _SHARES}
    texts = [spoken.text for _, spoken in made if spoken.how != "template"]
    value = distinct(texts) if texts else None
    return figures | {"distinct": Figure(value, None, None, len(texts))}


def study(
    llm: Annotated[
        list[str] | None,
        typer.Option(help="Engine of the voice; several to compare them. hf:smollm2 is the bare model."),
    ] = None,
    split: Annotated[str, typer.Option(help="Whose situations: test, validation.")] = "test",
    dialogues: Annotated[int, typer.Option(min=1, help="Dialogues, spread over the split's authors.")] = 60,
    retries: Annotated[int, typer.Option(min=0, max=8, help="Further replies where the first does not pass.")] = 2,
    reader: Annotated[str, typer.Option(help="Tells what was said; default: what the manager uses.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the replies.")] = 0,
    write: Annotated[
        Path | None, typer.Option(help="Write the first model's answers there, one JSON object a line, to be read.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Measure how models voice the manager on written situations; exit status 1 if the first misses a target."""
    known = written_dialogues(split)
    most = min(dialogues, len(known))
    found = [one for i in range(most) for one in situations(known[i * len(known) // most])]
    ears: Reader = load_reader(reader) if reader else checking_reader()
    played = {spec: answered(found, spec, ears, retries, seed) for spec in llm or ["smollm2"]}
    if write is not None:
        lines = [
            json.dumps({"where": one.where, "how": spoken.how, "text": spoken.text}, ensure_ascii=False)
            for one, spoken in next(iter(played.values()))
        ]
        write_text(write, "".join(f"{line}\n" for line in lines))
    rows = {name: (measures(made), _causes(made)) for name, made in played.items()}
    for name, texts in (("as written", [one.written for one in found]), ("plain", [one.plain for one in found])):
        rows[name] = (measures(made := said_otherwise(found, texts, ears)), _causes(made))
    if as_json:
        record: dict[str, Any] = {"split": split, "situations": len(found), "dialogues": most, "reader": ears.name}
        record["voices"] = {
            name: {"figures": {key: figure.to_json() for key, figure in figures.items()}, "faults": causes}
            for name, (figures, causes) in rows.items()
        }
        typer.echo(json.dumps(record, ensure_ascii=False))
    else:
        print(f"{len(found)} situations of {most} dialogues ({split}), read by {ears.name}")
        for name, (figures, causes) in rows.items():
            print(f"\n{name}")
            for key, figure in figures.items():
                print(_line(key, figure))
            print("  not at once: " + (", ".join(f"{cause} {n}" for cause, n in causes.items()) or "none"))
    first, _ = next(iter(rows.values()))
    return int(any(_misses(name, figure) for name, figure in first.items()))


def _causes(made: Sequence[Answered]) -> dict[str, int]:
    """Count why answers failed for good, the most frequent cause first."""
    counts: dict[str, int] = defaultdict(int)
    for _, spoken in made:
        if spoken.fault:
            counts[counted(spoken)[-1].partition(": ")[2] or counted(spoken)[-1]] += 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _misses(name: str, figure: Figure) -> bool:
    target = TARGETS.get(name)
    if target is None:
        return False
    return figure.value is None or (figure.value < target if name in AT_LEAST else figure.value > target)


def _line(name: str, figure: Figure) -> str:
    if figure.value is None:
        return f"  {name:10} nothing to measure"
    span = "" if figure.low is None else f" [{figure.low:.3f}, {figure.high or 0.0:.3f}]"
    target = TARGETS.get(name)
    wanted = "" if target is None else f" ({'at least' if name in AT_LEAST else 'at most'} {target:g})"
    return f"  {name:10} {figure.value:.3f}{span} of {figure.n}{wanted}"
