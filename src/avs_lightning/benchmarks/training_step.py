"""A training step of AVS with TPAVI at all stages, with the exact form and with N x N in its place."""

from collections.abc import Iterator
from functools import partial

import torch

from avs_lightning.benchmarks.measuring import Comparison, Place, Variant, Work
from avs_lightning.benchmarks.quadratic_tpavi import QuadraticTPAVI
from avs_lightning.losses import mask_loss
from avs_lightning.methods.avs import AVS
from avs_lightning.methods.avs.losses import avm_audio

FRAMES = 5


def compare_forms(place: Place, quick: bool) -> Iterator[Comparison]:
    """Yield the exact form against N x N for both encoders of the paper."""
    side = 32 if quick else 224
    for encoder in ("resnet18",) if quick else ("resnet50", "pvt_v2_b5"):
        exact, quadratic = (
            Variant(form, partial(prepare_step, encoder, side, place, form == "N×N")) for form in ("exact", "N×N")
        )
        yield Comparison(f"{encoder}, {side}², {place}", exact, quadratic, place.batch)


def prepare_step(encoder: str, side: int, place: Place, quadratic: bool) -> Work:
    """Return one step: forward, BCE + 0.5 AVM-AV, backward, Adam."""
    torch.manual_seed(0)
    network = AVS(encoder, image_size=side)
    if quadratic:
        for stage, exact in network.fusion.items():
            network.fusion[stage] = QuadraticTPAVI(network.channels, network.audio_channels)
            network.fusion[stage].load_state_dict(exact.state_dict())
    network.to(place.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    images = torch.randn(place.batch, FRAMES, 3, side, side, device=place.device)
    audio = torch.rand(place.batch, FRAMES, 128, device=place.device)
    labels = (torch.rand(place.batch, FRAMES, side, side, device=place.device) > 0.5).byte()

    def step() -> None:
        optimizer.zero_grad()
        with place.autocast():
            out = network(images, audio)
        (mask_loss(out.logits, labels) + 0.5 * avm_audio(out)).backward()
        optimizer.step()

    return step
