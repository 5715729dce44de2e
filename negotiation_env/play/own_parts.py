"""A user's own parts: what they may be more loosely than the protocols say, and what becomes of their failures.

A reward may be a plain function of the reply's view, a policy may return texts. Whatever such a part raises, and a
figure that is not finite, is the fault of the one sample at hand: it is recorded with its cause, the other samples of
the batch and the run go on. A batch that failed as a whole is gone through one by one, so that a fault finds its
sample. This project's own parts are not guarded, since what they raise is a bug; nor are errors that tell of a
caller's mistake (``NegotiationError``).

Faults go into records, reports and ``info``, so no key and nothing that only the hotel knows may stand in them. Values
of the environment that sound like keys are left out of what an error says. A manager knows the floors: of what it
raises only the kind is told, and where.
"""

from __future__ import annotations

import copy
import math
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from negotiation_env.engines.servers import environment_secrets, masked
from negotiation_env.errors import NegotiationError
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.game.state import Decision, Move
from negotiation_env.language.reading import Context, Reader, Reading
from negotiation_env.play.protocols import (
    AgentReply,
    AgentView,
    Manager,
    ManagerReply,
    Negotiation,
    Policy,
    ReplyView,
    Reward,
    RewardBreakdown,
)

T = TypeVar("T")
R = TypeVar("R")

PACKAGES: Final = ("negotiation_env", "simulators", "rewards", "policies", "benchmarks")
"""Where this project's own parts live."""
LONGEST: Final = 300
"""Characters of an error that a fault tells."""


class Fault(NamedTuple):
    """What stands in place of a part's result where it failed."""

    cause: str


def is_ours(part: object) -> bool:
    """Whether a part's class belongs to this project."""
    return type(part).__module__.partition(".")[0] in PACKAGES


def error_line(error: BaseException, private: bool = False) -> str:
    """Return an error in a line: its kind, what it says, and the file and line that it comes from.

    Args:
        error: what was raised; keys are left out of what it says.
        private: whether it was raised where hidden state is known. Then what it says is left out, and instead of one
            place the last three of the way to it are told.
    """
    frames = traceback.extract_tb(error.__traceback__)[-3 if private else -1 :]
    places = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    said = "" if private else masked(" ".join(str(error).split()), environment_secrets())[:LONGEST]
    return f"{type(error).__name__}{': ' if said else ''}{said}{f' ({places})' if places else ''}"


def each_or_fault(
    call: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], private: bool = False
) -> list[R | Fault]:
    """Return a call's result for each item, or the fault of those for which it fails alone.

    ``private``: whether the call knows hidden state, see ``error_line``.
    """
    try:
        found = list(call(items))
        if len(found) == len(items):
            return list(found)
        told = f"expected {len(items)} results, one an item, got {len(found)}"
    except NegotiationError:  # tells the caller what to do, and ends the run
        raise
    except Exception as error:  # noqa: BLE001 - a user's own code may raise anything
        told = error_line(error, private)
    if len(items) == 1:
        return [Fault(told)]
    return [result for item in items for result in each_or_fault(call, [item], private)]


def replies_of(policy: Policy, views: Sequence[AgentView]) -> list[AgentReply]:
    """Return a policy's replies, one a view; a text is a reply, and a failure is a reply with a ``fault``."""
    if is_ours(policy):
        return policy.reply(views)
    return [_as_reply(found) for found in each_or_fault(policy.reply, views)]


def _as_reply(found: object) -> AgentReply:
    if isinstance(found, Fault):
        return AgentReply("", fault=f"policy: {found.cause}")
    if isinstance(found, str):
        return AgentReply(found)
    if isinstance(found, AgentReply) and isinstance(found.text, str):
        return found
    return AgentReply("", fault=f"policy: expected a str or an AgentReply of one, got {_short(found)}")


def scores_of(reward: Reward, views: Sequence[ReplyView]) -> list[RewardBreakdown]:
    """Return a reward's breakdowns, one a view; a failure, or a total that is not finite, is unscored with a fault."""
    # REPO's reward may be made of sources of the user's own.
    ours = is_ours(reward) and all(map(is_ours, getattr(reward, "sources", ())))
    found = reward.score(views) if ours else each_or_fault(reward.score, views)
    return [_as_breakdown(one) for one in found]


