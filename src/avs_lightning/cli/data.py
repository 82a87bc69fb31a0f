"""`avs data make|check|stats`."""

import argparse
import shlex
from pathlib import Path

from avs_lightning.cli.help import WithDefaults


def main(argv: list[str]) -> int:
    """Make the synthetic AVSBench, check a data set's files, or count its clips."""
    options = parser().parse_args(argv)
    return int(options.run(options))


def parser() -> argparse.ArgumentParser:
    """The command line of `avs data`."""
    top = argparse.ArgumentParser(prog="avs data", description="Make a synthetic AVSBench; check or count a data set.")
    commands = top.add_subparsers(metavar="make|check|stats", required=True)
    shown = WithDefaults

    make_ = commands.add_parser("make", help="write a synthetic AVSBench in the official layout", formatter_class=shown)
    make_.add_argument("root", type=Path, help="folder that will hold Single-source/ or Multi-sources/")
    make_.add_argument(
        "--setting", choices=["s4", "ms3"], default="ms3", help="one sounding object, or several in turn"
    )
    make_.add_argument("--train", type=int, default=480, help="training clips")
    make_.add_argument("--val", type=int, default=64, help="validation clips")
    make_.add_argument("--test", type=int, default=128, help="test clips")
    make_.add_argument("--size", type=int, default=224, help="height and width of the frames, pixels")
    make_.add_argument("--seed", type=int, default=0, help="the same seed gives the same files")
    make_.add_argument("--categories", default="all", help="all 23, a number, or names separated by commas")
    make_.add_argument("--holding", action="store_true", help="ms3: objects sound for the whole clip or not at all")
    make_.add_argument("--no-videos", action="store_true", help="leave out raw_videos/ (several times faster)")
    make_.add_argument("--workers", type=int, default=0, help="processes; 0: one a core")
    make_.set_defaults(run=make)

    check_ = commands.add_parser(
        "check", help="look at every file the CSV promises; exit code 1 if any is wrong", formatter_class=shown
    )
    check_.add_argument("root", type=Path, help="folder with Single-source/ and/or Multi-sources/, or with clips.csv")
    check_.add_argument("--size", type=int, default=224, help="height and width of AVSBench's frames, pixels")
    check_.add_argument("--output", type=Path, help="write every problem into this CSV file")
    check_.set_defaults(run=check)

    stats_ = commands.add_parser(
        "stats", help="clips a category and split, as a table and, if wanted, a figure", formatter_class=shown
    )
    stats_.add_argument("root", type=Path, help="a data set's folder, or its metadata CSV")
    stats_.add_argument(
        "--figure",
        type=Path,
        help="draw them, too, and write the figure here (.png, .pdf or .svg; of several sets, each with its setting's "
        "name)",
    )
    stats_.set_defaults(run=stats)
    return top


def make(options: argparse.Namespace) -> int:
    """`avs data make`."""
    from avs_lightning.data.layouts import absolute_root
    from avs_lightning.data.synthetic.writer import write_dataset
    from avs_lightning.reporting.console import console

    names = options.categories
    categories = None if names == "all" else int(names) if names.isdigit() else names.split(",")
    folder = write_dataset(
        options.root,
        options.setting,
        {"train": options.train, "val": options.val, "test": options.test},
        size=options.size,
        seed=options.seed,
        categories=categories,
        switching=not options.holding,
        workers=options.workers,
        videos=not options.no_videos,
    )
    console.print(f"{options.train + options.val + options.test} clips are in {folder}", soft_wrap=True)
    root = shlex.quote(f"data.root={absolute_root(options.root)}")
    size = "" if options.size == 224 else f" data.image_size={options.size}"
    console.print(f"Train on them: avs train data={options.setting} {root}{size}", soft_wrap=True, markup=False)
    return 0


def check(options: argparse.Namespace) -> int:
    """`avs data check`."""
    from avs_lightning.data.check import check_dataset
    from avs_lightning.data.problems import Problem, problem_lines
    from avs_lightning.files import write_rows
    from avs_lightning.reporting.console import console

    problems = check_dataset(options.root, image_size=options.size)
    for line in problem_lines(problems):
        console.print(line, soft_wrap=True)
    if options.output:
        write_rows(problems, Problem, options.output)
        console.print(f"The full list is {options.output}", soft_wrap=True, markup=False)
    elif problems:
        console.print("--output FILE writes the full list as CSV.")
    return int(any(not problem.note for problem in problems))


def stats(options: argparse.Namespace) -> int:
    """`avs data stats`."""
    from avs_lightning.data.stats import clip_counts, counts_table, metadata_files
    from avs_lightning.reporting.console import console

    files = metadata_files(options.root)
    for csv in files:
        counts = clip_counts(csv)
        console.print(counts_table(counts))
        if figure := options.figure:
            from avs_lightning.reporting.dataset_figure import write_dataset_figure

            named = figure.with_stem(f"{figure.stem}_{counts.attrs['setting']}") if len(files) > 1 else figure
            console.print(f"The figure is {write_dataset_figure(counts, named)}", soft_wrap=True)
    return 0
