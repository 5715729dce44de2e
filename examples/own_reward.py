"""Use a function of your own as the reward, alone or added to REPO's."""

import gymnasium as gym

from negotiation_env.play.protocols import ReplyView
from negotiation_env.play.registry import load_reward

REPO = load_reward("repo")


def brief(view: ReplyView) -> float:
    """Return 1 for a reply of at most twenty words."""
    return float(len(view.words) <= 20)


def repo_and_brief(view: ReplyView) -> float | None:
    """Return REPO's total plus half a point for a brief reply; None where REPO could not score."""
    (found,) = REPO.score([view])
    return None if found.total is None else found.total + 0.5 * brief(view)


def main() -> None:
    """Send one message under three rewards."""
    for reward in (brief, repo_and_brief, "outcome"):
        env = gym.make("negotiation_env:HotelNegotiation-v0", reward=reward)
        env.reset(seed=6)
        total = env.step("Good morning, this is the travel platform. Could you offer a better rate?")[1]
        print(f"{getattr(reward, '__name__', reward)}: {total:.2f}")


if __name__ == "__main__":
    main()
