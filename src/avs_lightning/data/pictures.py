"""Frames and masks from image files."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image, read_file

from avs_lightning.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_MEAN = 255 * torch.tensor(IMAGENET_MEAN)[:, None, None]
_STD = 255 * torch.tensor(IMAGENET_STD)[:, None, None]


def read_frame(path: Path, size: int, out: Tensor) -> None:
    """Read a picture into `out` [3, size, size] float32, normalised with the ImageNet mean and standard deviation.

    Raises:
        UserError: the file is missing, is no whole picture, or is not `size` x `size`.
    """
    if not path.is_file():
        raise UserError(f"frame missing: {path}; `avs data check` lists all that is wrong")
    try:
        # torchvision decodes an AVSBench frame about 15% faster than Pillow, which stays the reader of masks because
        # torchvision turns a palette's indices into its colours.
        picture = decode_image(read_file(str(path)), ImageReadMode.RGB)
    except RuntimeError as error:
        raise _unreadable("frame", path, error) from error
    _check_size("frame", path, picture.shape[-1], picture.shape[-2], size)
    out.copy_(picture).sub_(_MEAN).div_(_STD)


def read_mask(path: Path, size: int) -> Tensor:
    """Read a mask: [1, size, size] float32, 1 where the pixel sounds.

    A pixel sounds where its value is not zero: its bit in a 1-bit image, its index in a palette image, any channel of a
    grey or colour image.

    Raises:
        UserError: the file is missing, is no whole picture, or is not `size` x `size`.
    """
    if not path.is_file():
        raise UserError(f"mask missing: {path}; `avs data check` lists all that is wrong")
    try:
        with Image.open(path) as picture:
            _check_size("mask", path, picture.width, picture.height, size)
            if "A" in picture.getbands():
                picture = picture.convert("RGB")
            sounding = np.asarray(picture) != 0
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _unreadable("mask", path, error) from error
    return torch.from_numpy(sounding if sounding.ndim == 2 else sounding.any(-1))[None].float()


def denormalise(images: Tensor) -> Tensor:
    """Undo the ImageNet normalisation: [..., 3, H, W] to values in [0, 1]."""
    return ((images * _STD.to(images) + _MEAN.to(images)) / 255).clamp(0, 1)


def _check_size(kind: str, path: Path, width: int, height: int, size: int) -> None:
    if (width, height) != (size, size):
        raise UserError(
            f"{kind} {path} is {width}x{height} pixels, expected {size}x{size}: set data.image_size if the whole set "
            "has another (square) size, else make this file again"
        )


def _unreadable(kind: str, path: Path, error: Exception) -> UserError:
    reason = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
    return UserError(
        f"{kind} {path} cannot be read as a picture ({path.stat().st_size:,} bytes; {reason}): "
        "it is truncated or not an image; copy or extract it again"
    )
