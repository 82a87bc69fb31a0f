"""The visual encoder: any timm backbone with four stages at strides 4, 8, 16 and 32."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import timm
from timm.layers import DropPath
from torch import Tensor, nn

from avs_lightning.errors import UserError, near_matches
from avs_lightning.models.weights import load_renamed, load_state_dict

STRIDES = (4, 8, 16, 32)
# The reference starts from torchvision's first weights; timm's default ones were trained otherwise.
REFERENCE_WEIGHTS = {"resnet50": "resnet50.tv_in1k"}


class VisualEncoder(nn.Module):
    """Images -> the maps of four stages.

    Args:
        name: a timm model, with or without a tag ("resnet50", "pvt_v2_b5", "convnext_tiny.fb_in1k").
        weights: "imagenet" (fetched by timm), "none", or a local file, with timm's names or the original authors'.
        frozen: no gradients, and BatchNorm keeps its statistics in training too.
        image_size: height and width of the images, for backbones that are built for one size (Swin).
        drop_path: rate of stochastic depth in the last block; it grows linearly from 0 in the first (timm's
            `drop_path_rate`). In training alone, so never in a frozen encoder.

    Attributes:
        channels: of the four stages.

    Raises:
        UserError: unknown name, a backbone without these four strides, weights that cannot be had or do not fit,
            stochastic depth in a backbone that knows none.
    """

    def __init__(
        self,
        name: str,
        weights: str = "none",
        frozen: bool = False,
        image_size: int = 224,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.backbone, self.channels = build_backbone(name, weights == "imagenet", image_size, drop_path)
        if weights not in ("imagenet", "none"):
            load_backbone(self.backbone, name, weights, image_size)
        self.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> VisualEncoder:
        """Set the mode; a frozen encoder stays in evaluation."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> four maps [B, channels_i, H / stride_i, W / stride_i]."""
        maps: list[Tensor] = self.backbone(images)
        if str(getattr(self.backbone, "output_fmt", "NCHW")).endswith("NHWC"):
            maps = [x.permute(0, 3, 1, 2) for x in maps]
        return maps


def build_backbone(name: str, pretrained: bool, image_size: int, drop_path: float = 0.0) -> tuple[nn.Module, list[int]]:
    """Build a timm backbone that returns its last four stages; and their channels."""
    if not 0 <= drop_path < 1:
        raise UserError(f"encoder.drop_path={drop_path}: the rate of stochastic depth is from 0 to below 1")
    name = REFERENCE_WEIGHTS.get(name, name)
    options = _options(name, image_size) | ({"drop_path_rate": drop_path} if drop_path else {})
    create = partial(timm.create_model, name, features_only=True, out_indices=(-4, -3, -2, -1), **options)
    try:
        backbone = create()
    except (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        if "drop_path_rate" in str(error):
            raise _no_stochastic_depth(name, drop_path) from error
        raise UserError(
            f"encoder {name!r} cannot be built with four stages on images of {image_size} pixels "
            f"({type(error).__name__}: {error}); encoder=resnet50, pvt_v2_b5, convnext_tiny, ... can"
        ) from error
    if drop_path and not any(isinstance(module, DropPath) for module in backbone.modules()):
        raise _no_stochastic_depth(name, drop_path)
    strides = tuple(backbone.feature_info.reduction())
    if strides != STRIDES:
        raise UserError(
            f"encoder {name!r} has its last stages at strides {strides}, but the decoder needs {STRIDES} "
            "(encoder=resnet50, pvt_v2_b5, convnext_tiny, swin_tiny_patch4_window7_224, ... have them)"
        )
    if pretrained:
        backbone = _fetched(name, create)
    return backbone, backbone.feature_info.channels()


def _no_stochastic_depth(name: str, drop_path: float) -> UserError:
    return UserError(f"encoder.drop_path={drop_path}: {name} knows no stochastic depth; set encoder.drop_path=0")


def _fetched(name: str, create: Callable[..., nn.Module]) -> Any:
    """Build the backbone with the weights that timm publishes."""
    if not timm.is_model_pretrained(name):
        raise UserError(f"timm has no weights of {name!r}: encoder.weights=/path/to/file, or encoder.weights=none")
    try:
        return create(pretrained=True)
    except Exception as error:  # of the net, its proxies, the disk, the file: each library has its own
        source = timm.get_pretrained_cfg(name)
        where = f"https://huggingface.co/{source.hf_hub_id}" if source.hf_hub_id else source.url
        raise UserError(
            f"the ImageNet weights of {name} cannot be fetched from {where} "
            f"({type(error).__name__}: {(str(error).splitlines() or [''])[0]}); fetch them from there by other means "
            "and name the file (encoder.weights=/path/to/file), or start from random weights (encoder.weights=none)"
        ) from error


def load_backbone(backbone: nn.Module, name: str, path: str | Path, image_size: int) -> None:
    """Load a local file: timm's entries or the original authors' (timm knows how to rename most), head or not.

    Raises:
        UserError: no such file, damaged, or entries that are missing, unexpected or of another shape.
    """
    entries = load_state_dict(path)
    whole = timm.create_model(name, **_options(name, image_size))
    convert = getattr(sys.modules[timm.model_entrypoint(name).__module__], "checkpoint_filter_fn", None)
    try:
        entries = convert(entries, whole) if convert else entries
    except Exception as error:  # timm's renamings fail in many ways on the entries of another network
        raise UserError(f"{path} does not hold the weights of {name}: {type(error).__name__}: {error}") from error
    own, unused = backbone.state_dict(), set(whole.state_dict())

    def flat(entry: str) -> str:
        # timm hands on the stages of a network under flattened names, or below `model`.
        names = (entry, re.sub(r"^(\w+)\.(\d+)\.", r"\1_\2.", entry), f"model.{entry}")
        return next((n for n in names if n in own), entry)

    load_renamed(backbone, {flat(n): v for n, v in entries.items()}, f"{name} ({path})", unused=unused.__contains__)


def _options(name: str, image_size: int) -> dict[str, Any]:
    if not timm.is_model(name):
        raise UserError(
            f"unknown encoder {name!r}{near_matches(name, timm.list_models())} "
            "(encoder=<any timm model with strides 4, 8, 16, 32>)"
        )
    try:
        fixed = timm.get_pretrained_cfg(name).fixed_input_size
    except RuntimeError as error:
        known = timm.list_models(f"{name.split('.')[0]}.*", pretrained=True)
        raise UserError(f"unknown encoder {name!r}: timm has {', '.join(known)}") from error
    return {"img_size": image_size} if fixed else {}
