"""Draw the data set: python -m own_method.drawing ROOT."""

import sys
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from own_method.data import CLASSES, FRAMES, RATE

COLOURS = np.array([(40, 40, 40), (220, 180, 40), (200, 60, 50), (60, 120, 220)], np.uint8)
PITCHES = (0, 2_000, 200, 700)  # hertz, by class


def draw_clips(root: str | Path, train: int = 48, val: int = 8, test: int = 8, size: int = 64, seed: int = 0) -> None:
    """Write clips in which two of the three instruments stand, and one or the other is heard each second.

    Args:
        root: the folder that will hold train/, val/ and test/.
        train: clips of this split.
        val: clips of this one.
        test: and of this one.
        size: height and width, pixels.
        seed: the same one draws the same clips.
    """
    draw = np.random.default_rng(seed)
    for split, clips in (("train", train), ("val", val), ("test", test)):
        for number in range(clips):
            folder = Path(root) / split / f"{number:04}"
            folder.mkdir(parents=True)
            seconds = 2 + number % (FRAMES - 1)
            left, right = draw.permutation(np.arange(1, len(CLASSES)))[:2]
            seen = np.zeros((size, size), np.uint8)
            top, side = int(draw.integers(size // 2)), size // 3
            seen[top : top + side, size // 12 : size // 12 + side] = left
            seen[top : top + side, size // 2 : size // 2 + side] = right
            heard = draw.choice([left, right], seconds)
            for second in range(seconds):
                noise = draw.integers(0, 20, (size, size, 1), dtype=np.uint8)
                Image.fromarray(COLOURS[seen] + noise).save(folder / f"{second}.png")
            np.save(folder / "labels.npy", np.stack([np.where(seen == kind, seen, 0) for kind in heard]))
            time = np.arange(RATE) / RATE
            tones = [0.3 * np.sin(2 * np.pi * PITCHES[kind] * time) for kind in heard]
            soundfile.write(folder / "sound.wav", np.concatenate(tones), RATE)


if __name__ == "__main__":
    draw_clips(sys.argv[1])
