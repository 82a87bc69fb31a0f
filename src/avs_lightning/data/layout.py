"""Where the official AVSBench layouts keep each file of a clip."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PIL import Image, UnidentifiedImageError

from avs_lightning.data.metadata import read_rows
from avs_lightning.errors import UserError

SYNTHETIC_RECORD = "synthetic.json"
"""The file beside the CSV that says that the clips are drawn, and from what."""
SYNTHETIC_MARK = ("Source", "synthetic AVSBench")
"""The text that each drawn frame carries, for where that file has been lost."""


@dataclass(frozen=True)
class ClipRow:
    """One line of the metadata; `split` is the official one, in whose folder the clip's files lie."""

    id: str
    category: str
    split: str


class Layout(ABC):
    """The files of one AVSBench setting under a root folder.

    A subclass says what the folders are called and how a row maps to files; frames are counted from 0 here, whatever
    the files' names do.

    Args:
        root: the folder that holds `folder`, or `folder` itself.

    Raises:
        UserError: there is no such folder.
    """

    setting: ClassVar[str]
    folder: ClassVar[str]
    data_folder: ClassVar[str]
    csv_name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    id_column: ClassVar[str]
    frame_folder_pattern: ClassVar[str]
    frames: ClassVar[int] = 5
    most_objects: ClassVar[int]

    def __init__(self, root: str | Path) -> None:
        root = Path(root).expanduser()
        self.base = self._base(root)
        if not self.base.is_dir():
            missing = "" if root.is_dir() else f" ({root} itself does not exist)"
            raise UserError(
                f"no {self.setting} data in {root}: looked for the folder {self.base}{missing}; set data.root to the "
                f"folder that holds {self.folder}/, or write a synthetic set there with `avs data make`"
            )
        self.csv = self.base / self.csv_name
        self.data = self.base / self.data_folder

    @classmethod
    def _base(cls, root: Path) -> Path:
        return root if (root / cls.csv_name).is_file() else root / cls.folder

    @classmethod
    def is_in(cls, root: str | Path) -> bool:
        """Whether the setting's folder is there."""
        return cls._base(Path(root).expanduser()).is_dir()

    @property
    def synthetic(self) -> bool:
        """Whether the clips are drawn: the folder says so (`SYNTHETIC_RECORD`), or the first frame does."""
        if (self.base / SYNTHETIC_RECORD).is_file():
            return True
        key, value = SYNTHETIC_MARK
        try:
            with Image.open(self.frame(self.rows()[0], 0)) as picture:
                return bool(picture.info.get(key) == value)
        except (UserError, OSError, UnidentifiedImageError, SyntaxError, ValueError):
            return False

    def rows(self) -> list[ClipRow]:
        """Every clip, in the order of the CSV."""
        return [self._row(row) for row in read_rows(self.csv, self.columns, self.id_column)]

    @abstractmethod
    def _row(self, row: dict[str, str]) -> ClipRow: ...

    @abstractmethod
    def frame(self, clip: ClipRow, index: int) -> Path:
        """The picture of second `index`."""

    @abstractmethod
    def mask(self, clip: ClipRow, index: int) -> Path:
        """The mask of second `index`; exists where `labelled` says so."""

    @abstractmethod
    def _sound(self, kind: str, clip: ClipRow, suffix: str) -> Path: ...

    @abstractmethod
    def video(self, clip: ClipRow) -> Path:
        """The video the clip was cut from; optional."""

    def frame_folders(self) -> Iterator[Path]:
        """Every folder of frames on disk, whether or not the CSV names the clip."""
        return (self.data / "visual_frames").glob(self.frame_folder_pattern)

    def wav(self, clip: ClipRow) -> Path:
        """The clip's sound."""
        return self._sound("audio_wav", clip, ".wav")

    def log_mel(self, clip: ClipRow) -> Path:
        """The clip's log-mel patches as the official pickle."""
        return self._sound("audio_log_mel", clip, ".pkl")

    def labelled(self, clip: ClipRow) -> list[bool]:
        """For each frame, whether it carries a mask."""
        return [True] * self.frames


class SingleSourceLayout(Layout):
    """S4: one sounding object a clip; training clips carry a mask on the first frame only."""

    setting = "s4"
    folder = "Single-source"
    data_folder = "s4_data"
    csv_name = "s4_meta_data.csv"
    columns = ("name", "start", "category", "split")
    id_column = "name"
    frame_folder_pattern = "*/*/*"
    most_objects = 1

    def _row(self, row: dict[str, str]) -> ClipRow:
        return ClipRow(row["name"], row["category"], row["split"])

    def _picture(self, kind: str, clip: ClipRow, index: int) -> Path:
        return self.data / kind / clip.split / clip.category / clip.id / f"{clip.id}_{index + 1}.png"

    def frame(self, clip: ClipRow, index: int) -> Path:
        """`visual_frames/{split}/{category}/{name}/{name}_{1..5}.png`."""
        return self._picture("visual_frames", clip, index)

    def mask(self, clip: ClipRow, index: int) -> Path:
        """`gt_masks/{split}/{category}/{name}/{name}_{1..5}.png`, only the first in train."""
        return self._picture("gt_masks", clip, index)

    def _sound(self, kind: str, clip: ClipRow, suffix: str) -> Path:
        return self.data / kind / clip.split / clip.category / (clip.id + suffix)

    def video(self, clip: ClipRow) -> Path:
        """`raw_videos/{split}/{category}/{name}.mp4`."""
        return self.data / "raw_videos" / clip.split / clip.category / f"{clip.id}.mp4"

    def labelled(self, clip: ClipRow) -> list[bool]:
        """The first frame in train, every frame in val and test."""
        return [clip.split != "train" or index == 0 for index in range(self.frames)]


class MultiSourceLayout(Layout):
    """MS3: several objects that may sound; every frame carries a mask, frames and videos have no split level."""

    setting = "ms3"
    folder = "Multi-sources"
    data_folder = "ms3_data"
    csv_name = "ms3_meta_data.csv"
    columns = ("video_id", "split")
    id_column = "video_id"
    frame_folder_pattern = "*"
    most_objects = 15

    def _row(self, row: dict[str, str]) -> ClipRow:
        return ClipRow(row["video_id"], "", row["split"])

    def frame(self, clip: ClipRow, index: int) -> Path:
        """`visual_frames/{id}/{id}.mp4_{1..5}.png`."""
        return self.data / "visual_frames" / clip.id / f"{clip.id}.mp4_{index + 1}.png"

    def mask(self, clip: ClipRow, index: int) -> Path:
        """`gt_masks/{split}/{id}/{id}_{1..5}.png`."""
        return self.data / "gt_masks" / clip.split / clip.id / f"{clip.id}_{index + 1}.png"

    def _sound(self, kind: str, clip: ClipRow, suffix: str) -> Path:
        return self.data / kind / clip.split / (clip.id + suffix)

    def video(self, clip: ClipRow) -> Path:
        """`raw_videos/{id}.mp4`."""
        return self.data / "raw_videos" / f"{clip.id}.mp4"


LAYOUTS: dict[str, type[Layout]] = {layout.setting: layout for layout in (SingleSourceLayout, MultiSourceLayout)}


def absolute_root(root: str | Path) -> str:
    """Return a data root from the file system's own, so that it means the same folder wherever it is read."""
    return str(Path(root).expanduser().absolute())
