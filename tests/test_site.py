# SPDX-License-Identifier: Apache-2.0
"""What docs/check_site.py finds in a built site; the site itself is built by CI."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "check_site.py"
LESSONS = sorted(path.stem for path in (SCRIPT.parent / "gallery").glob("*.py"))
PICTURE = '<img class="sphx-glr-single-img" src="picture.png">'


@pytest.fixture
def faults():
    spec = importlib.util.spec_from_file_location("check_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check


@pytest.fixture
def site(tmp_path):
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    (lessons / "picture.png").touch()
    for stem in LESSONS:
        (lessons / f"{stem}.html").write_text(PICTURE)
    (tmp_path / "index.html").write_text('<a href="https://example.org/">elsewhere</a>')
    return tmp_path


def test_a_link_to_elsewhere_loads_nothing(faults, site):
    assert faults(site) == []


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/mathjax.js"></script>',
        '<script src="//cdn.example/mathjax.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example/font.css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="https://badges.example/ok.svg">',
        '<img srcset="lessons/picture.png 1x, https://pictures.example/large.png 2x">',
        '<p style="background: url(https://pictures.example/a.png)">',
        "<style>@import 'https://fonts.example/font.css';</style>",
        '<iframe src="http://videos.example/1"></iframe>',
    ],
)
def test_a_page_that_loads_from_elsewhere_is_named(faults, site, html):
    (site / "index.html").write_text(html)
    (found,) = faults(site)
    assert found.startswith("index.html loads ")
    assert ".example" in found


def test_a_style_sheet_that_loads_from_elsewhere_is_named(faults, site):
    (site / "font.css").write_text('@font-face { src: url("https://fonts.example/a.woff2") }')
    assert faults(site) == ["font.css loads https://fonts.example/a.woff2"]


def test_a_link_without_a_page_is_named(faults, site):
    (site / "index.html").write_text('<a href="guide.html#data">guide</a>')
    assert faults(site) == ["index.html refers to guide.html#data, which is not there"]


def test_a_lesson_without_a_picture_or_a_page_is_named(faults, site):
    first, second = LESSONS[:2]
    (site / "lessons" / f"{first}.html").write_text("<p>text</p>")
    (site / "lessons" / f"{second}.html").unlink()
    assert faults(site) == [f"lessons/{first}.html has no picture", f"{second}.py has no page"]
