"""Frames and sound -> an mp4 file in memory (H.264 and AAC)."""

import io

import av
import numpy as np
from numpy.typing import NDArray


def encode_video(frames: NDArray[np.uint8], fps: int, sound: NDArray[np.int16], rate: int) -> bytes:
    """Encode frames [F, H, W, 3] at `fps` and mono samples [S] at `rate`; on one thread, so bytes are reproducible."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "16"})
        video.height, video.width = frames.shape[1:3]
        # Chroma at half resolution needs even sides.
        video.pix_fmt = "yuv444p" if frames.shape[1] % 2 or frames.shape[2] % 2 else "yuv420p"
        video.thread_count = 1
        audio = container.add_stream("aac", rate=rate, layout="mono")
        for image in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        samples = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        samples.sample_rate = rate
        container.mux(audio.encode(samples))
        container.mux(audio.encode())
    return buffer.getvalue()
