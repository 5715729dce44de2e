"""What a run plays: one job for each episode, with its seeds.

Trial 1 plays a case's own draws. Trial k draws anew, policy and simulator together; a crossed run plays each of K
draws of the policy with each of K of the simulator. An A/B run gives every conversation to one of two arms. All of it
is a function of the cases' seeds, the run's seed and the number of trials, whatever was played before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.metrics.judging import TRIAL_MARK
from benchmarks.runner.provenance import VERSIONS, case_content, digest, policy_digest
from benchmarks.suites import Case, CaseSuite
from negotiation_env import __version__
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import FLOATS
from negotiation_env.language.reading import Reader, reader_label
from negotiation_env.play.records import Episode
from negotiation_env.play.registry import policy_label
from negotiation_env.seeds import ARM_LABEL, TRIAL_LABEL

AB: Final = "ab"
"""The suite whose conversations are divided between two arms."""


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to be played: the ``key`` names it in the folder's episodes.

    Attributes:
        policy: the policy's name in reports.
        suite: the suite's name.
        scenario: the case's name in the run without the trial, ``SUITE/ID``.
        draws: which draw of the policy and which of the simulator, from 0.
        case: the case with the trial's scenario: its id is the key's second half, its seed the simulator's.
        policy_seed: seed of the policy's draws, None for the scenario's own.
        files: digest of the files that the policy's spec names, "" if it names none; of a policy with a name of its
            own, of the spec too.
        spec: the policy's spec.
    """

    policy: str
    suite: str
    scenario: str
    draws: tuple[int, int]
    case: Case
    policy_seed: int | None = None
    files: str = ""
    spec: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Policy, and scenario id within the run."""
        return self.policy, self.case.id


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How often cases are played, and with which draws.

    Attributes:
        seed: of the run; 0 keeps the scenarios' own seeds in the first trial.
        trials: draws of each case, at least 1.
        crossed: play every draw of the policy with every draw of the simulator.
    """

    seed: int = 0
    trials: int = 1
    crossed: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.trials < 1 or self.seed < 0:
            raise UsageError(f"expected trials >= 1 and seed >= 0, got {self.trials} and {self.seed}")
        if self.crossed and self.trials < 2:
            raise UsageError("expected at least 2 trials to be crossed, got 1: give --trials")

    def draws(self) -> list[tuple[int, int]]:
        """Return the pairs of policy draw and simulator draw, equal ones first."""
        equal = [(k, k) for k in range(self.trials)]
        if not self.crossed:
            return equal
        return equal + [(p, s) for p in range(self.trials) for s in range(self.trials) if p != s]


def jobs_of(policies: Sequence[str], suites: Mapping[str, CaseSuite], plan: RunPlan) -> list[Job]:
    """Return the run's jobs: by policy (spec), suite, trial and case.

    Raises:
        UsageError: the A/B suite is to be played by other than two policies, or more than once.
    """
    if AB in suites and (len(policies) != 2 or plan.trials != 1):
        raise UsageError(
            f"expected two policies and one trial for suite {AB!r}, got {len(policies)} and {plan.trials}: "
            "every conversation goes to one of two arms"
        )
    found: list[Job] = []
    for spec in policies:
        policy, files = policy_label(spec), policy_digest(spec)
        for name, suite in suites.items():
            own = [case for case in suite if name != AB or policies[arm_of(case, plan.seed)] == spec]
            made = [_job(policy, name, c, d, plan.seed) for d in plan.draws() for c in own]
            found += [replace(job, files=files, spec=spec) for job in made]
    return found


def arm_of(case: Case, seed: int) -> int:
    """Return the arm, 0 or 1, that a conversation falls to: a fair draw from its seed and the run's."""
    return int(FLOATS.draw(FLOATS.fork(case.scenario.seed, ARM_LABEL + seed), 0, 0) * 2)


def _job(policy: str, suite: str, case: Case, draws: tuple[int, int], seed: int) -> Job:
    own, simulators = (_trial_seed(case.scenario.seed, trial, seed) for trial in draws)
    scenario = f"{suite}/{case.id}"
    if draws == (0, 0):
        name = scenario
    elif draws[0] == draws[1]:
        name = f"{scenario}{TRIAL_MARK}{draws[0] + 1}"
    else:
        name = f"{scenario}{TRIAL_MARK}p{draws[0] + 1}s{draws[1] + 1}"
    played = replace(case, scenario=replace(case.scenario, id=name, seed=simulators))
    return Job(policy, suite, scenario, draws, played, None if own == simulators else own)


def _trial_seed(own: int, trial: int, seed: int) -> int:
    """Return the seed of a trial; the first trial of a run with seed 0 keeps the scenario's own."""
    return own if not trial and not seed else FLOATS.fork(FLOATS.fork(own, TRIAL_LABEL + seed), trial)


def versions_of(job: Job, manager: str, reader: Reader) -> dict[str, str]:
    """Return what an episode of this job depends on; recorded with it, so that an outdated one is played again."""
    found = {
        "negotiation-env": __version__,
        "script": digest([case_content(job.case)]),
        "reader": reader_label(reader),
        "rewards": ".".join(str(VERSIONS[part]) for part in ("rules", "judge", "model")),
        "manager": f"{manager} {VERSIONS['managers']}" if job.case.script is None else "replay",
    }
    return {**found, "policy": job.files} if job.files else found


def is_done(job: Job, episode: Episode | None, manager: str, reader: Reader) -> bool:
    """Whether this is a sound episode of the very same job; a faulted or outdated one is played again."""
    return (
        episode is not None
        and episode.fault is None
        and (episode.seed, episode.policy_seed, episode.card)
        == (job.case.scenario.seed, job.policy_seed, job.case.scenario.card)
        and episode.versions == versions_of(job, manager, reader)
    )
