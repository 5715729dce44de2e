"""RF: what code can know of a reply. Rules are data (``rules.toml``); a new one needs no code unless it measures.

``rule_reward`` applies the rules, ``rule_file`` reads and checks them, ``measures`` holds what a pattern cannot see,
``plain_text`` makes a text ready for patterns. What a reply states about its card and the talk its reader has checked:
``negotiation_env.language.claims``.
"""
