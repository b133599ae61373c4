# SPDX-License-Identifier: Apache-2.0
"""Checks the built site: python check_site.py HTML_FOLDER.

No page may load anything from another server, every page that is linked must be there, and every
lesson must have a picture.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The attributes by which an element loads something, and relations of links that do not load.
_LOADING = {"src", "srcset", "poster", "data", "xlink:href"}
_HARMLESS = {"canonical", "next", "prev", "index", "search", "author", "license", "up", "top"}
_IN_STYLES = re.compile(r"(?:url\(\s*|@import\s+)[\"']?([^\"')\s]+)")


class Page(HTMLParser):
    """What a page loads, where it leads to, and its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.pictures = 0
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect from one element."""
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif tag == "link" and not set(values.get("rel", "").split()) & _HARMLESS:
            self.loaded.append(values.get("href", ""))
        for name in _LOADING & set(values):
            parts = values[name].split(",") if name == "srcset" else [values[name]]
            self.loaded += [part.split()[0] for part in parts if part.strip()]
        self.loaded += _IN_STYLES.findall(values.get("style", ""))
        in_lesson = "sphx-glr" in values.get("class", "") or "drawing" in values.get("class", "")
        self.pictures += in_lesson and (tag == "img" or "drawing" in values.get("class", ""))

    def handle_data(self, data: str) -> None:
        """Collect from a style sheet within the page."""
        if self._in_style:
            self.loaded += _IN_STYLES.findall(data)


def external(url: str) -> bool:
    """Return whether a browser would ask another server."""
    return url.startswith("//") or urlsplit(url).scheme not in ("", "data", "blob")


def check(site: Path) -> list[str]:
    """Return what is wrong, a line each."""
    faults = []
    pages = sorted(site.rglob("*.html"))
    for file in pages:
        name = file.relative_to(site).as_posix()
        page = Page(file.read_text())
        faults += [f"{name} loads {url}" for url in page.loaded if external(url)]
        for url in page.links + page.loaded:
            path = unquote(urlsplit(url).path)
            if path and not external(url) and not urlsplit(url).scheme:
                target = file.parent / path
                if not target.exists():
                    faults.append(f"{name} refers to {url}, which is not there")
        is_lesson = name.startswith("lessons/") and file.stem != "index"
        if is_lesson and not page.pictures:
            faults.append(f"{name} has no picture")
    for sheet in sorted(site.rglob("*.css")):
        urls = _IN_STYLES.findall(sheet.read_text())
        faults += [f"{sheet.relative_to(site)} loads {url}" for url in urls if external(url)]
    scripts = sorted((Path(__file__).parent / "gallery").glob("*.py"))
    missing = {s.stem for s in scripts} - {page.stem for page in pages}
    faults += [f"{stem}.py has no page" for stem in sorted(missing)]
    print(f"{len(pages)} pages, {len(scripts)} lessons, {len(faults)} faults")
    return faults


if __name__ == "__main__":
    found = check(Path(sys.argv[1]).resolve())
    print("\n".join(found))
    sys.exit(bool(found))
