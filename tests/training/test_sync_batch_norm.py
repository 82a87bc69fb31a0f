"""BatchNorm over two processes against BatchNorm on the joined batch."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from avs_lightning.training.sync_batch_norm import AnyDeviceSyncBatchNorm, BatchNormSync

SHAPES = {"1d": (6, 3), "2d": (6, 3, 4, 5), "3d": (6, 3, 2, 4, 5)}


def layers() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    built: dict[str, nn.Module] = {
        "1d": nn.BatchNorm1d(3),
        "2d": nn.BatchNorm2d(3, momentum=None),
        "3d": nn.BatchNorm3d(3, affine=False),
        "act 2d": BatchNormAct2d(3),
        "stateless 2d": nn.BatchNorm2d(3, track_running_stats=False),
    }
    for layer in built.values():
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
    return built


def rows_of(name: str, wanted: slice = slice(None), dtype: torch.dtype = torch.float64) -> Tensor:
    shape = SHAPES[name.split()[-1]]
    return (5 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(2)))[wanted].to(dtype)


def twice(layer: nn.Module, name: str, wanted: slice, share: float) -> dict[str, Any]:
    """Two steps; the loss is a weighted sum over all rows, of which a process has its share."""
    weights = torch.randn(SHAPES[name.split()[-1]], generator=torch.Generator().manual_seed(3)).double()[wanted]
    inputs = rows_of(name, wanted).requires_grad_()
    for _ in range(2):
        out = layer(inputs)
    (out * weights).sum().backward()
    gradients = {n: p.grad for n, p in layer.named_parameters()}
    return {"out": out.detach(), "input": inputs.grad, "gradients": gradients, "buffers": dict(layer.named_buffers())}


def in_this_process(rank: int) -> dict[str, Any]:
    results = {}
    wanted = (slice(0, 2), slice(2, 6))[rank]  # unequal shares
    for name, layer in layers().items():
        synced = BatchNormSync().apply(nn.Sequential(layer.double()))[0]
        assert type(synced) is AnyDeviceSyncBatchNorm
        results[name] = twice(synced, name, wanted, 0.5)
        for gradient in results[name]["gradients"].values():
            torch.distributed.all_reduce(gradient)
    half = nn.BatchNorm2d(3)
    half.__class__ = AnyDeviceSyncBatchNorm
    results["bfloat16"] = half(rows_of("2d", wanted, torch.bfloat16)).detach()
    return results


def test_two_processes_normalise_as_one(in_two_processes: Any) -> None:
    parts = in_two_processes(in_this_process)
    for name, layer in layers().items():
        whole = twice(layer.double(), name, slice(None), 1.0)
        for key in ("out", "input"):
            joined = torch.cat([part[name][key] for part in parts])
            torch.testing.assert_close(joined, whole[key], rtol=1e-9, atol=1e-10, msg=f"{name}: {key}")
        for part in parts:
            for key in ("gradients", "buffers"):
                assert part[name][key].keys() == whole[key].keys()
                for entry, value in whole[key].items():
                    torch.testing.assert_close(part[name][key][entry], value, rtol=1e-9, atol=1e-10)
    joined = torch.cat([part["bfloat16"] for part in parts])
    assert joined.dtype == torch.bfloat16
    exact = nn.BatchNorm2d(3)(rows_of("2d", dtype=torch.bfloat16).float())
    torch.testing.assert_close(joined.float(), exact, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", SHAPES)
def test_alone_and_in_evaluation_it_is_batch_norm(name: str) -> None:
    layer = layers()[name].double()
    synced = deepcopy(layer)
    BatchNormSync().apply(synced)
    for training in (True, False):
        inputs = rows_of(name)
        torch.testing.assert_close(synced.train(training)(inputs), layer.train(training)(inputs))
    torch.testing.assert_close(synced.state_dict(), layer.state_dict())


def test_a_model_that_goes_to_a_gpu_gets_pytorchs_layers() -> None:
    class OnGPU(nn.Sequential):
        device = torch.device("cuda")

    converted = BatchNormSync().apply(OnGPU(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), BatchNormAct2d(3)))
    assert isinstance(converted[0], nn.SyncBatchNorm)
    assert isinstance(converted[2], nn.SyncBatchNorm)
    assert isinstance(converted[2].act, nn.ReLU)
