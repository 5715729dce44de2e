"""How messages are read: numbers and prices, phrases and their senses, sentences, clauses, rooms and tickets.

``negotiation_env.understanding`` and ``negotiation_env.prices`` are what the other rooms call.
"""
