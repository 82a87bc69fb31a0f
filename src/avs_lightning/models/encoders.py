"""The visual encoder: any timm backbone with four stages at strides 4, 8, 16 and 32."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from avs_lightning.errors import UserError, near_matches

STRIDES = (4, 8, 16, 32)
# timm's own default for ResNet-50 was trained otherwise; this is torchvision's resnet50-19c8e357.pth, the reference's.
REFERENCE_WEIGHTS = {"resnet50": "resnet50.tv_in1k"}


class VisualEncoder(nn.Module):
    """Images -> the maps of four stages.

    Args:
        name: a timm model, with or without a tag ("resnet50", "pvt_v2_b5", "convnext_tiny.fb_in1k").
        weights: "imagenet" (fetched by timm), "none", or the path of a local file.
        frozen: no gradients, and BatchNorm keeps its statistics in training too.
        image_size: height and width of the images, for backbones that are built for one size (Swin).

    Attributes:
        channels: of the four stages.

    Raises:
        UserError: unknown name, a backbone without these four strides, weights that cannot be had or do not fit.
    """

    def __init__(self, name: str, weights: str = "none", frozen: bool = False, image_size: int = 224) -> None:
        super().__init__()
        self.frozen = frozen
        self.backbone, self.channels = build_backbone(name, weights == "imagenet", image_size)
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


def build_backbone(name: str, pretrained: bool, image_size: int) -> tuple[nn.Module, list[int]]:
    """Build a timm backbone that returns its last four stages; and their channels."""
    if not timm.is_model(name):
        raise UserError(
            f"unknown encoder {name!r}{near_matches(name, timm.list_models())} "
            "(encoder=<any timm model with strides 4, 8, 16, 32>; list them with timm.list_models())"
        )
    fixed = timm.get_pretrained_cfg(name).fixed_input_size
    backbone = timm.create_model(
        REFERENCE_WEIGHTS.get(name, name),
        pretrained=pretrained,
        features_only=True,
        out_indices=(-4, -3, -2, -1),
        **({"img_size": image_size} if fixed else {}),
    )
    strides = tuple(backbone.feature_info.reduction())
    if strides != STRIDES:
        raise UserError(
            f"encoder {name!r} has its last four stages at strides {strides}, but the decoder needs {STRIDES} "
            "(encoder=resnet50, pvt_v2_b5, convnext_tiny, swin_tiny_patch4_window7_224, ... do)"
        )
    return backbone, backbone.feature_info.channels()
