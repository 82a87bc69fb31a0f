"""How many clips a data set has, from its CSV."""

from pathlib import Path

import pandas as pd
from rich.table import Table

from avs_lightning.data.layout import LAYOUTS, MultiSourceLayout, SingleSourceLayout
from avs_lightning.data.metadata import SPLITS, read_header, read_rows
from avs_lightning.data.splits import leaked, source
from avs_lightning.errors import UserError

AVSS_COLUMNS = ("vid", "uid", "s_min", "s_sec", "a_obj", "split", "label")
SETTINGS = {"s4": SingleSourceLayout.columns, "ms3": MultiSourceLayout.columns, "avss": AVSS_COLUMNS}
CSV_NAMES = (*(layout.csv_name for layout in LAYOUTS.values()), "metadata.csv", "avss_metadata.csv")


def metadata_files(path: str | Path) -> list[Path]:
    """The metadata CSVs in a data set's folder, or the CSV that `path` itself is.

    Raises:
        UserError: there is none.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return [path]
    folders = [path, *(path / layout.folder for layout in LAYOUTS.values())]
    if found := [folder / name for folder in folders for name in CSV_NAMES if (folder / name).is_file()]:
        return found
    raise UserError(
        f"no metadata in {path}{'' if path.is_dir() else ', which does not exist'}: looked for {', '.join(CSV_NAMES)} "
        f"in it and in {' and '.join(layout.folder for layout in LAYOUTS.values())}; name a data set's folder or a CSV"
    )


def clip_counts(path: str | Path) -> pd.DataFrame:
    """Count the clips of one data set.

    Args:
        path: its CSV, or a folder with one CSV (`metadata_files` lists several).

    Returns:
        Counts; `.attrs` names the data set ("setting"), its number of clips ("clips") and a title.
        "s4": a row a category, most clips first; columns train, val, test, total.
        "ms3": a row a split; columns clips, sources (videos), leaked (clips whose video is in train too).
        "avss": a row an object, as "s4"; a clip counts for each object that sounds in it.

    Raises:
        UserError: the CSV is missing, damaged, or none of the three; the folder holds several.
    """
    csv, *others = metadata_files(path)
    if others:
        names = ", ".join(str(other) for other in (csv, *others))
        raise UserError(f"{path} holds several data sets: name one of {names}")
    header = read_header(csv)
    for setting, columns in SETTINGS.items():
        if set(columns) <= set(header):
            rows = read_rows(csv, columns, "uid" if setting == "avss" else columns[0])
            counts = _COUNT[setting](pd.DataFrame(rows))
            counts.attrs |= {"setting": setting, "clips": len(rows)}
            counts.attrs["title"] = f"{_source(csv, setting)} {counts.attrs['title']}"
            return counts
    known = "; ".join(f"{','.join(columns)} ({setting})" for setting, columns in SETTINGS.items())
    raise UserError(f"{csv} has the columns {','.join(header) or 'nothing'}, expected one of: {known}")


def _source(csv: Path, setting: str) -> str:
    """Whose clips these are; a CSV by itself is taken for AVSBench's."""
    try:
        return "Synthetic" if setting in LAYOUTS and LAYOUTS[setting](csv.parent).synthetic else "AVSBench"
    except UserError:
        return "AVSBench"


def counts_table(counts: pd.DataFrame) -> Table:
    """Show the result of `clip_counts`."""
    table = Table(
        title=counts.attrs["title"],
        min_width=len(counts.attrs["title"]) + 2,
        caption=counts.attrs.get("note"),
        show_footer=counts.attrs["setting"] == "s4",  # else the rows share clips, and do not add up
    )
    table.add_column(str(counts.index.name), "all")
    for column in counts.columns:
        table.add_column(column, f"{counts[column].sum():,}", justify="right")
    for name, row in counts.iterrows():
        table.add_row(str(name), *(f"{value:,}" for value in row))
    return table


def _by_category(rows: pd.DataFrame) -> pd.DataFrame:
    counts = _crosstab(rows["category"], rows["split"])
    counts.attrs["title"] = f"S4: {len(rows):,} clips in {len(counts)} categories"
    return counts


def _by_split(rows: pd.DataFrame) -> pd.DataFrame:
    shared = leaked(dict(zip(rows["video_id"], rows["split"])))
    sources = rows["video_id"].map(source)
    clips, videos = rows["split"].value_counts(), sources.groupby(rows["split"]).nunique()
    counts = {split: [clips.get(split, 0), videos.get(split, 0), shared.get(split, 0)] for split in SPLITS}
    counts["all"] = [len(rows), sources.nunique(), sum(shared.values())]
    table = pd.DataFrame(counts, index=["clips", "sources", "leaked"]).T.rename_axis("split")
    table.attrs["title"] = f"MS3: {len(rows):,} clips from {sources.nunique():,} source videos"
    table.attrs["note"] = "leaked: clips whose source video is in train too; data.partition=by_source has none"
    return table


def _by_object(rows: pd.DataFrame) -> pd.DataFrame:
    # One row of the official file says "h orse"; two names stand for no object.
    names = rows["a_obj"].str.replace(" ", "").str.split("_").explode()
    names = names[~names.isin(["background", "off-the-screen"])]
    counts = _crosstab(names.rename("object"), rows["split"].reindex(names.index))
    counts.attrs["title"] = f"semantic: {len(rows):,} clips, {len(counts)} sounding objects"
    subsets = pd.crosstab(rows["label"], rows["split"]).reindex(columns=list(SPLITS), fill_value=0)
    counts.attrs["note"] = "train/val/test: " + ", ".join(
        f"{label} {'/'.join(f'{value:,}' for value in row)}" for label, row in zip(subsets.index, subsets.to_numpy())
    )
    return counts


def _crosstab(names: pd.Series, splits: pd.Series) -> pd.DataFrame:
    counts = pd.crosstab(names.to_numpy(), splits.to_numpy()).reindex(columns=list(SPLITS), fill_value=0)
    counts.index.name, counts.columns.name = names.name, None
    counts["total"] = counts.sum(axis=1)
    return counts.sort_values("total", ascending=False, kind="stable")


_COUNT = {"s4": _by_category, "ms3": _by_split, "avss": _by_object}
