"""`avs demo`: does it follow the sound? The study `demo`, beside what sight alone can reach."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from avs_lightning.cli.help import WithDefaults
from avs_lightning.data.sound_names import OWN, SOUNDS
from avs_lightning.metrics.names import FRAME_SCORES, score_label, score_text


def main(argv: list[str]) -> int:
    """Run the study `demo`, skipping what is done, and print one table."""
    parser = argparse.ArgumentParser(
        prog="avs demo",
        description="Write synthetic MS3-like clips and train a small AVS on them without TPAVI, with the published "
        "one and with scope=frame: the study `demo`. What is done is skipped; what was cut off goes on.",
        formatter_class=WithDefaults,
    )
    parser.add_argument("--seed", type=int, default=0, help="of the clips and of the training")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder of the clips, runs and results")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and how long it would take")
    parser.add_argument("overrides", nargs="*", help="for every run, as for avs train (trainer.max_epochs=2)")
    options = parser.parse_args(argv)

    from avs_lightning.cli import study

    folders = [f"paths.data_dir={options.output}", f"paths.runs_dir={options.output}"]
    dry = ["--dry-run"] if options.dry_run else []
    code = study.run(["demo", f"seeds={options.seed}", *folders, *options.overrides, *dry])
    if not dry:
        show(study.study_folder("demo", [folders[1]]))
    return code


def show(folder: Path) -> None:
    """Print every network's scores with its own sound, the best one's with false ones, and what sight alone reaches."""
    from rich.table import Table

    from avs_lightning.reporting.console import console
    from avs_lightning.run import Run
    from avs_lightning.studies.cells.plan import Plan

    plan = Plan.load(folder)
    assert plan.table
    labels = plan.table["labels"]["fusion"]
    folders = {labels[cell.parameters["fusion"]]: cell.folder for cell in plan.cells}
    scores = {name: Run(run).results.scores for name, run in folders.items()}
    title = "Does it follow the sound? Test clips, protocol frame (exact mean over frames)"
    table = Table(title=title, header_style="bold")
    table.add_column("network")
    table.add_column("heard")
    for name in FRAME_SCORES:
        table.add_column(score_label(name), justify="right")
    best = max(scores, key=lambda name: float(scores[name][OWN]["miou_frame"]))
    for name, heard in scores.items():
        for sound, meaning in SOUNDS.items() if name == best else [(OWN, SOUNDS[OWN])]:
            if sound in heard:
                table.add_row(name if sound == OWN else "", meaning, *_figures(heard[sound]))
        table.add_section()
    sight = perfect_sight(folders[best])
    table.add_row("every object painted (perfect sight, no ears)", "", *_figures(sight))
    console.print(table)
    deaf, published, top = (100 * scores[name][OWN]["miou_frame"] for name in (labels["none"], labels["clip"], best))
    seen = 100 * sight["miou_frame"]
    console.print(
        f"Best: {best}. Points of mIoU ahead of the deaf network: {top - deaf:+.1f} "
        f"(TPAVI as published: {published - deaf:+.1f}); ahead of perfect sight: {top - seen:+.1f}."
    )
    console.print(f"Pictures, second by second: {folders[best] / 'pictures'}", soft_wrap=True)


def perfect_sight(run: Path) -> dict[str, float]:
    """Score a guesser that knows every object's pixels but cannot hear, on a run's test clips: it paints them all."""
    import torch

    from avs_lightning.data.synthetic.sight import object_masks
    from avs_lightning.metrics import f_score, mean_iou
    from avs_lightning.run import Run

    data = Run(run).config["data"]
    objects, truth = object_masks(Path(data["root"]) / "Multi-sources")
    logits, wrong = torch.where(objects, 9.0, -9.0), (objects & ~truth).sum((2, 3)) / (~truth).sum((2, 3))
    return {
        "miou_frame": mean_iou(logits, truth.float(), "frame").item(),
        "fscore_frame": f_score(logits, truth.float(), "frame").item(),
        "false_positive_rate": wrong.mean().item(),
    }


def _figures(scores: Mapping[str, float]) -> list[str]:
    return [score_text(name, scores[name]) for name in FRAME_SCORES]
