"""What a synthetic data set is made from: checked when asked for, stored beside the CSV, compared when asked again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avs_lightning.data.layouts import MultiSourceLayout, SingleSourceLayout
from avs_lightning.data.layouts.avsbench import SYNTHETIC_RECORD, AVSBenchLayout
from avs_lightning.data.metadata import SPLITS
from avs_lightning.data.synthetic.categories import choose_categories
from avs_lightning.data.synthetic.scenes import Setting
from avs_lightning.errors import UserError, choose
from avs_lightning.files import write_whole

FORMAT = 2
"""Raised whenever the same request gives other files, so that old folders are not taken for new ones."""

LAYOUTS: dict[str, type[AVSBenchLayout]] = {"s4": SingleSourceLayout, "ms3": MultiSourceLayout}


@dataclass(frozen=True)
class Request:
    """The arguments of `write_dataset` on which the files depend."""

    setting: Setting
    clips: dict[str, int]
    size: int
    seed: int
    categories: tuple[str, ...]
    switching: bool
    videos: bool
    format: int = FORMAT

    @classmethod
    def checked(
        cls,
        setting: Setting,
        clips: Mapping[str, int],
        *,
        size: int,
        seed: int,
        categories: Sequence[str] | int | None,
        switching: bool,
        videos: bool,
    ) -> "Request":
        """Check the arguments of `write_dataset`; `UserError` says which one is wrong."""
        if setting not in LAYOUTS:
            raise UserError(f"setting {setting!r} does not exist: choose {' or '.join(LAYOUTS)}")
        for split, count in clips.items():
            choose(split, SPLITS, "split")
            if count < 0:
                raise UserError(f"{count} clips in split {split}: give 0 or more")
        if not any(clips.values()):
            raise UserError("no clips asked for: give a number of clips for train, val or test")
        if size < 32:
            raise UserError(f"size={size}: give at least 32 pixels, below which objects cannot be told apart")
        if seed < 0:
            raise UserError(f"seed={seed}: give 0 or more")
        wanted = {split: int(clips[split]) for split in SPLITS if clips.get(split)}
        # S4's object sounds throughout, whatever `switching` says.
        switching = switching and setting == "ms3"
        return cls(setting, wanted, size, seed, choose_categories(categories), switching, videos)

    @classmethod
    def stored_in(cls, folder: Path) -> "Request":
        """Read what the folder's data set was made from; `UserError` where it holds no synthetic one."""
        try:
            stored: dict[str, Any] = json.loads((folder / SYNTHETIC_RECORD).read_text(encoding="utf-8"))
            stored.pop("complete", None)
            return cls(**{**stored, "categories": tuple(stored["categories"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{folder} holds no synthetic data set, or a damaged one: {error}") from error

    def is_complete_in(self, folder: Path) -> bool:
        """Whether all of it is in the folder already.

        Raises:
            UserError: the folder holds something else.
        """
        record = folder / SYNTHETIC_RECORD
        if not record.is_file():
            if folder.is_dir() and any(p.name.partition(".")[0] != "synthetic" for p in folder.iterdir()):
                raise UserError(f"{folder} holds files, but no synthetic data set: choose another root")
            return False
        try:
            stored = dict(json.loads(record.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise UserError(f"{record} is damaged ({error}): delete {folder} to write the data set anew") from error
        other = [f"{k}={stored.get(k)!r} instead of {v!r}" for k, v in self._plain().items() if stored.get(k) != v]
        if other:
            raise UserError(f"{folder} holds another data set ({'; '.join(other)}): choose another root, or delete it")
        return stored.get("complete") is True

    def record_in(self, folder: Path, complete: bool) -> None:
        """Store the request in the folder."""
        write_whole(folder / SYNTHETIC_RECORD, json.dumps({**self._plain(), "complete": complete}, indent=1))

    def _plain(self) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
