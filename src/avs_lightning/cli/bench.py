"""`avs bench`."""

import argparse
from datetime import date
from pathlib import Path


def main(argv: list[str]) -> int:
    """Measure the exact forms against what they replace, the data loader, and the start of commands."""
    parser = argparse.ArgumentParser(
        prog="avs bench",
        description="Print a table and write JSON. Each row is a ratio measured in one run: medians after a warm-up, "
        "calls of the two forms in turn; startup has one form. On a GPU in fp32 and bf16, at 4 and 16 clips a batch.",
    )
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="row",
        help="tpavi, tpavi_growth, training_step, f_score, log_mel, loader, startup (of the commands that read files)",
    )
    parser.add_argument("--output", type=Path, default=Path(f"bench_{date.today()}.json"), help="the JSON file")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs; the numbers mean nothing"
    )
    options = parser.parse_args(argv)

    from avs_lightning.benchmarks.run import run_benchmarks
    from avs_lightning.data.loader_processes import explained_deaths
    from avs_lightning.reporting.console import console

    with explained_deaths():
        run_benchmarks(options.rows or None, options.output, options.quick)
    console.print(f"The numbers are in {options.output}", soft_wrap=True)
    return 0
