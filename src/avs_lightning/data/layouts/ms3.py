"""AVSBench Multi-sources (MS3) on disk."""

from pathlib import Path

from avs_lightning.data.layouts.avsbench import AVSBenchLayout
from avs_lightning.data.layouts.base import ClipRow


class MultiSourceLayout(AVSBenchLayout):
    """MS3: several objects that may sound; every frame carries a mask, frames and videos have no split level."""

    name = "ms3"
    folder = "Multi-sources"
    data_folder = "ms3_data"
    csv_name = "ms3_meta_data.csv"
    columns = ("video_id", "split")
    id_column = "video_id"
    frame_folder_pattern = "*"
    most_objects = 15
    cuts = True

    def frame(self, clip: ClipRow, index: int) -> Path:
        """`visual_frames/{id}/{id}.mp4_{1..5}.png`."""
        return self.data / "visual_frames" / clip.id / f"{clip.id}.mp4_{index + 1}.png"

    def mask(self, clip: ClipRow, index: int) -> Path:
        """`gt_masks/{split}/{id}/{id}_{1..5}.png`."""
        return self.data / "gt_masks" / clip.split / clip.id / f"{clip.id}_{index + 1}.png"

    def sound(self, kind: str, clip: ClipRow, suffix: str) -> Path:
        """`{kind}/{split}/{id}{suffix}`."""
        return self.data / kind / clip.split / (clip.id + suffix)

    def video(self, clip: ClipRow) -> Path:
        """`raw_videos/{id}.mp4`."""
        return self.data / "raw_videos" / f"{clip.id}.mp4"
