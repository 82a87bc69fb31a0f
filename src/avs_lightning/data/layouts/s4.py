"""AVSBench Single-source (S4) on disk."""

from pathlib import Path

from avs_lightning.data.layouts.avsbench import AVSBenchLayout
from avs_lightning.data.layouts.base import ClipRow


class SingleSourceLayout(AVSBenchLayout):
    """S4: one sounding object a clip; training clips carry a mask on the first frame only."""

    name = "s4"
    folder = "Single-source"
    data_folder = "s4_data"
    csv_name = "s4_meta_data.csv"
    columns = ("name", "start", "category", "split")
    id_column = "name"
    frame_folder_pattern = "*/*/*"
    most_objects = 1

    def _picture(self, kind: str, clip: ClipRow, index: int) -> Path:
        return self.data / kind / clip.split / clip.category / clip.id / f"{clip.id}_{index + 1}.png"

    def frame(self, clip: ClipRow, index: int) -> Path:
        """`visual_frames/{split}/{category}/{name}/{name}_{1..5}.png`."""
        return self._picture("visual_frames", clip, index)

    def mask(self, clip: ClipRow, index: int) -> Path:
        """`gt_masks/{split}/{category}/{name}/{name}_{1..5}.png`, only the first in train."""
        return self._picture("gt_masks", clip, index)

    def sound(self, kind: str, clip: ClipRow, suffix: str) -> Path:
        """`{kind}/{split}/{category}/{name}{suffix}`."""
        return self.data / kind / clip.split / clip.category / (clip.id + suffix)

    def video(self, clip: ClipRow) -> Path:
        """`raw_videos/{split}/{category}/{name}.mp4`."""
        return self.data / "raw_videos" / clip.split / clip.category / f"{clip.id}.mp4"

    def labelled(self, clip: ClipRow) -> list[bool]:
        """The first frame in train, every frame in val and test."""
        return [clip.split != "train" or index == 0 for index in range(self.frames)]
