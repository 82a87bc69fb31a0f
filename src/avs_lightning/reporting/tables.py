"""The tables that a run prints."""

from collections.abc import Mapping
from typing import Any

import torch
from rich.console import Group
from rich.table import Table
from rich.text import Text
from torch import Tensor, nn

from avs_lightning.data import ClipBatch
from avs_lightning.data.sound_names import OWN, SOUNDS
from avs_lightning.errors import UserError
from avs_lightning.methods import SegmentationMethod
from avs_lightning.metrics.names import (
    FRAME_SCORES,
    PROTOCOLS,
    SCORES,
    protocol_label,
    protocols_of,
    score_label,
    score_text,
)


def scores_table(scores: Mapping[str, Mapping[str, float]], title: str) -> Group:
    """Lay out scores by the protocol `frame`: a row a sound; the other protocols, of its own sound, stand below.

    Args:
        scores: per set of sounds ("true", "muted", ...) the values by `metric_protocol`, as fractions.
        title: what was tested on what.
    """
    protocols = protocols_of(scores[OWN])
    notes = [f"Protocol frame: {protocols['frame']}."]
    for protocol in ("reference", "dataset"):
        names = [score.column(protocol) for score in SCORES.values() if score.has_protocol]
        if all(name in scores[OWN] for name in names):
            miou, fscore = (score_text(name, scores[OWN][name]) for name in names)
            label = f"{protocol_label(protocol) if protocols is PROTOCOLS else protocol}, {protocols[protocol]}"
            notes.append(f"Protocol {label}: mIoU {miou} %, F {fscore} with its own sound.")
    table = Table(header_style="bold")
    table.add_column("sound")
    for name in FRAME_SCORES:
        table.add_column(score_label(name), justify="right")
    for sound, values in scores.items():
        table.add_row(SOUNDS.get(sound, sound), *(score_text(name, values.get(name)) for name in FRAME_SCORES))
    return Group(Text(title, style="bold"), table, *(Text(note, style="dim") for note in notes))


def network_table(method: SegmentationMethod, clip: ClipBatch) -> Table:
    """Run a batch of one clip through a method and lay out each part's parameters and output shapes."""
    frames, image_size = clip.images.shape[1], clip.images.shape[-1]
    shapes: dict[str, str] = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, out, name=name: shapes.update({name: _shapes(out)}))
        for name, module in method.table_parts()
    ]
    training = method.training
    try:
        with torch.no_grad():
            method.eval()(clip)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{method.label()} cannot run on frames of "
            f"data.image_size={image_size} pixels ({reason}); sizes that are multiples "
            "of 32 fit every decoder, some encoders take the size they were made for alone (224), and "
            "decoder=reference takes the widest range"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
        method.train(training)
    table = Table(
        title=f"{type(method).__name__}, one clip of {frames} frames", title_style="bold", header_style="bold"
    )
    table.add_column("part")
    table.add_column("parameters", justify="right")
    table.add_column("trained", justify="right")
    table.add_column("output")
    for name, module in method.table_parts():
        table.add_row(name, *_counts(module), shapes.get(name, ""))
    table.add_section()
    table.add_row("all", *_counts(method), "")
    return table


def _counts(module: nn.Module) -> tuple[str, str]:
    total = sum(p.numel() for p in module.parameters())
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return f"{total:,}", f"{trained:,}"


def _shapes(out: Any) -> str:
    if isinstance(out, Tensor):
        return "×".join(str(n) for n in out.shape)
    if hasattr(out, "logits"):
        return _shapes(out.logits)
    if isinstance(out, (list, tuple)):
        return ", ".join(filter(None, (_shapes(item) for item in out)))
    return ""
