"""What the official layouts of AVSBench have in common: five seconds, and that clips may be drawn."""

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from PIL import Image, UnidentifiedImageError

from avs_lightning.data.layouts.base import ClipRow, Layout
from avs_lightning.errors import UserError

SYNTHETIC_RECORD = "synthetic.json"
"""The file beside the CSV that says that the clips are drawn, and from what."""
SYNTHETIC_MARK = ("Source", "synthetic AVSBench")
"""The text that each drawn frame carries, for where that file has been lost."""


class AVSBenchLayout(Layout):
    """One AVSBench setting: `folder` holds the CSV and `data_folder`, in which there is a folder for each kind of file.

    Args:
        root: the folder that holds `folder`, or `folder` itself.
    """

    folder: ClassVar[str]
    data_folder: ClassVar[str]
    frame_folder_pattern: ClassVar[str]
    frames = 5

    def __init__(self, root: str | Path) -> None:
        root = Path(root).expanduser()
        self.base = root if (root / self.csv_name).is_file() else root / self.folder
        if not self.base.is_dir():
            missing = "" if root.is_dir() else f" ({root} itself does not exist)"
            raise UserError(
                f"no {self.name} data in {root}: looked for the folder {self.base}{missing}; set data.root to the "
                f"folder that holds {self.folder}/, or write a synthetic set there with `avs data make`"
            )
        self.csv = self.base / self.csv_name
        self.data = self.base / self.data_folder

    @classmethod
    def csv_files(cls, root: Path) -> list[Path]:
        return [root / cls.csv_name, root / cls.folder / cls.csv_name]

    @classmethod
    def is_in(cls, root: Path) -> bool:
        return super().is_in(root) or (root / cls.folder).is_dir()

    @classmethod
    def title(cls, csv: Path) -> str:
        """A CSV by itself is taken for AVSBench's."""
        try:
            drawn = cls(csv.parent).synthetic
        except UserError:
            drawn = False
        return f"{'Synthetic' if drawn else 'AVSBench'} {cls.name.upper()}"

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

    @abstractmethod
    def frame(self, clip: ClipRow, index: int) -> Path:
        """The picture of second `index`."""

    @abstractmethod
    def mask(self, clip: ClipRow, index: int) -> Path:
        """The mask of second `index`; exists where `labelled` says so."""

    @abstractmethod
    def sound(self, kind: str, clip: ClipRow, suffix: str) -> Path:
        """A file of the sound, in the folder `kind`."""

    @abstractmethod
    def video(self, clip: ClipRow) -> Path:
        """The video the clip was cut from; optional."""

    def labelled(self, clip: ClipRow) -> list[bool]:
        """For each frame, whether it carries a mask."""
        return [True] * self.frames

    def frame_files(self, clip: ClipRow) -> list[Path]:
        return [self.frame(clip, second) for second in range(self.frames)]

    def mask_files(self, clip: ClipRow) -> list[Path | None]:
        return [self.mask(clip, second) if has else None for second, has in enumerate(self.labelled(clip))]

    def wav(self, clip: ClipRow) -> Path:
        return self.sound("audio_wav", clip, ".wav")

    def log_mel(self, clip: ClipRow) -> Path:
        return self.sound("audio_log_mel", clip, ".pkl")

    def clip_folders(self) -> Iterator[Path]:
        return (self.data / "visual_frames").glob(self.frame_folder_pattern)

    def clip_folder(self, clip: ClipRow) -> Path:
        return self.frame(clip, 0).parent
