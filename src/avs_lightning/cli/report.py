"""`avs report`."""

import argparse
from pathlib import Path

from avs_lightning.errors import UserError


def main(argv: list[str]) -> int:
    """Write the HTML report of studies, sweeps and runs.

    Raises:
        UserError: there is no such study or run, or the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="avs report",
        description="Write one self-contained HTML file: scores, curves, cost against accuracy, the same clips as each "
        "run sees them, what sets the runs apart. It opens from disk, without a network.",
    )
    parser.add_argument(
        "names",
        nargs="+",
        help="what to show, all in one page: studies or sweeps that were run (avs study list), folders of runs; and "
        "data=VARIANT, paths.runs_dir=FOLDER",
        metavar="NAME|FOLDER|KEY=VALUE",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="the HTML file (default: report.html in the folder of what is shown; of several in the present one)",
    )
    options = parser.parse_args(argv)
    settings = [text for text in options.names if "=" in text and not Path(text).exists()]
    names = [text for text in options.names if text not in settings]
    if not names:
        raise UserError(f"{settings[0]!r} is a setting; avs report NAME {settings[0]} says what to show")

    from avs_lightning.cli.study import study_folder
    from avs_lightning.reporting.console import console
    from avs_lightning.studies.reports import is_run, is_study, report_on

    def folder_of(name: str) -> Path:
        folder = Path(name).expanduser()
        if is_run(folder) or is_study(folder) or (folder.is_dir() and len(folder.parts) > 1):
            if len(names) == 1 and settings:
                raise UserError(f"{settings[0]} means nothing for the folder {name}; it is for a study by its name")
            return folder
        try:
            return study_folder(name, settings)
        except UserError:
            if not folder.is_dir() or settings:
                raise
            return folder

    folders = [folder_of(name) for name in names]
    place = folders[0] if len(folders) == 1 else Path()
    written = report_on(folders, options.output or place / "report.html")
    console.print(f"The report is in {written}", soft_wrap=True, markup=False, highlight=False)
    return 0
