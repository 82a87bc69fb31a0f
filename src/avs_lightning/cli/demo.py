"""`avs demo`: does it follow the sound? Three small networks on synthetic clips, side by side."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from avs_lightning.errors import UserError

VARIANTS = {
    "no TPAVI (deaf)": ["fusion=none"],
    "TPAVI as published (scope=clip)": ["fusion.scope=clip"],
    "TPAVI by the second (scope=frame)": ["fusion.scope=frame"],
}
FOLDERS = dict(zip(VARIANTS, ("none", "clip", "frame")))
SOUNDS = {"true": "its own sound", "muted": "muted", "swapped": "another clip's sound"}


def main(argv: list[str]) -> int:
    """Train and test the variants, skipping those that are done, and print one table."""
    parser = argparse.ArgumentParser(
        prog="avs demo",
        description="Write synthetic MS3-like clips and train a small AVS on them without TPAVI, with the published "
        "one and with scope=frame. What is done is skipped; what was cut off goes on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0, help="of the clips and of the training")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder of the clips, runs and results")
    parser.add_argument("overrides", nargs="*", help="for every run, as for avs train (trainer.max_epochs=2)")
    options = parser.parse_args(argv)

    from avs_lightning.reporting.console import console

    started = time.perf_counter()
    folder = options.output / f"seed_{options.seed}"
    results: dict[str, dict[str, Any]] = {}
    for number, (name, overrides) in enumerate(VARIANTS.items(), start=1):
        console.rule(f"{number}/{len(VARIANTS)}: {name}")
        results[name] = run_variant(folder / FOLDERS[name], [*overrides, *options.overrides], options)
    summary = {"seed": options.seed, "seconds": round(time.perf_counter() - started, 1), "runs": results}
    (folder / "results.json").write_text(json.dumps(summary, indent=2) + "\n")
    show(results, folder)
    console.print(f"{summary['seconds']:.0f} s in all; the numbers are in {folder / 'results.json'}", soft_wrap=True)
    return 0


def run_variant(folder: Path, overrides: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Train one variant in a process of its own, or take its results where it is done."""
    metrics = folder / "metrics.json"
    if not metrics.exists():
        resume = [f"resume={folder}"] if (folder / "config.yaml").exists() else []
        fresh = [
            "+demo=train",
            f"seed={options.seed}",
            f"paths.data_dir={options.output}",
            f"paths.output_dir={folder}",
        ]
        command = [sys.executable, "-m", "avs_lightning.cli", "train", *(resume or [*fresh, *overrides])]
        if subprocess.run(command, check=False).returncode:
            raise UserError(
                f"the run in {folder} failed, see above and {folder / 'run.log'}; the same command goes on from here"
            )
    result: dict[str, Any] = json.loads(metrics.read_text())
    return result


def show(results: dict[str, dict[str, Any]], folder: Path) -> None:
    """Print the table of all variants, and the best one's with false sounds."""
    from rich.table import Table

    from avs_lightning.reporting.console import console

    table = Table(
        title="Does it follow the sound? Test clips, protocol frame (exact mean over frames)", header_style="bold"
    )
    table.add_column("network")
    table.add_column("heard")
    for name in ("mIoU %", "F-score", "wrongly on %"):
        table.add_column(name, justify="right")
    best = max(results, key=lambda name: float(results[name]["scores"]["true"]["miou_frame"]))
    for name, result in results.items():
        for sound, meaning in SOUNDS.items() if name == best else [("true", SOUNDS["true"])]:
            scores = result["scores"][sound]
            table.add_row(
                name if sound == "true" else "",
                meaning,
                f"{100 * scores['miou_frame']:.1f}",
                f"{scores['fscore_frame']:.3f}",
                f"{100 * scores['false_positive_rate']:.1f}",
            )
        table.add_section()
    console.print(table)
    deaf, published = (results[name]["scores"]["true"]["miou_frame"] for name in list(VARIANTS)[:2])
    gain = 100 * (results[best]["scores"]["true"]["miou_frame"] - deaf)
    console.print(
        f"Best: {best}, {gain:+.1f} points of mIoU over the deaf one; as published {100 * (published - deaf):+.1f}."
    )
    console.print(f"Pictures, second by second: {folder / FOLDERS[best] / 'pictures'}", soft_wrap=True)
