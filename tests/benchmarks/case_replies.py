"""Policies that say the lines of the bad cases' own files, so that the runner can play them; found by the task card."""

from collections.abc import Sequence

from benchmarks.suites import Case, bad_cases
from negotiation_env.play.protocols import AgentReply, AgentView

BY_CARD = {case.scenario.card: case for case in bad_cases()}


class FromFile:
    """Says a case's lines in order, then nothing."""

    name = "from-file"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        said = [(self.lines(BY_CARD[view.card]), len(view.agent_said)) for view in views]
        return [AgentReply(lines[place] if place < len(lines) else "") for lines, place in said]

    def lines(self, case: Case) -> Sequence[str]:
        raise NotImplementedError


class Good(FromFile):
    def lines(self, case: Case) -> Sequence[str]:
        return case.good


class Bad(FromFile):
    def lines(self, case: Case) -> Sequence[str]:
        return case.bad


class Half(FromFile):
    def lines(self, case: Case) -> Sequence[str]:
        assert case.half is not None
        return case.half.replies


class Echo:
    """Says the hotel's last message again."""

    name = "echo"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        return [AgentReply(view.manager_said[-1].text if view.manager_said else "Hello.") for view in views]


class EchoAndAgree:
    """Takes whatever the hotel says, in its own words."""

    name = "echo-and-agree"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        said = [view.manager_said[-1].text if view.manager_said else "Good morning." for view in views]
        return [AgentReply(f"Agreed. {text}") for text in said]
