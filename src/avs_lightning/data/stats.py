"""How many clips a data set has, from its CSV."""

from functools import partial
from pathlib import Path

import pandas as pd
from rich.table import Table

from avs_lightning.data.layouts import LAYOUTS
from avs_lightning.data.metadata import SPLITS, read_header, read_rows
from avs_lightning.data.splits import leaked, source
from avs_lightning.errors import UserError

AVSS_COLUMNS = ("vid", "uid", "s_min", "s_sec", "a_obj", "split", "label")
AVSS_NAMES = ("metadata.csv", "avss_metadata.csv")


def metadata_files(path: str | Path) -> list[Path]:
    """The metadata CSVs in a data set's folder, or the CSV that `path` itself is.

    Raises:
        UserError: there is none.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return [path]
    files = [file for layout in LAYOUTS for file in layout.csv_files(path)] + [path / name for name in AVSS_NAMES]
    if found := [file for file in files if file.is_file()]:
        return found
    looked = ", ".join(str(file.relative_to(path)) for file in files)
    raise UserError(
        f"no metadata in {path}{'' if path.is_dir() else ', which does not exist'}: looked for {looked}; name a data "
        "set's folder or a CSV"
    )


def clip_counts(path: str | Path) -> pd.DataFrame:
    """Count the clips of one data set.

    Args:
        path: its CSV, or a folder with one CSV (`metadata_files` lists several).

    Returns:
        Counts; `.attrs` names the layout ("setting"), its number of clips ("clips") and a title.
        A row a category, most clips first; columns train, val, test, total.
        MS3, whose clips are cut from fewer videos: a row a split; columns clips, sources (videos), leaked (clips whose
        video is in train too).
        AVSS: a row an object, as categories; a clip counts for each object that sounds in it.

    Raises:
        UserError: the CSV is missing, damaged, or of no known data set; the folder holds several.
    """
    csv, *others = metadata_files(path)
    if others:
        names = ", ".join(str(other) for other in (csv, *others))
        raise UserError(f"{path} holds several data sets: name one of {names}")
    header = read_header(csv)
    known = {layout.name: layout.columns for layout in LAYOUTS} | {"avss": AVSS_COLUMNS}
    setting = next((name for name, columns in known.items() if set(columns) <= set(header)), None)
    if setting is None:
        listed = "; ".join(f"{','.join(columns)} ({name})" for name, columns in known.items())
        raise UserError(f"{csv} has the columns {','.join(header) or 'nothing'}, expected one of: {listed}")
    layout = next((layout for layout in LAYOUTS if layout.name == setting), None)
    if layout is None:
        rows, title, count = read_rows(csv, AVSS_COLUMNS, "uid"), "AVSBench semantic", _by_object
    else:
        rows = read_rows(csv, layout.columns, layout.id_column, layout.optional_columns)
        title, count = layout.title(csv), partial(_by_split, layout.id_column) if layout.cuts else _by_category
    counts = count(pd.DataFrame(rows))
    counts.attrs |= {"setting": setting, "clips": len(rows), "title": f"{title}: {counts.attrs['title']}"}
    return counts


def counts_table(counts: pd.DataFrame) -> Table:
    """Show the result of `clip_counts`; with a sum where a clip counts once."""
    summed = "total" in counts and len(counts) > 1 and counts["total"].sum() == counts.attrs["clips"]
    table = Table(
        title=counts.attrs["title"],
        min_width=len(counts.attrs["title"]) + 2,
        caption=counts.attrs.get("note"),
        show_footer=bool(summed),
    )
    table.add_column(str(counts.index.name), "all")
    for column in counts.columns:
        table.add_column(column, f"{counts[column].sum():,}", justify="right")
    for name, row in counts.iterrows():
        table.add_row(str(name), *(f"{value:,}" for value in row))
    return table


def _by_category(rows: pd.DataFrame) -> pd.DataFrame:
    named = "category" in rows
    counts = _crosstab(rows["category"] if named else pd.Series("clips", rows.index, name="category"), rows["split"])
    counts.attrs["title"] = f"{len(rows):,} clips{f' in {len(counts)} categories' if named else ''}"
    return counts


def _by_split(id_column: str, rows: pd.DataFrame) -> pd.DataFrame:
    shared = leaked(dict(zip(rows[id_column], rows["split"])))
    sources = rows[id_column].map(source)
    clips, videos = rows["split"].value_counts(), sources.groupby(rows["split"]).nunique()
    counts = {split: [clips.get(split, 0), videos.get(split, 0), shared.get(split, 0)] for split in SPLITS}
    counts["all"] = [len(rows), sources.nunique(), sum(shared.values())]
    table = pd.DataFrame(counts, index=["clips", "sources", "leaked"]).T.rename_axis("split")
    table.attrs["title"] = f"{len(rows):,} clips from {sources.nunique():,} source videos"
    table.attrs["note"] = "leaked: clips whose source video is in train too; data.partition=by_source has none"
    return table


def _by_object(rows: pd.DataFrame) -> pd.DataFrame:
    # One row of the official file says "h orse"; two names stand for no object.
    names = rows["a_obj"].str.replace(" ", "").str.split("_").explode()
    names = names[~names.isin(["background", "off-the-screen"])]
    counts = _crosstab(names.rename("object"), rows["split"].reindex(names.index))
    counts.attrs["title"] = f"{len(rows):,} clips, {len(counts)} sounding objects"
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
