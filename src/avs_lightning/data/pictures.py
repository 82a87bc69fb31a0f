"""Frames and masks from image files."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image, decode_png

from avs_lightning.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_MEAN = 255 * torch.tensor(IMAGENET_MEAN)[:, None, None]
_STD = 255 * torch.tensor(IMAGENET_STD)[:, None, None]
_SCALE_16_BIT = 65_535 / 255
_PNG_DEPTH = 24  # the byte of a PNG that says how many bits a channel has
_DAMAGED = (RuntimeError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def read_frame(path: Path, size: int, out: Tensor) -> None:
    """Read a picture into `out` [3, size, size] float32, normalised with the ImageNet mean and standard deviation.

    PNG, JPEG, WebP and GIF of any depth and colour mode: 16 bits are scaled to the range of 8, grey and palettes become
    RGB, and transparency is ignored (the stored colours count, as in the reference).

    Raises:
        UserError: the file is missing, is no whole picture, has several frames, or is not `size` x `size`.
    """
    data = _content("frame", path)
    try:
        # torchvision decodes an AVSBench frame about 15% faster than Pillow.
        picture = decode_image(_bytes(data), ImageReadMode.RGB)
    except RuntimeError as error:
        raise _unreadable("frame", path, error) from error
    if picture.ndim != 3:
        raise UserError(f"frame {path} is an animation of {len(picture)} pictures: extract the one that is meant")
    _check_size("frame", path, picture.shape[-1], picture.shape[-2], size)
    out.copy_(picture)
    if picture.dtype == torch.uint16:
        out.div_(_SCALE_16_BIT)
    out.sub_(_MEAN).div_(_STD)


def read_mask(path: Path, size: int) -> Tensor:
    """Read a mask: [size, size] bool, where the pixel sounds, see `MaskPixels.sounding`.

    Raises:
        UserError: see `MaskPixels.read`.
    """
    return torch.from_numpy(MaskPixels.read(path, size).sounding)


@dataclass(frozen=True)
class MaskPixels:
    """What a mask file holds.

    Attributes:
        values: [H, W, channels]: bits, palette indices, grey or colour values, without alpha.
        visible: [H, W] bool: not wholly transparent.
        indexed: whether `values` are palette indices.
    """

    values: NDArray[np.integer]
    visible: NDArray[np.bool_]
    indexed: bool

    @property
    def sounding(self) -> NDArray[np.bool_]:
        """[H, W]: visible and not zero in every channel; so a soft edge, of any strength, sounds."""
        return self.visible & (self.values != 0).any(-1)

    @property
    def levels(self) -> int:
        """How many different values there are; what is transparent is one of them."""
        seen = np.where(self.visible[..., None], self.values, 0)
        return len(np.unique(seen.reshape(-1, seen.shape[-1]), axis=0))

    @classmethod
    def read(cls, path: Path, size: int) -> "MaskPixels":
        """Read a PNG of any depth and colour mode.

        Raises:
            UserError: the file is missing, is no whole PNG, is not `size` x `size`, or what sounds cannot be told: one
                grey or colour is declared transparent, or black pixels stand among transparent ones with nothing that
                is not black.
        """
        data = _content("mask", path)
        try:
            with Image.open(BytesIO(data)) as picture:
                if picture.format != "PNG":
                    raise _refused(path, f"is no PNG but {picture.format}, which does not keep every pixel's value")
                _check_size("mask", path, picture.width, picture.height, size)
                picture.load()
                pixels = cls._of(picture, data, path)
        except _DAMAGED as error:
            raise _unreadable("mask", path, error) from error
        if not pixels.visible.all() and pixels.visible.any() and not pixels.sounding.any():
            raise _refused(path, "has black pixels among transparent ones and nothing else: which of them sound?")
        return pixels

    @classmethod
    def _of(cls, picture: Image.Image, data: bytes, path: Path) -> "MaskPixels":
        transparency = picture.info.get("transparency")
        if picture.mode == "P":
            values = np.asarray(picture)[..., None]
            opacity = np.full(256, 255)
            if isinstance(transparency, int):
                opacity[transparency] = 0
            elif transparency is not None:
                opacity[: len(transparency)] = list(transparency)
            return cls(values, opacity[values[..., 0]] != 0, indexed=True)
        if transparency is not None:
            raise _refused(path, f"declares the value {transparency} transparent")
        if data[_PNG_DEPTH] == 16:  # Pillow keeps only the upper eight bits of colours
            values = decode_png(_bytes(data)).permute(1, 2, 0).numpy()
        else:
            values = np.asarray(picture)
            values = values if values.ndim == 3 else values[..., None]
        alpha = values.shape[-1] in (2, 4)
        visible = values[..., -1] != 0 if alpha else np.ones(values.shape[:2], dtype=bool)
        return cls(values[..., :-1] if alpha else values, visible, indexed=False)


def denormalise(images: Tensor) -> Tensor:
    """Undo the ImageNet normalisation: [..., 3, H, W] to values in [0, 1]."""
    return ((images * _STD.to(images) + _MEAN.to(images)) / 255).clamp(0, 1)


def _content(kind: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{kind} missing: {path}; `avs data check` lists all that is wrong") from error
    except OSError as error:
        raise UserError(f"{kind} {path} cannot be read: {error.strerror or error}") from error


def _bytes(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def _check_size(kind: str, path: Path, width: int, height: int, size: int) -> None:
    if (width, height) != (size, size):
        raise UserError(
            f"{kind} {path} is {width}x{height} pixels, expected {size}x{size}: set data.image_size if the whole set "
            "has another (square) size, else make this file again"
        )


def _refused(path: Path, reason: str) -> UserError:
    return UserError(f"mask {path} {reason}; save it as a PNG without transparency, zero where nothing sounds")


def _unreadable(kind: str, path: Path, error: Exception) -> UserError:
    reason = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
    return UserError(
        f"{kind} {path} cannot be read as a picture ({path.stat().st_size:,} bytes; {reason}): "
        "it is truncated or not an image; copy or extract it again"
    )
