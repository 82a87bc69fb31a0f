"""`avs report`."""

import argparse
from pathlib import Path

from avs_lightning.errors import UserError


def main(argv: list[str]) -> int:
    """Write the HTML report of a study, a sweep or a run.

    Raises:
        UserError: there is no such study or run, or the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="avs report",
        description="Write one self-contained HTML file: the table, curves, cost against accuracy, clips with masks "
        "and sound, what sets the cells apart. It opens from disk, without a network.",
    )
    parser.add_argument("name", help="a study or sweep that was run (avs study list), or the folder of a run")
    parser.add_argument("settings", nargs="*", help="data=VARIANT, paths.runs_dir=FOLDER", metavar="KEY=VALUE")
    parser.add_argument(
        "--output", type=Path, help="the HTML file (default: report.html in the study's or run's folder)"
    )
    options = parser.parse_args(argv)

    from avs_lightning.cli.study import named, study_folder
    from avs_lightning.reporting.console import console
    from avs_lightning.studies.status import run_report, study_report

    folder = Path(options.name)
    if (folder / "config.yaml").is_file():
        written = run_report(folder.resolve(), options.output or folder / "report.html")
    elif (folder / "plan.json").is_file():
        written = study_report(folder.resolve(), options.output or folder / "report.html")
    else:
        if folder.is_dir() and len(folder.parts) > 1:
            raise UserError(f"{folder} holds neither a run (config.yaml) nor a study (plan.json)")
        name, settings = named([options.name, *options.settings], "report")
        folder = study_folder(name, settings)
        written = study_report(folder, options.output or folder / "report.html")
    console.print(f"The report is in {written}", soft_wrap=True)
    return 0