def _as_breakdown(found: object) -> RewardBreakdown:
    if isinstance(found, Fault):
        return RewardBreakdown(None, None, None, None, None, fault=found.cause)
    if not isinstance(found, RewardBreakdown):
        return RewardBreakdown(None, None, None, None, None, fault=f"expected a RewardBreakdown, got {_short(found)}")
    if found.total is None or math.isfinite(found.total):
        return found
    # The sources stand beside it as they are: one of them is the cause.
    return found._replace(total=None, fault=f"expected a finite total, got {found.total}")


class FunctionReward:
    """A plain function of a reply's view as a reward: what it returns is the total, in no unit of its own.

    Args:
        function: takes a ``ReplyView``, returns a number; None leaves the reply unscored.
    """

    def __init__(self, function: Callable[[ReplyView], float | None]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Return one breakdown a reply, unscored with a fault where the function fails or returns no finite number."""

        def totals(views: Sequence[ReplyView]) -> list[float | None]:
            return [self.function(view) for view in views]

        return [self._breakdown(found) for found in each_or_fault(totals, replies)]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Return an unscored breakdown: without a text there is no reply to hand to the function."""
        return self._unscored("cannot score a move without text")

    def _breakdown(self, found: object) -> RewardBreakdown:
        if isinstance(found, Fault):
            return self._unscored(found.cause)
        if found is None:
            return self._unscored("returned None")
        try:
            total = float(found)  # type: ignore[arg-type]  # numbers of NumPy and torch too
        except (TypeError, ValueError):
            return self._unscored(f"expected a number, got {_short(found)}")
        if not math.isfinite(total):
            return self._unscored(f"expected a finite number, got {total}")
        return RewardBreakdown(total, None, None, None, None)

    def _unscored(self, cause: str) -> RewardBreakdown:
        return RewardBreakdown(None, None, None, None, None, fault=f"{self.name}: {cause}")


def readings_of(reader: Reader, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading | Fault]:
    """Return a reader's readings, one a message, or the fault."""
    if is_ours(reader):
        return list(reader.read(texts, contexts))

    def read(pairs: Sequence[tuple[str, Context]]) -> list[Reading]:
        return reader.read([text for text, _ in pairs], [context for _, context in pairs])

    found: list[Any] = list(each_or_fault(read, list(zip(texts, contexts, strict=True))))
    return [
        one if isinstance(one, Reading | Fault) else Fault(f"expected a Reading, got {_short(one)}") for one in found
    ]


def answers_of(
    manager: Manager, negotiations: Sequence[Negotiation], moves: Sequence[Move]
) -> list[ManagerReply | Fault]:
    """Return a manager's answers, one a negotiation, or the fault.

    Where a batch fails, the seats are put back as they were and each negotiation is answered alone.
    """
    if is_ours(manager):
        return list(manager.respond(negotiations, moves))
    before = [_copied(negotiation.seat) for negotiation in negotiations]

    def respond(places: Sequence[int]) -> list[ManagerReply]:
        for place in places:
            negotiations[place].seat = _copied(before[place])
        return manager.respond([negotiations[place] for place in places], [moves[place] for place in places])

    return [_sound(answer) for answer in each_or_fault(respond, range(len(negotiations)), private=True)]


def _copied(seat: Any) -> Any:
    """Return a copy of a manager's state, or the state itself where it holds what cannot be copied."""
    try:
        return copy.deepcopy(seat)
    except Exception:  # noqa: BLE001 - a user's own class may raise anything; then a failed batch starts from the seat
        return seat


def _sound(answer: object) -> ManagerReply | Fault:
    if isinstance(answer, Fault):
        return answer
    # What it is and not what it holds: that may be the manager's alone to know.
    if not isinstance(answer, ManagerReply):
        return Fault(f"expected a ManagerReply, got {type(answer).__name__}")
    held: tuple[object, object] = answer.text, answer.decision
    if not isinstance(held[0], str) or not isinstance(held[1], Decision):
        kinds = " and ".join(type(one).__name__ for one in held)
        return Fault(f"expected a ManagerReply of a str and a Decision, got {kinds}")
    wrong = [str(price) for price in answer.decision.quote if not math.isfinite(price)]
    return Fault(f"expected finite prices, got {', '.join(wrong)}") if wrong else answer


def _short(value: object) -> str:
    return masked(f"{type(value).__name__} {value!r}", environment_secrets())[:80]
