"""Where results come from, and what speaks against mixing them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.studies.tables.provenance import Code, Fingerprint, Provenance, provenance_of

CODE = {"version": "0.1.0", "results": "aaa", "commit": "0123456789", "dirty": True}


def test_data_code_machine_and_date_of_the_runs_that_are_done(run: Callable[..., Path]) -> None:
    folder = run("a")
    cut = run("cut", fingerprint="e" * 12)
    (cut / "metrics.json").write_text('{"scores"')
    assert provenance_of([folder, cut, folder.with_name("new")]).facts() == {
        "data": "ms3", "fingerprint": f"ms3 {'f' * 12}", "code": "0.1.0 (aaa, commit 0123456 with changes)",
        "machine": "2 CPU cores, 24 GiB", "date": "2026-11-24",
    }  # fmt: skip
    assert provenance_of([]).facts() == {}


def test_what_differs_is_told_apart(run: Callable[..., Path]) -> None:
    gpus = {"gpus": ["H100", "H100"], "started": "2026-11-25"}
    other = run("b", environment=gpus, fingerprint="e" * 12, code={**CODE, "results": "bbb"}, cost={"device": "H100"})
    found = provenance_of([run("a"), other])
    assert found.fingerprints == (Fingerprint("ms3", "e" * 12), Fingerprint("ms3", "f" * 12))
    assert [code.results for code in found.codes] == ["aaa", "bbb"]
    assert found.machines == ("2 CPU cores, 24 GiB", "2 × H100")
    assert found.facts()["date"] == "2026-11-24; 2026-11-25"


def test_data_that_differ_by_intent_are_told_apart_by_what_was_asked(run: Callable[..., Path]) -> None:
    runs = [
        run("holding", {"synthetic": {"switching": False}, "workers": 1, "seed": 3}, fingerprint="e" * 12),
        run("switching", {"synthetic": {"switching": True}, "workers": 2, "seed": 4}),
        run("s4", {"name": "s4"}),
    ]
    (runs[2] / "metrics.json").write_text('{"data": "s4", "fingerprint": "ddd"}')
    found = provenance_of(runs)
    assert [str(fingerprint) for fingerprint in found.fingerprints] == [
        f"ms3 (synthetic.switching=False) {'e' * 12}", f"ms3 (synthetic.switching=True) {'f' * 12}", "s4 ddd",
    ]  # fmt: skip
    assert list(found.warnings()) == []


@pytest.mark.parametrize("missing", ["environment.json", "config.yaml"])
def test_files_that_are_gone_or_damaged_leave_what_is_known(run: Callable[..., Path], missing: str) -> None:
    file = run("a") / missing
    for content in ("{", None):
        file.write_text(content) if content else file.unlink()
        facts = provenance_of([file.parent]).facts()
        assert facts["fingerprint"] == f"ms3 {'f' * 12}"
        assert facts["code"].startswith("0.1.0 (aaa")


@pytest.mark.parametrize(
    "provenance, warnings",
    [
        (Provenance(fingerprints=(Fingerprint("s4", "a"), Fingerprint("ms3", "b"))), []),
        (
            Provenance(fingerprints=(Fingerprint("s4", "a"), Fingerprint("s4", "b"), Fingerprint("ms3", "c"))),
            ["cells saw different data (s4): 2 fingerprints."],
        ),
        (
            Provenance(codes=(Code("0.1", "abc", "commit 1"), Code("0.1", "abc", "commit 2"))),
            [],
        ),  # compute the same
        (Provenance(codes=(Code("0.1.0", "abc"), Code("0.1.0", "def"))), ["cells come from 2 code versions."]),
    ],
)
def test_what_was_mixed_is_a_warning(provenance: Provenance, warnings: list[str]) -> None:
    assert list(provenance.warnings()) == warnings
