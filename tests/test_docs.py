"""The documentation: it builds without a warning, its pages open without a network, and no link leads nowhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from avs_lightning.cli.options import read_options

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "experiments").glob("**/*.md")])
GENERATED = {ROOT / "docs" / name for name in ("options.md", "extending.md")}
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
FETCHED = re.compile(r"<(?:script|img|iframe|source)[^>]* src=\"?https?:[^>]*|<link[^>]* href=\"?https?:[^>]*")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    ended = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_links_to_exists(document: Path) -> None:
    linked = [document.parent / target for target in LINK.findall(document.read_text(encoding="utf-8"))]
    assert [str(file) for file in linked if not file.exists() and file.resolve() not in GENERATED] == []


def test_pages_fetch_nothing_when_they_are_opened(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert len(pages) > 10
    assert {page.name: found for page in pages if (found := FETCHED.findall(page.read_text(encoding="utf-8")))} == {}


def test_every_setting_stands_on_the_page_of_options(site: Path) -> None:
    page = (site / "options.html").read_text(encoding="utf-8")
    keys = {setting.key for option in read_options() for setting in option.settings}
    assert sorted(key for key in keys if f"<code>{key}</code>" not in page) == []


def test_the_recipes_of_contributing_are_a_page(site: Path) -> None:
    page = (site / "extending.html").read_text(encoding="utf-8")
    recipes = re.findall(r"^## (.*)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipes
    assert [recipe for recipe in recipes if f">{recipe}<" not in page] == []


def test_every_formula_is_drawn(site: Path) -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in site.glob("*.html")}
    assert [name for name, text in pages.items() if "arithmatex" in text] == []
    numbers = re.findall(r'id="eq-(\d+)"', pages["tpavi.html"])
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)] != []
