"""TPAVI, forward and backward: the exact linear form against the N x N matrix, and its growth with N = T x side^2."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

from avs_lightning.benchmarks.measuring import Comparison, Place, Variant, Work
from avs_lightning.benchmarks.quadratic_tpavi import QuadraticTPAVI
from avs_lightning.methods.avs import TPAVI

CHANNELS, FRAMES = 256, 5


def compare_forms(place: Place, quick: bool) -> Iterator[Comparison]:
    """Yield the exact form against N x N, at the four stages of a 224 x 224 image."""
    for side in (4, 7) if quick else (7, 14, 28, 56):
        yield Comparison(f"{side}², {place}", _exact(side, place), _quadratic(side, place), place.batch)


def compare_sizes(place: Place, quick: bool) -> Iterator[Comparison]:
    """Yield the exact form at more positions against itself at fewer.

    Once for the same clips, and once against so many smaller clips that both sides hold the same number of positions:
    what differs between the two is not the form but caches and the operating system's handing out of large memory.
    """
    small, *larger = (4, 8) if quick else (28, 56, 112)
    for side in larger:
        times = (side // small) ** 2
        same_memory = replace(place, batch=times * place.batch)
        ours = _exact(side, place)
        yield Comparison(f"{small}² to {side}², {place}", ours, _exact(small, place), place.batch, growth=times)
        setting = f"{times} × {small}² to {side}², {place}"
        yield Comparison(setting, ours, _exact(small, same_memory), place.batch, growth=1)


def prepare_step(module: type[TPAVI], side: int, place: Place) -> Work:
    """Return one forward and backward pass at side x side positions a frame."""
    torch.manual_seed(0)
    tpavi = module(CHANNELS).to(place.device)
    shape = place.batch, FRAMES, side, side, CHANNELS  # in memory; the network, too, runs channels last
    x = torch.randn(shape, device=place.device).permute(0, 4, 1, 2, 3).requires_grad_()
    gradient = torch.randn(shape, device=place.device).permute(0, 4, 1, 2, 3)
    audio = torch.randn(place.batch, FRAMES, 128, device=place.device)

    def step() -> None:
        x.grad = None
        tpavi.zero_grad()
        with place.autocast():
            z, _ = tpavi(x, audio)
        z.backward(gradient.to(z.dtype))

    return step


def _exact(side: int, place: Place) -> Variant:
    return Variant(f"exact {side}²", partial(prepare_step, TPAVI, side, place))


def _quadratic(side: int, place: Place) -> Variant:
    return Variant(f"N×N {side}²", partial(prepare_step, QuadraticTPAVI, side, place))
