"""mkdocs hooks: pages that are files of the repository's top folder, and links that lead out of ``docs``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PAGES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site, each a few words here and the file that stands in the top folder."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return a page's text: that of the file it stands for, with links as the site has them."""
    source = page.file.src_uri
    home = DOCS
    if source in PAGES:
        markdown = (DOCS.parent / PAGES[source]).read_text(encoding="utf-8")
        home = DOCS.parent
    else:
        home = (DOCS / source).parent
    return LINK.sub(lambda found: _link(found, home, (DOCS / source).parent), markdown)


def _link(found: re.Match[str], home: Path, page: Path) -> str:
    """Return a link from a page: to another page as it is, to a file outside ``docs`` as its path in the repository."""
    mark, text, target = found.groups()
    path, hash_, anchor = target.partition("#")
    whole = (home / path).resolve()
    for name, file in PAGES.items():
        if whole == DOCS.parent / file:
            whole = DOCS / name
    if whole.is_relative_to(DOCS):
        return f"{mark}[{text}]({Path(os.path.relpath(whole, page)).as_posix()}{hash_}{anchor})"
    where = whole.relative_to(DOCS.parent).as_posix()
    return f"`{where}`" if text.strip("`") in (where, whole.name) else f"{text} (`{where}`)"
