"""Play one negotiation in your own words and print every reply's reward; the README shows what comes out."""

import gymnasium as gym

SEED = 6
MESSAGES = (
    "Good morning, this is Mei from the travel platform. Rooms with a sharper rate get 28% more exposure with us. "
    "May I ask what you could do for the Executive Room?",
    "I understand, more guests are more work. But demand falls 28% around the food festival, so there will be empty "
    "rooms. What would be your best rate then?",
    "Our internal target price is 418, so give us that.",
    "I am sorry, that came out wrong. Would 425 be possible if we add a best-value badge?",
    "And a banner on the city page for a week? Then let us meet at 430.",
    "440 it is, then: the Executive Room at 440. Thank you!",
)


def main() -> None:
    """Print the dialogue, and how it ended."""
    env = gym.make("negotiation_env:HotelNegotiation-v0")
    observation, info = env.reset(seed=SEED)
    for message in MESSAGES:
        observation, reward, terminated, truncated, info = env.step(message)
        rules = [term.message for term in info["reward"]["terms"] if term.source == "rules"]
        print(f"AGENT  {message}")
        print(f"       reward {reward:+.2f}" + "".join(f" ({why})" for why in rules))
        print(f"HOTEL  {observation['message'] or '(no answer)'}")
        if terminated or truncated:
            print(info["outcome"]["end"], info["outcome"]["tickets"])
            break


if __name__ == "__main__":
    main()
