"""The names of the reference's checkpoints: one map, from our entry names to theirs, serves both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, nn

from avs_lightning.errors import UserError
from avs_lightning.models.weights import tensors_of

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
SHOWN = 20


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


def rename_to_ours(
    state_dict: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    rename: Callable[[str], str],
    what: str,
    unused: Callable[[str], bool] = lambda name: False,
) -> dict[str, Tensor]:
    """Select from a foreign state dict the entries of `own`, under the names of `own`.

    Counts of batches, which old files do not hold, are taken from `own`.

    Args:
        state_dict: the foreign entries, wrapped or not, with `module.` or not.
        own: the entries wanted, by our names.
        rename: our name -> the foreign name.
        what: the network, for the error.
        unused: foreign names that may be there and are left out.

    Raises:
        UserError: entries are missing, unexpected or of another shape: lists them.
    """
    foreign = tensors_of(state_dict)
    names = {rename(name): name for name in own}
    missing = [f"missing {n}" for n in names if n not in foreign and not n.endswith("num_batches_tracked")]
    unexpected = [f"unexpected {n}" for n in foreign if n not in names and not unused(n)]
    misshapen = [
        f"{n} is {list(foreign[n].shape)}, expected {list(own[name].shape)}"
        for n, name in names.items()
        if n in foreign and foreign[n].shape != own[name].shape
    ]
    refuse(what, missing + unexpected + misshapen)
    return {name: foreign.get(theirs, own[name]) for theirs, name in names.items()}


def load_reference(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    what: str,
    rename: Callable[[str], str] = str,
    **options: Callable,
) -> None:
    """Load a foreign state dict; arguments and errors are those of `rename_to_ours`."""
    module.load_state_dict(rename_to_ours(state_dict, module.state_dict(), rename, what, **options))


def refuse(what: str, wrong: Iterable[str]) -> None:
    """Raise a `UserError` that lists what is wrong with a state dict, if anything is."""
    if wrong := list(wrong):
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise UserError(f"the state dict does not fit {what}: {'; '.join(wrong[:SHOWN])}{more}")
