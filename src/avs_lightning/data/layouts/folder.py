"""Clips of one's own on disk: a folder each, and a CSV beside them."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from avs_lightning.data.layouts.base import BINARY, ClipRow, Layout
from avs_lightning.errors import UserError, near_matches, shortened

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SOUNDS = (".wav", ".flac")
MOST_CLASSES = 256  # that a label of eight bits can tell apart


class FolderLayout(Layout):
    """`clips.csv` (clip, split and optionally category), `classes.txt`, and a folder for each clip.

    A clip's folder holds its frames, in `frames/` or directly, a second each in the order of their numbers; one sound,
    `audio.wav` or any other wav or flac; and `masks/`, in which a mask has the name or the number of its frame. Not
    every frame needs one. Without `classes.txt`, the names of the classes a line each, a mask says where it sounds.

    Args:
        root: the folder that holds `clips.csv`.
    """

    name = "folder"
    csv_name = "clips.csv"
    columns = ("clip", "split")
    optional_columns = ("category",)
    id_column = "clip"
    exact = False
    most_objects = MOST_CLASSES - 1

    def __init__(self, root: str | Path) -> None:
        self.base = self.data = Path(root).expanduser()
        self.csv = self.base / self.csv_name
        if not self.base.is_dir():
            raise UserError(f"there is no folder {root}: set data.root to the one that holds {self.csv_name}")
        if not self.csv.is_file():
            raise UserError(
                f"{self.csv} is missing: it lists the clips, a folder each, in the columns {','.join(self.columns)}"
                f"{near_matches(self.csv_name, (file.name for file in self.base.iterdir()))}"
            )

    @classmethod
    def csv_files(cls, root: Path) -> list[Path]:
        return [root / cls.csv_name]

    @classmethod
    def title(cls, csv: Path) -> str:
        return csv.absolute().parent.name

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The lines of `classes.txt`; without it the binary task.

        Raises:
            UserError: the first is not the background, or a name is missing, repeated, or one too many.
        """
        file = self.base / "classes.txt"
        if not file.exists():
            return BINARY
        try:
            names = [line.strip() for line in file.read_text(encoding="utf-8-sig").rstrip().splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file} cannot be read as text in UTF-8 ({error})") from error
        if not names or names[0].lower() != BINARY[0]:
            first = f"the first is {names[0]!r}" if names else "it is empty"
            raise UserError(
                f"{file} names the classes of the masks' values 0, 1, ..., a line each, and 0 is the background: "
                f"begin it with the line background ({first})"
            )
        if len(names) < 2 or len(names) > MOST_CLASSES:
            raise UserError(f"{file} names {len(names)} classes, the background among them: 2 to {MOST_CLASSES} can be")
        for line, name in enumerate(names, start=1):
            if not name or name in names[: line - 1]:
                raise UserError(f"{file}, line {line}: {f'{name!r} is there already' if name else 'there is no name'}")
        return tuple(names)

    @property
    def frames(self) -> int:
        return max(len(self.frame_files(clip)) for clip in self.rows())

    def clip_folder(self, clip: ClipRow) -> Path:
        """`{clip}/`."""
        return self.base / clip.id

    def _folder(self, clip: ClipRow) -> Path:
        """Which has to be there."""
        folder = self.clip_folder(clip)
        if not folder.is_dir():
            names = (entry.name for entry in self.base.iterdir() if entry.is_dir())
            raise UserError(
                f"{self.csv} names the clip {clip.id!r}, but there is no {folder}{near_matches(clip.id, names)}"
            )
        return folder

    def frame_files(self, clip: ClipRow) -> list[Path]:
        """`frames/*`, or else the pictures beside it."""
        folder = self._folder(clip)
        folder = folder / "frames" if (folder / "frames").is_dir() else folder
        frames = _files(folder, PICTURES)
        if not frames:
            raise UserError(f"{folder} holds no frames ({', '.join(PICTURES)}), one for each second of the clip")
        for one, other in pairwise(frames):
            if one.stem == other.stem:
                raise UserError(f"{folder} holds both {one.name} and {other.name}: which of them is the frame?")
        return frames

    def mask_files(self, clip: ClipRow) -> list[Path | None]:
        """`masks/*`: of the same name as a frame, or else of the same number."""
        frames, folder = self.frame_files(clip), self._folder(clip) / "masks"
        masks = _files(folder, PICTURES) if folder.is_dir() else []
        if not masks:
            raise UserError(
                f"clip {clip.id!r} has no mask in {folder}: mark one frame at the least, or take it out of {self.csv}"
            )
        places = {frame.stem: place for place, frame in enumerate(frames)}
        numbers: dict[int | None, list[int]] = {}
        for place, frame in enumerate(frames):
            if (number := _number(frame)) is not None:
                numbers.setdefault(number, []).append(place)
        found: list[Path | None] = [None] * len(frames)
        for mask in masks:
            named, *others = [places[mask.stem]] if mask.stem in places else numbers.get(_number(mask), [-1])
            if named < 0 or others:
                names = ", ".join(shortened([frame.name for frame in frames], 3))
                raise UserError(
                    f"mask {mask} belongs to no frame: {len(masks)} masks, {len(frames)} frames ({names}); a mask has "
                    "the name or the number of its frame"
                )
            if (other := found[named]) is not None:
                raise UserError(f"{other} and {mask} are both the mask of {frames[named].name}: which of them is it?")
            found[named] = mask
        return found

    def wav(self, clip: ClipRow) -> Path:
        """`audio.wav`, or the only wav or flac that there is."""
        folder = self._folder(clip)
        sounds = _files(folder, SOUNDS)
        named = [sound for sound in sounds if sound.stem == "audio"]
        if len(named or sounds) > 1:
            names = ", ".join(shortened([sound.name for sound in named or sounds], 3))
            raise UserError(f"{folder} holds several sounds ({names}): call that of the clip audio.wav, and no other")
        if not sounds:
            raise UserError(
                f"{folder} holds no sound (audio.wav, or any other wav or flac): extract it with `ffmpeg -i VIDEO "
                "audio.wav`; a clip in which nothing is heard has a silent file"
            )
        return (named or sounds)[0]

    def clip_folders(self) -> Iterator[Path]:
        for entry in self.base.iterdir():
            if entry.is_dir() and ((entry / "frames").is_dir() or _files(entry, PICTURES)):
                yield entry


def _files(folder: Path, endings: Sequence[str]) -> list[Path]:
    """The files of a kind, by their names as people count: 2 before 10."""
    found = (file for file in folder.iterdir() if file.suffix.lower() in endings and not file.name.startswith("."))
    return sorted(found, key=lambda file: _natural(file.name))


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]+)", name)  # every second one is a number
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]


def _number(file: Path) -> int | None:
    """The last number in a file's name."""
    numbers = re.findall(r"[0-9]+", file.stem)
    return int(numbers[-1]) if numbers else None
