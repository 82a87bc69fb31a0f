"""Frames and masks from image files."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.io import ImageReadMode, decode_image, decode_png

from avs_lightning.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_MEAN = 255 * torch.tensor(IMAGENET_MEAN)[:, None, None]
_STD = 255 * torch.tensor(IMAGENET_STD)[:, None, None]
_SCALE_16_BIT = 65_535 / 255
_PNG_DEPTH = 24  # the byte of a PNG that says how many bits a channel has
_DAMAGED = (RuntimeError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def read_frame(path: Path, size: int, out: Tensor, resize: bool = False) -> tuple[int, int]:
    """Read a picture into `out` [3, size, size] float32, normalised with the ImageNet mean and standard deviation.

    PNG, JPEG, WebP and GIF of any depth and colour mode: 16 bits are scaled to the range of 8, grey and palettes become
    RGB, and transparency is ignored (the stored colours count, as in the reference).

    Args:
        path: the file.
        size: height and width, pixels.
        out: where to read it into.
        resize: bring one of another size or shape to `size` x `size` (bilinear, with antialiasing).

    Returns:
        The width and height that it has on disk.

    Raises:
        UserError: the file is missing, is no whole picture, has several frames, or is not `size` x `size` and must not
            be resized.
    """
    data = _content("frame", path)
    try:
        # torchvision decodes an AVSBench frame about 15% faster than Pillow.
        picture = decode_image(_bytes(data), ImageReadMode.RGB)
    except RuntimeError as error:
        raise _unreadable("frame", path, error) from error
    if picture.ndim != 3:
        raise UserError(f"frame {path} is an animation of {len(picture)} pictures: extract the one that is meant")
    scale = _SCALE_16_BIT if picture.dtype == torch.uint16 else 1
    height, width = picture.shape[-2:]
    if not resize:
        _check_size("frame", path, (width, height), (size, size))
    elif (width, height) != (size, size):
        whole = picture[None] if scale == 1 else picture[None].float()  # seven times slower, but it knows no uint16
        picture = F.interpolate(whole, (size, size), mode="bilinear", antialias=True)[0]
    out.copy_(picture)
    if scale != 1:
        out.div_(scale)
    out.sub_(_MEAN).div_(_STD)
    return width, height


def read_mask(path: Path, size: int, classes: int = 2, frame: tuple[int, int] | None = None) -> Tensor:
    """Read a mask: [size, size] uint8, the class of each pixel, see `MaskPixels.labels`.

    Args:
        path: the file.
        size: height and width, pixels.
        classes: K.
        frame: the width and height of its frame on disk, with which it is resized (nearest); None: `size` x `size`.

    Raises:
        UserError: see `MaskPixels.read` and `MaskPixels.labels`.
    """
    labels = MaskPixels.read(path, frame or (size, size)).labels(classes, path)
    if labels.shape != (size, size):
        labels = labels[np.ix_(*((2 * np.arange(size) + 1) * length // (2 * size) for length in labels.shape))]
    return torch.from_numpy(labels)


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

    def labels(self, classes: int, path: Path) -> NDArray[np.uint8]:
        """The class of each pixel, [H, W]: of two, whether it sounds; of more, the value itself, 0 where transparent.

        Args:
            classes: K.
            path: of the file, for messages.

        Raises:
            UserError: of more than two classes, the values are colours, or one is not below `classes`.
        """
        if classes == 2:
            return self.sounding.astype(np.uint8)
        if self.values.shape[-1] != 1:
            raise UserError(
                f"mask {path} holds colours: of {classes} classes, a mask is grey or has a palette, and its values are "
                "the classes' places in the list, 0 for the background"
            )
        values = np.where(self.visible, self.values[..., 0], 0)
        if (highest := int(values.max())) >= classes:
            raise UserError(
                f"mask {path} has the value {highest}, and there are {classes} classes, 0 to {classes - 1}: name the "
                "missing ones (classes.txt of data=folder), or save the mask with the classes' places in the list"
            )
        return values.astype(np.uint8)

    @property
    def levels(self) -> int:
        """How many different values there are; what is transparent is one of them."""
        seen = np.where(self.visible[..., None], self.values, 0)
        return len(np.unique(seen.reshape(-1, seen.shape[-1]), axis=0))

    @classmethod
    def read(cls, path: Path, size: tuple[int, int]) -> "MaskPixels":
        """Read a PNG of any depth and colour mode, of the width and height `size`.

        Raises:
            UserError: the file is missing, is no whole PNG, is of another size, or what sounds cannot be told: one grey
                or colour is declared transparent, or black pixels stand among transparent ones with nothing that is not
                black.
        """
        data = _content("mask", path)
        try:
            with Image.open(BytesIO(data)) as picture:
                if picture.format != "PNG":
                    raise _refused(path, f"is no PNG but {picture.format}, which does not keep every pixel's value")
                _check_size("mask", path, picture.size, size)
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


def _check_size(kind: str, path: Path, found: tuple[int, int], expected: tuple[int, int]) -> None:
    if found != expected:
        cure = {
            "frame": "set data.image_size if the whole set has another (square) size, else make this file again",
            "mask": "make it again, as large as its frame",
        }
        sizes = " pixels, expected ".join(f"{width}x{height}" for width, height in (found, expected))
        raise UserError(f"{kind} {path} is {sizes}: {cure[kind]}")


def _refused(path: Path, reason: str) -> UserError:
    return UserError(f"mask {path} {reason}; save it as a PNG without transparency, zero where nothing sounds")


def _unreadable(kind: str, path: Path, error: Exception) -> UserError:
    reason = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
    return UserError(
        f"{kind} {path} cannot be read as a picture ({path.stat().st_size:,} bytes; {reason}): "
        "it is truncated or not an image; copy or extract it again"
    )
