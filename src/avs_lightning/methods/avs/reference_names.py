"""The names of the reference's checkpoints: one map, from our entry names to theirs, serves both directions."""

from __future__ import annotations

import re

from avs_lightning.errors import UserError

Rules = tuple[tuple[str, str], ...]
RESNET: Rules = (
    (r"^encoder\.backbone\.layer([34])\.", r"resnet.layer\1_1."),
    (r"^encoder\.backbone\.", "resnet."),
)
PVT_V2: Rules = (
    (r"^encoder\.backbone\.patch_embed\.", "encoder_backbone.patch_embed1."),
    *((rf"^encoder\.backbone\.stages_{i}\.downsample\.", f"encoder_backbone.patch_embed{i + 1}.") for i in (1, 2, 3)),
    *((rf"^encoder\.backbone\.stages_{i}\.blocks\.", f"encoder_backbone.block{i + 1}.") for i in range(4)),
    *((rf"^encoder\.backbone\.stages_{i}\.norm\.", f"encoder_backbone.norm{i + 1}.") for i in range(4)),
    (r"\.mlp\.dwconv\.", ".mlp.dwconv.dwconv."),
)
COMMON: Rules = (
    *((rf"^neck\.{i}\.convs\.", f"conv{i + 1}.conv2d_list.") for i in range(4)),
    (r"^fusion\.", "tpavi_b"),
    *((rf"^decoder\.paths\.{i}\.skip\.", f"path{i + 1}.resConfUnit1.") for i in range(4)),
    *((rf"^decoder\.paths\.{i}\.refine\.", f"path{i + 1}.resConfUnit2.") for i in range(4)),
    (r"^decoder\.head\.", "output_conv."),
)
# The reference's ResNet holds its last two stages twice and uses the first copy.
UNUSED_TWIN = re.compile(r"^resnet\.layer[34]_2\.")


def reference_name(name: str, encoder: str) -> str:
    """Return the reference's name of the entry `name` of an `AVS` with this encoder.

    Raises:
        UserError: the reference has no network with such an encoder.
    """
    if not encoder.startswith(("resnet", "pvt_v2")):
        raise UserError(f"the reference has no network with the encoder {encoder!r}, only with resnet50 and pvt_v2_b5")
    for pattern, theirs in (*(RESNET if encoder.startswith("resnet") else PVT_V2), *COMMON):
        name = re.sub(pattern, theirs, name)
    return name
