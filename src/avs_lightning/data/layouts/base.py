"""What is asked of every layout."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from avs_lightning.data.metadata import read_rows

BINARY = ("background", "sounding")
"""The classes of a data set that says of each pixel whether it sounds, and no more."""


@dataclass(frozen=True)
class ClipRow:
    """One line of the metadata; `split` is the one it names, in whose folder the files of AVSBench lie."""

    id: str
    category: str
    split: str


class Layout(ABC):
    """The files of a data set under a root folder. Frames are counted from 0, whatever the files' names do.

    Args:
        root: the folder of the data set.

    Attributes:
        name: of the layout, as users choose it.
        csv_name: of the file that lists the clips.
        columns: that the CSV must have; `optional_columns` it may have.
        id_column: which of them names a clip.
        exact: whether all frames and masks have the size that is expected, and all sounds VGGish's rate and the length
            of their clips. Else pictures are resized and sounds resampled as a matter of course.
        most_objects: how many indices of a palette a binary mask may use besides 0.
        cuts: whether several clips may be cut from one source video, which then stands in their ids.
        base: the folder that holds the CSV.
        csv: the CSV.
        data: the folder below which the clips are.

    Raises:
        UserError: there is no such folder; from every other method, what is asked for cannot be told.
    """

    name: ClassVar[str]
    csv_name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    optional_columns: ClassVar[tuple[str, ...]] = ()
    id_column: ClassVar[str]
    exact: ClassVar[bool] = True
    most_objects: ClassVar[int]
    cuts: ClassVar[bool] = False
    base: Path
    csv: Path
    data: Path

    @abstractmethod
    def __init__(self, root: str | Path) -> None: ...

    @classmethod
    @abstractmethod
    def csv_files(cls, root: Path) -> list[Path]:
        """Where the CSV may be."""

    @classmethod
    def is_in(cls, root: Path) -> bool:
        """Whether there is such a data set, or a part of one."""
        return any(file.is_file() for file in cls.csv_files(root))

    @classmethod
    @abstractmethod
    def title(cls, csv: Path) -> str:
        """The name of the data set of a CSV, as people say it; nothing else need be there."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, the background first."""
        return BINARY

    @property
    @abstractmethod
    def frames(self) -> int:
        """T, the frames of the longest clip, a second each."""

    @property
    def synthetic(self) -> bool:
        """Whether the clips are drawn."""
        return False

    def rows(self) -> list[ClipRow]:
        """Every clip, in the order of the CSV."""
        rows = read_rows(self.csv, self.columns, self.id_column, self.optional_columns)
        return [ClipRow(row[self.id_column], row.get("category", ""), row["split"]) for row in rows]

    @abstractmethod
    def frame_files(self, clip: ClipRow) -> list[Path]:
        """The pictures of a clip, in their order."""

    @abstractmethod
    def mask_files(self, clip: ClipRow) -> list[Path | None]:
        """For each frame its mask, None where it carries none."""

    @abstractmethod
    def wav(self, clip: ClipRow) -> Path:
        """The clip's sound."""

    def log_mel(self, clip: ClipRow) -> Path | None:
        """The clip's log-mel patches as an official pickle, where the layout has a place for them."""
        return None

    @abstractmethod
    def clip_folders(self) -> Iterator[Path]:
        """The folder of every clip on disk, whether or not the CSV names it."""

    @abstractmethod
    def clip_folder(self, clip: ClipRow) -> Path:
        """Which of these is a clip's."""


def absolute_root(root: str | Path) -> str:
    """Return a data root from the file system's own, so that it means the same folder wherever it is read."""
    return str(Path(root).expanduser().absolute())
