"""One-off measurements, each a module that ``negotiate study NAME`` runs."""
