"""Which code computes: a changed loss counts, a changed sentence does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

import avs_lightning
from avs_lightning import sources
from avs_lightning.sources import DECISIVE, TALK, code_version

PACKAGE = Path(avs_lightning.__file__).parent
LOSS = '''
def loss(a, b, kind):
    """The distance of two maps."""
    # squared
    if kind != "l2":
        raise UserError(f"{kind} is unknown")
    log.info("the loss is %s", kind)
    return (a - b) ** 2
'''


@pytest.fixture
def hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], dict[str, str]]:
    monkeypatch.setattr(avs_lightning, "__file__", str(tmp_path / "__init__.py"))

    def written(file: str, source: str) -> dict[str, str]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(source)
        code_version.cache_clear()
        return code_version()

    yield written
    code_version.cache_clear()


def test_the_code_has_a_version_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    code_version.cache_clear()
    with_git = code_version()
    monkeypatch.setenv("PATH", "")
    code_version.cache_clear()
    version = code_version()
    assert version.keys() == {"version", "sources", "results"}
    assert {name: with_git[name] for name in version} == version


@pytest.mark.parametrize(
    "file, decides",
    [
        ("cli/a.py", False),
        ("reporting/a.py", False),
        ("training/progress.py", False),
        ("metrics/names.py", False),
        ("data/a.py", True),
        ("training/b/a.py", True),
        ("losses.py", True),
    ],
)
def test_sources_that_can_change_results(
    hashes: Callable[[str, str], dict[str, str]], file: str, decides: bool
) -> None:
    one, other = hashes(file, "a = 1"), hashes(file, "a = 2")
    assert one["sources"] != other["sources"]
    assert (one["results"] != other["results"]) == decides


@pytest.mark.parametrize(
    "before, after, decides",
    [
        ("** 2", "** 4", True),
        ('!= "l2"', '!= "l1"', True),
        ("is unknown", "is no loss", False),
        ("the loss is %s", "loss: %s", False),
        ("distance of two maps", "distance", False),
        ("# squared", "# the square", False),
    ],
)
def test_what_counts_of_a_source_is_what_it_computes(
    hashes: Callable[[str, str], dict[str, str]], before: str, after: str, decides: bool
) -> None:
    one, other = hashes("losses.py", LOSS), hashes("losses.py", LOSS.replace(before, after))
    assert one["sources"] != other["sources"]
    assert (one["results"] != other["results"]) == decides


def test_what_only_talks_is_in_the_rooms_that_compute() -> None:
    assert all((PACKAGE / file).is_file() and file.partition("/")[0] in DECISIVE for file in TALK)


def test_no_sentence_for_people_is_in_what_is_hashed() -> None:
    tree = sources.computation((PACKAGE / "losses.py").read_bytes())
    assert "binary_cross_entropy" in tree
    assert "Args:" not in tree
