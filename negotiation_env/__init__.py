"""The negotiation game: acts, scenarios, manager protocol, records and Gymnasium environments."""
