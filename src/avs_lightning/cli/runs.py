"""`avs runs`."""

from __future__ import annotations

import argparse
from pathlib import Path

from avs_lightning.errors import UserError


def main(argv: list[str]) -> int:
    """List runs, sweeps and studies.

    Raises:
        UserError: the folder holds none, or the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="avs runs",
        description="List runs, sweeps and studies, newest first: how far each is, its scores with its own sound "
        "(protocol frame), and its folder, which avs report, avs train resume=FOLDER and avs eval take.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where they are (default: paths.runs_dir: $AVS_RUNS_DIR, else runs)"
    )
    parser.add_argument("--cells", action="store_true", help="list the cells of sweeps and studies, too")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the list as a CSV file instead")
    options = parser.parse_args(argv)

    from avs_lightning.cli.study import runs_folder
    from avs_lightning.files import write_rows
    from avs_lightning.reporting.console import console
    from avs_lightning.studies.listing import Listed, listed_in

    folder = options.folder.expanduser() if options.folder else runs_folder()
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; avs runs FOLDER lists another, AVS_RUNS_DIR names the usual one")
    listed = listed_in(folder, options.cells)
    if options.csv:
        write_rows(listed, Listed, options.csv)
        console.print(f"{len(listed)} lines are in {options.csv}", soft_wrap=True, highlight=False)
        return 0
    for one in listed:
        for line in one.lines():
            console.print(line, soft_wrap=True)
    return 0
