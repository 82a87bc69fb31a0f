"""Frames, masks and sound -> the bytes of PNG, wav and mp4 files, and those bytes -> whole files."""

import io
import wave
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from avs_lightning.data.layouts.avsbench import SYNTHETIC_MARK
from avs_lightning.data.synthetic.scenes import FPS
from avs_lightning.data.synthetic.sounds import RATE


def encode_frame(frame: NDArray[np.uint8]) -> bytes:
    """[H, W, 3] as an RGB PNG that says that it is drawn."""
    mark = PngInfo()
    mark.add_text(*SYNTHETIC_MARK)
    return _png(Image.fromarray(frame), pnginfo=mark)


def encode_mask(mask: NDArray[np.bool_], palette: bool) -> bytes:
    """[H, W] as a 1-bit PNG (S4), or as a palette PNG with black and red (MS3).

    The foreground's index is 255: the released code reads an MS3 mask as index / 255.
    """
    if not palette:
        return _png(Image.fromarray(mask))
    image = Image.frombytes("P", mask.shape[::-1], (255 * mask.astype(np.uint8)).tobytes())
    image.putpalette([*[0, 0, 0] * 255, 128, 0, 0])
    return _png(image)


def encode_wav(sound: NDArray[np.int16]) -> bytes:
    """[S] as a mono 16-bit wav."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    return buffer.getvalue()


def encode_video(frames: NDArray[np.uint8], sound: NDArray[np.int16]) -> bytes:
    """[F, H, W, 3] and [S] as an mp4 of H.264 and AAC; on one thread, so that the bytes are reproducible."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "16"})
        video.height, video.width = frames.shape[1:3]
        # Chroma at half resolution needs even sides.
        video.pix_fmt = "yuv444p" if frames.shape[1] % 2 or frames.shape[2] % 2 else "yuv420p"
        video.thread_count = 1
        audio = container.add_stream("aac", rate=RATE, layout="mono", options={"aac_coder": "fast"})
        for image in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        samples = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        samples.sample_rate, samples.time_base, samples.pts = RATE, Fraction(1, RATE), 0
        container.mux(audio.encode(samples))
        container.mux(audio.encode())
    return buffer.getvalue()


def _png(image: Image.Image, pnginfo: PngInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=2, pnginfo=pnginfo)
    return buffer.getvalue()
