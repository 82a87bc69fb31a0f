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
    sight = perfect_sight(folder)
    summary = {"seed": options.seed, "runs": results, "perfect_sight": sight}
    (folder / "results.json").write_text(json.dumps(summary, indent=2) + "\n")
    show(results, sight, folder)
    console.print(
        f"{time.perf_counter() - started:.0f} s in all; the numbers are in {folder / 'results.json'}", soft_wrap=True
    )
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


def perfect_sight(folder: Path) -> dict[str, float]:
    """Score a guesser that knows every object's pixels but cannot hear: it paints them all."""
    import torch
    from omegaconf import OmegaConf

    from avs_lightning.data.synthetic.sight import object_masks
    from avs_lightning.metrics import f_score, mean_iou

    data = OmegaConf.load(folder / FOLDERS["no TPAVI (deaf)"] / "config.yaml").data
    objects, truth = object_masks(Path(data.root) / "Multi-sources")
    logits, wrong = torch.where(objects, 9.0, -9.0), (objects & ~truth).sum((2, 3)) / (~truth).sum((2, 3))
    return {
        "miou_frame": mean_iou(logits, truth.float(), "frame").item(),
        "fscore_frame": f_score(logits, truth.float(), "frame").item(),
        "false_positive_rate": wrong.mean().item(),
    }


def show(results: dict[str, dict[str, Any]], sight: dict[str, float], folder: Path) -> None:
    """Print the table of all variants, the best one's with false sounds, and what sight alone can reach."""
    from rich.table import Table

    from avs_lightning.reporting.console import console

    title = "Does it follow the sound? Test clips, protocol frame (exact mean over frames)"
    table = Table(title=title, header_style="bold")
    table.add_column("network")
    table.add_column("heard")
    for name in ("mIoU %", "F-score", "wrongly on %"):
        table.add_column(name, justify="right")
    best = max(results, key=lambda name: float(results[name]["scores"]["true"]["miou_frame"]))
    for name, result in results.items():
        for sound, meaning in SOUNDS.items() if name == best else [("true", SOUNDS["true"])]:
            table.add_row(name if sound == "true" else "", meaning, *_figures(result["scores"][sound]))
        table.add_section()
    table.add_row("every object painted (perfect sight, no ears)", "", *_figures(sight))
    console.print(table)
    seen = 100 * sight["miou_frame"]
    deaf, published, top = (100 * results[name]["scores"]["true"]["miou_frame"] for name in (*list(VARIANTS)[:2], best))
    console.print(
        f"Best: {best}. Points of mIoU ahead of the deaf network: {top - deaf:+.1f} "
        f"(TPAVI as published: {published - deaf:+.1f}); ahead of perfect sight: {top - seen:+.1f}."
    )
    console.print(f"Pictures, second by second: {folder / FOLDERS[best] / 'pictures'}", soft_wrap=True)


def _figures(scores: dict[str, float]) -> tuple[str, str, str]:
    wrong = f"{100 * scores['false_positive_rate']:.1f}"
    return f"{100 * scores['miou_frame']:.1f}", f"{scores['fscore_frame']:.3f}", wrong
