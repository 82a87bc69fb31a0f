import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from avs_lightning.benchmarks.quadratic_tpavi import QuadraticTPAVI
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import TPAVI

B, C, T, H, W, A = 2, 12, 3, 4, 5, 7


def published(m: TPAVI, x: Tensor, audio: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The definition, line by line, with its N x N matrix and BatchNorm3d; one clip a time in scope "frame"."""
    conv = F.conv3d
    a = None if audio is None else F.linear(audio, m.align_channel.weight, m.align_channel.bias)
    source = x if a is None else a.transpose(1, 2)[..., None, None].expand(x.shape)
    seconds = [slice(None)] if m.scope == "clip" else [slice(t, t + 1) for t in range(x.shape[2])]
    updates = []
    for s in seconds:
        theta = conv(x[:, :, s], m.theta.weight, m.theta.bias).flatten(2)
        phi = conv(source[:, :, s], m.phi.weight, m.phi.bias).flatten(2)
        g = conv(x[:, :, s], m.g.weight, m.g.bias).flatten(2)
        n = theta.shape[2]
        y = torch.stack([(theta[b].T @ phi[b] / n) @ g[b].T for b in range(len(x))])
        y = y.transpose(1, 2).unflatten(2, x[:, :, s].shape[2:])
        updates.append(conv(y, m.W_z[0].weight, m.W_z[0].bias))
    bn = m.W_z[1]
    update = F.batch_norm(
        torch.cat(updates, 2), bn.running_mean, bn.running_var, bn.weight, bn.bias, m.training, bn.momentum, bn.eps
    )
    z = (update + x).permute(0, 2, 3, 4, 1)
    return F.layer_norm(z, (x.shape[1],), m.norm_layer.weight, m.norm_layer.bias).permute(0, 4, 1, 2, 3), a


def random_module(cls: type[TPAVI], scope: str) -> TPAVI:
    torch.manual_seed(0)
    module = cls(C, A, scope).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module


def random_inputs(hears: bool) -> tuple[Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(B, C, T, H, W, dtype=torch.float64, generator=generator) + 0.5
    return x, torch.randn(B, T, A, dtype=torch.float64, generator=generator) if hears else None


def results(forward, module: TPAVI, x: Tensor, audio: Tensor | None) -> dict[str, Tensor]:
    """Outputs, all gradients and the running statistics."""
    x = x.clone().requires_grad_()
    audio = None if audio is None else audio.clone().requires_grad_()
    z, a = forward(x, audio)
    weights = torch.arange(z.numel(), dtype=z.dtype).sin().reshape(z.shape)
    ((z * weights).sum() + (0 if a is None else a.sin().sum())).backward()
    found = {"z": z, "dx": x.grad, "mean": module.W_z[1].running_mean, "var": module.W_z[1].running_var}
    if audio is not None:
        found |= {"a": a, "daudio": audio.grad}
    return found | {f"d{n}": p.grad for n, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("scope", ["clip", "frame"])
@pytest.mark.parametrize("cls", [TPAVI, QuadraticTPAVI])
def test_equals_the_published_form(cls, scope, hears, training):
    x, audio = random_inputs(hears)
    ours, oracle = (random_module(cls, scope).train(training) for _ in range(2))
    found = results(ours, ours, x, audio)
    expected = results(lambda *inputs: published(oracle, *inputs), oracle, x, audio)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("scope", ["clip", "frame"])
@pytest.mark.parametrize("lengths", [(3, 1), (1, 1)])
def test_frames_that_do_not_exist_take_no_part(scope, hears, training, lengths):
    ours, oracle = random_module(TPAVI, scope).train(training), random_module(QuadraticTPAVI, scope).train(training)
    x, audio = random_inputs(hears)
    exists = (torch.arange(T) < torch.tensor(lengths)[:, None])[:, None, :, None, None]

    def padded(module: TPAVI, filling: float) -> dict[str, Tensor]:
        def fuse(x: Tensor, audio: Tensor | None) -> tuple[Tensor, Tensor | None]:
            z, a = module(x.where(exists, filling), audio, lengths)
            return z, None if a is None else a * exists[:, 0, :, :, 0]

        return results(fuse, module, x, audio)

    found, expected = padded(ours, 0.0), padded(oracle, 7.0)
    assert not found["z"].masked_select(~exists).any()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}")
    ours.eval()
    for clip, length in enumerate(lengths):
        alone, _ = ours(x[clip : clip + 1, :, :length], None if audio is None else audio[clip : clip + 1, :length])
        torch.testing.assert_close(ours(x, audio, lengths)[0][clip : clip + 1, :, :length], alone)


@pytest.mark.parametrize("hears", [True, False])
def test_never_holds_an_n_by_n_matrix(hears):
    module, (x, audio) = random_module(TPAVI, "clip"), (torch.randn(1, C, T, 12, 12, dtype=torch.float64), None)
    audio = torch.randn(1, T, A, dtype=torch.float64) if hears else None
    sizes = []

    def note(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        module(x.requires_grad_(), audio)
    assert max(sizes) <= x.numel()


def test_starts_as_layer_norm():
    x, audio = random_inputs(hears=True)
    z, _ = TPAVI(C, A).double()(x, audio)
    torch.testing.assert_close(z, F.layer_norm(x.transpose(1, -1), (C,)).transpose(1, -1))


def test_clip_scope_does_not_know_which_second_sounds():
    module = random_module(TPAVI, "clip").eval()
    x, audio = random_inputs(hears=True)
    x = x[:, :, :1].expand(-1, -1, T, -1, -1)
    torch.testing.assert_close(module(x, audio)[0], module(x, audio[:, [2, 0, 1]])[0])


def test_frame_scope_follows_the_second_that_sounds():
    module = random_module(TPAVI, "frame").eval()
    x, audio = random_inputs(hears=True)
    x = x[:, :, :1].expand(-1, -1, T, -1, -1)
    z, moved = module(x, audio)[0], module(x, audio[:, [2, 0, 1]])[0]
    assert not torch.allclose(z, moved)
    torch.testing.assert_close(moved, z[:, :, [2, 0, 1]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("scope", ["clip", "frame"])
def test_autocast_neither_overflows_nor_loses_the_sum(scope, hears, dtype):
    torch.manual_seed(0)
    module = TPAVI(32, A, scope).eval()
    torch.nn.init.ones_(module.W_z[1].weight)
    x = 10 + torch.randn(1, 32, 2, 40, 40)  # the sum of squares over all positions is beyond float16
    audio = torch.randn(1, 2, A) if hears else None
    with torch.autocast("cpu", dtype):
        z, a = module(x.to(dtype), audio)
    expected, expected_a = module(x, audio)
    assert torch.nn.functional.cosine_similarity(z.float().flatten(), expected.flatten(), dim=0) > 0.98
    if hears:
        torch.testing.assert_close(a, expected_a)


@pytest.mark.parametrize("hears", [True, False])
def test_autocast_keeps_the_variance(hears):
    torch.manual_seed(0)
    module, exact = TPAVI(32, A), TPAVI(32, A)
    exact.load_state_dict(module.state_dict())
    x, audio = 30 + torch.randn(1, 32, 2, 20, 20), torch.randn(1, 2, A) if hears else None
    with torch.autocast("cpu", torch.bfloat16):
        module(x.bfloat16(), audio)
    exact.double()(x.bfloat16().double(), None if audio is None else audio.double())
    torch.testing.assert_close(module.W_z[1].running_var.double(), exact.W_z[1].running_var, rtol=0.02, atol=0)


def test_compiles_without_graph_breaks():
    module, (x, audio) = random_module(TPAVI, "frame").eval(), random_inputs(hears=True)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, audio)[0], module(x, audio)[0])


def test_state_dict_is_the_references():
    shapes = {name: list(value.shape) for name, value in TPAVI().state_dict().items()}
    conv, norm = {"weight", "bias"}, {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    layers = {
        "align_channel": conv,
        "norm_layer": conv,
        "g": conv,
        "theta": conv,
        "phi": conv,
        "W_z.0": conv,
        "W_z.1": norm,
    }
    assert set(shapes) == {f"{layer}.{entry}" for layer, entries in layers.items() for entry in entries}
    assert shapes["theta.weight"] == shapes["phi.weight"] == shapes["g.weight"] == [128, 256, 1, 1, 1]
    assert shapes["W_z.0.weight"] == [256, 128, 1, 1, 1]
    assert shapes["align_channel.weight"] == [256, 128]


def test_sync_batch_norm_can_take_over():
    module = torch.nn.SyncBatchNorm.convert_sync_batchnorm(TPAVI(C, A))
    assert isinstance(module.W_z[1], torch.nn.SyncBatchNorm)
    assert module.state_dict().keys() == TPAVI(C, A).state_dict().keys()


def share_of_a_batch(rank: int) -> dict[bool, dict[str, Tensor]]:
    """Results of this process's half of the batch, with and without audio, with a BatchNorm that synchronises."""
    shares = {}
    for hears in (True, False):
        x, audio = random_inputs(hears)
        module = torch.nn.SyncBatchNorm.convert_sync_batchnorm(random_module(TPAVI, "clip"))
        half = slice(rank, rank + 1)
        found = results(module, module, x[half], None if audio is None else audio[half])
        shares[hears] = {name: value.detach() for name, value in found.items()}
    return shares


def test_two_processes_are_one_batch(in_two_processes):
    shares = in_two_processes(share_of_a_batch)
    for hears in (True, False):
        halves, module, (x, audio) = [s[hears] for s in shares], random_module(TPAVI, "clip"), random_inputs(hears)
        weights = (
            torch.arange(x.numel() // B, dtype=x.dtype).sin().reshape(x[:1].shape)
        )  # as each process weighs its half
        z, a = module(x, audio)
        ((z * weights).sum() + (0 if a is None else a.sin().sum())).backward()
        torch.testing.assert_close(torch.cat([half["z"] for half in halves]), z)
        for half in halves:
            torch.testing.assert_close(half["mean"], module.W_z[1].running_mean)
            torch.testing.assert_close(half["var"], module.W_z[1].running_var)
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                torch.testing.assert_close(sum(half[f"d{name}"] for half in halves), parameter.grad)


def test_wrong_audio_and_unknown_scope_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4, 7\).*\(2, 3, 7\)"):
        TPAVI(C, A)(torch.zeros(B, C, T, H, W), torch.zeros(B, T + 1, A))
    with pytest.raises(UserError, match="did you mean frame"):
        TPAVI(C, A, scope="frames")
