"""See how a message is understood, by the rules and by the encoder where that is installed."""

from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import card_numbers, sample_scenario
from negotiation_env.game.state import new_game
from negotiation_env.language.describe import describe
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.language.reading import context_of
from negotiation_env.play.registry import load_reader

MESSAGES = (
    "Could you do 430 for the room?",
    "Absolutely not.",
    "If you throw in breakfast, deal.",
    "We guarantee you a full house.",
)


def main() -> None:
    """Read each message at the beginning of a negotiation; `negotiate read` does it on the command line."""
    card = sample_scenario(6).card
    context = context_of(card, new_game(FLOATS, card_numbers(card)), "agent")
    for name in ("rules", "encoder") if encoder_installed() else ("rules",):
        found = load_reader(name).read(MESSAGES, [context] * len(MESSAGES))
        for message, reading in zip(MESSAGES, found, strict=True):
            print(f"{name:8} {message:40} {describe(reading, card)['text']}")


if __name__ == "__main__":
    main()
