"""Rewrites ``cases/open.json`` by what each reader reads otherwise: ``python -m tests.language.write_open_cases``."""

from __future__ import annotations

from negotiation_env.files import write_json
from negotiation_env.play.registry import load_reader
from tests.language.reading_cases import FILES, FOLDER, READERS, faults

if __name__ == "__main__":
    found = {reader: {name: sorted(faults(name, load_reader(reader))) for name in FILES} for reader in READERS}
    write_json(FOLDER / "open.json", {r: {n: lines for n, lines in f.items() if lines} for r, f in found.items()})
