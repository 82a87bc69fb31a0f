from itertools import product

import numpy as np
import pytest
import torch

from avs_lightning.errors import UserError
from avs_lightning.losses import mask_loss
from avs_lightning.methods.avs.losses import avm_audio, avm_cosine, avm_visual
from avs_lightning.models import NetworkOutput

SIZES = (16, 8, 4, 2)
AVM = (avm_audio, avm_visual, avm_cosine)


def some_output(clips=3, frames=5, channels=12, heard=(1, 2, 3, 4), seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(clips, frames, *shape, generator=generator)

    features = [draw(channels, size, size).relu().requires_grad_() for size in SIZES]
    audio = [draw(channels).requires_grad_() if stage in heard else None for stage in (1, 2, 3, 4)]
    return NetworkOutput((3 * draw(1, 64, 64)).requires_grad_(), features, audio)


def some_masks(out, seed=0):
    generator = torch.Generator().manual_seed(seed)
    masks = (torch.rand(out.logits.shape, generator=generator) > 0.6).float()
    labelled = torch.rand(out.logits.shape[:2], generator=generator) > 0.4
    return masks * labelled[:, :, None, None, None], labelled


def leaves(out):
    return [out.logits, *out.features, *(a for a in out.audio if a is not None)]


# ---- the losses again, in numpy, a frame and a channel at a time ----


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def unit(x):
    return x / np.linalg.norm(x)


def pool(plane, size):
    step = plane.shape[0] // size
    return plane.reshape(size, step, size, step).mean(axis=(1, 3))


def kl(p, q):
    return sum(p[c] * np.log(p[c] / q[c]) for c in range(len(p)))


def masked_vectors(out, stage, hard, normalize):
    scale = unit if normalize else np.asarray
    vectors = []
    for clip in range(out.logits.shape[0]):
        for frame in range(out.logits.shape[1]):
            logits = out.logits[clip, frame, 0].detach().double().numpy()
            features = out.features[stage - 1][clip, frame].detach().double().numpy()
            size = features.shape[-1]
            if hard:
                mask = pool(sigmoid(logits), size) > 0.5
                vectors.append(scale((features * mask).sum((1, 2)) / (mask.sum() + 1e-6)))
            else:
                vectors.append(scale((features * sigmoid(pool(logits, size))).mean((1, 2))))
    return vectors


def audio_vectors(out, stage, normalize):
    return [unit(a) if normalize else a for a in out.audio[stage - 1].detach().double().flatten(0, 1).numpy()]


def plain_avm_audio(out, stages, distance, kept, normalize):
    of_stages = []
    for stage in stages:
        pairs = list(zip(audio_vectors(out, stage, normalize), masked_vectors(out, stage, False, normalize)))
        pairs = [(a, u) for (a, u), keep in zip(pairs, kept) if keep]
        if distance == "kl":
            of_stages.append(sum(kl(softmax(a), softmax(u)) for a, u in pairs))
        else:
            of_stages.append(np.mean([np.linalg.norm(a - u + 1e-6) for a, u in pairs]))
    return np.mean(of_stages)


def plain_avm_audio_far(out):
    """The KL of raw vectors by logarithms of softmaxes, in float64."""
    of_stages = []
    for stage in (1, 2, 3, 4):
        a = torch.tensor(np.stack(audio_vectors(out, stage, False)))
        u = torch.tensor(np.stack(masked_vectors(out, stage, False, False)))
        of_stages.append((a.softmax(-1) * (a.log_softmax(-1) - u.log_softmax(-1))).sum().item())
    return np.mean(of_stages)


def plain_avm_visual(out, stages, distance, kept, normalize):
    of_stages = []
    for stage in stages:
        heard, seen = audio_vectors(out, stage, normalize), masked_vectors(out, stage, False, normalize)
        rows = [row for row, keep in enumerate(kept) if keep]
        terms = []
        for row in rows:
            nearest = min((np.linalg.norm(heard[row] - heard[other]), other) for other in rows if other != row)[1]
            if distance == "kl":
                terms.append(kl(softmax(seen[nearest]), softmax(seen[row])))
            else:
                terms.append(np.linalg.norm(seen[nearest] - seen[row] + 1e-6))
        of_stages.append(sum(terms) if distance == "kl" else np.mean(terms))
    return np.mean(of_stages)


def plain_avm_cosine(out, stages, kept):
    of_stages = []
    for stage in stages:
        pairs = zip(audio_vectors(out, stage, True), masked_vectors(out, stage, True, True), kept)
        of_stages.append(np.mean([-np.log(max(a @ u, 0) + 1e-6) for a, u, keep in pairs if keep]))
    return np.mean(of_stages)


def plain_bce(logits, masks, labelled):
    values = []
    for clip, frame in labelled.nonzero().tolist():
        p, y = sigmoid(logits[clip, frame].detach().double().numpy()), masks[clip, frame].numpy()
        values.append(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())
    return np.mean(values)


@pytest.mark.parametrize("stages", [(1, 2, 3, 4), (3, 4), (2,)])
@pytest.mark.parametrize("partly", [False, True])
def test_losses_equal_plain_loops(stages, partly):
    out = some_output()
    masks, labelled = some_masks(out)
    if not partly:
        labelled = torch.ones_like(labelled)
    given = labelled if partly else None
    kept = labelled.flatten().tolist()
    assert mask_loss(out.logits, masks[:, :, 0], given).item() == pytest.approx(
        plain_bce(out.logits, masks, labelled), rel=1e-5
    )
    for distance, normalize in product(("kl", "euclidean"), (False, True)):
        for loss, plain in ((avm_audio, plain_avm_audio), (avm_visual, plain_avm_visual)):
            value = loss(out, stages, distance, given, normalize).item()
            assert value == pytest.approx(plain(out, stages, distance, kept, normalize), rel=1e-4)
    assert avm_cosine(out, stages, given).item() == pytest.approx(plain_avm_cosine(out, stages, kept), rel=1e-4)


def test_every_loss_reaches_what_it_should_teach():
    for loss, taught in ((avm_audio, 9), (avm_visual, 5), (avm_cosine, 8)):
        out = some_output()
        loss(out).backward()
        assert sum(leaf.grad is not None and bool(leaf.grad.abs().sum() > 0) for leaf in leaves(out)) == taught


@pytest.mark.parametrize("loss", AVM)
def test_unlabelled_frames_neither_count_nor_learn(loss):
    out = some_output()
    masks, labelled = some_masks(out)
    (mask_loss(out.logits, masks[:, :, 0], labelled) + loss(out, labelled=labelled)).backward()
    for leaf in leaves(out):
        if leaf.grad is not None:
            assert leaf.grad[~labelled].abs().sum() == 0


def test_kl_of_nearly_equal_vectors_keeps_its_digits():
    out = some_output(clips=1, frames=2, channels=256)
    with torch.no_grad():
        for features in out.features:
            features[:, 1] = features[:, 0] + 0.02 * features[:, 1]
        out.logits[:, 1] = out.logits[:, 0]
    for normalize in (False, True):
        expected = plain_avm_visual(out, (1, 2, 3, 4), "kl", [True, True], normalize)
        assert expected < 1e-4
        assert avm_visual(out, normalize=normalize).item() == pytest.approx(expected, rel=1e-4)


def test_vectors_are_raw_unless_asked_for():
    for loss in (avm_audio, avm_visual):
        assert loss(some_output()) == loss(some_output(), normalize=False) != loss(some_output(), normalize=True)


def test_kl_of_raw_vectors_far_apart_stays_finite():
    out = some_output()
    with torch.no_grad():
        for audio in out.audio:
            audio.mul_(200)
    value = avm_audio(out)
    value.backward()
    assert value.item() == pytest.approx(plain_avm_audio_far(out), rel=1e-5)
    assert all(leaf.grad.isfinite().all() for leaf in leaves(out))


def test_double_precision_stays():
    out = some_output()
    double = NetworkOutput(out.logits.double(), [f.double() for f in out.features], [a.double() for a in out.audio])
    masks, labelled = some_masks(out)
    assert mask_loss(double.logits, masks[:, :, 0], labelled).dtype == torch.float64
    for loss in AVM:
        assert loss(double).dtype == torch.float64


def test_no_labelled_frame_is_a_zero_with_a_graph():
    out = some_output()
    none = torch.zeros(3, 5, dtype=torch.bool)
    masks = torch.zeros_like(out.logits)
    losses = [mask_loss(out.logits, masks[:, :, 0], none), *(loss(out, labelled=none) for loss in AVM)]
    losses += [loss(out, distance="euclidean", labelled=none) for loss in (avm_audio, avm_visual)]
    total = sum(losses)
    total.backward()
    assert total.item() == 0
    assert out.logits.grad.abs().sum() == 0


def test_a_lone_frame_has_no_neighbour():
    out = some_output()
    one = torch.zeros(3, 5, dtype=torch.bool)
    one[1, 2] = True
    for distance in ("kl", "euclidean"):
        value = avm_visual(out, distance=distance, labelled=one)
        value.backward()
        assert value.item() == 0


def test_autocast_does_not_reach_the_losses():
    out = some_output()
    masks, labelled = some_masks(out)
    half = NetworkOutput(out.logits.bfloat16(), [f.bfloat16() for f in out.features], [a.bfloat16() for a in out.audio])
    full = NetworkOutput(half.logits.float(), [f.float() for f in half.features], [a.float() for a in half.audio])
    for loss in AVM:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(half)
        assert value.dtype == torch.float32
        assert value == loss(full)
    for enabled in (True, False):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            value = mask_loss(half.logits, masks[:, :, 0], labelled)
        assert value == mask_loss(full.logits, masks[:, :, 0], labelled)


def test_extreme_logits_stay_finite():
    out = some_output()
    with torch.no_grad():
        out.logits.mul_(1e4)
    masks, _ = some_masks(out)
    total = mask_loss(out.logits, masks[:, :, 0]) + sum(loss(out) for loss in AVM)
    total.backward()
    assert total.isfinite()
    assert all(leaf.grad.isfinite().all() for leaf in leaves(out))


@pytest.mark.parametrize("loss", AVM)
def test_stages_without_audio_are_named(loss):
    with pytest.raises(UserError, match=r"at stage 1, 2 \(stages with audio: 3, 4\)"):
        loss(some_output(heard=(3, 4)))
    with pytest.raises(UserError, match="no stage of this network has any"):
        loss(some_output(heard=()), stages=(4,))
    with pytest.raises(UserError, match="at stage 5"):
        loss(some_output(), stages=(4, 5))
    with pytest.raises(UserError, match="at least one stage"):
        loss(some_output(), stages=())


@pytest.mark.parametrize("loss", [avm_audio, avm_visual])
def test_unknown_distance(loss):
    with pytest.raises(
        UserError, match=r"avm_distance=euclid is unknown; did you mean euclidean\? \(allowed: kl, euclidean\)"
    ):
        loss(some_output(), distance="euclid")


# ---- two processes ----


class Net(torch.nn.Module):
    """Small parameters that make a whole `NetworkOutput`, so that gradients pass through every part of it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.maps = torch.nn.Conv2d(3, 1, 3, padding=1)
        self.features = torch.nn.ModuleList(torch.nn.Conv2d(3, 12, 3, padding=1) for _ in SIZES)
        self.audio = torch.nn.ModuleList(torch.nn.Linear(6, 12) for _ in SIZES)

    def forward(self, images, audio):
        b, t = images.shape[:2]
        frames = images.flatten(0, 1)
        return NetworkOutput(
            self.maps(frames).unflatten(0, (b, t)),
            [
                layer(torch.nn.functional.adaptive_avg_pool2d(frames, size)).relu().unflatten(0, (b, t))
                for layer, size in zip(self.features, SIZES)
            ],
            [layer(audio) for layer in self.audio],
        )


def global_batch():
    torch.manual_seed(1)
    images, audio = torch.randn(4, 5, 3, 32, 32), torch.randn(4, 5, 6)
    labelled = torch.zeros(4, 5, dtype=torch.bool)
    labelled[0, 0] = labelled[2:] = True  # one frame on the first process, ten on the second
    masks = (torch.rand(4, 5, 1, 32, 32) > 0.5).float() * labelled[:, :, None, None, None]
    return images, audio, masks, labelled


def losses_and_gradients(net, images, audio, masks, labelled):
    out = net(images, audio)
    losses = {"bce": mask_loss(out.logits, masks[:, :, 0], labelled), "cosine": avm_cosine(out, labelled=labelled)}
    for distance in ("kl", "euclidean"):
        for normalize in (False, True):
            name, options = f"{distance} {normalize}", {"distance": distance, "normalize": normalize}
            losses[f"audio {name}"] = avm_audio(out, labelled=labelled, **options)
            losses[f"visual {name}"] = avm_visual(out, labelled=labelled, **options)
    gradients = {}
    for name, loss in losses.items():
        net.zero_grad()
        loss.backward(retain_graph=True)
        gradients[name] = [p.grad.clone() if p.grad is not None else torch.zeros_like(p) for p in net.parameters()]
    return {name: loss.detach() for name, loss in losses.items()}, gradients


def half_batch(rank):
    """The mean of both processes' gradients, as DDP takes it; and a loss of this process alone, without gradients."""
    share = [tensor[2 * rank : 2 * rank + 2] for tensor in global_batch()]
    losses, gradients = losses_and_gradients(Net(), *share)
    for of_loss in gradients.values():
        for gradient in of_loss:
            torch.distributed.all_reduce(gradient)
            gradient /= 2
    with torch.no_grad():
        alone = mask_loss(share[2], share[2][:, :, 0], share[3])
    return losses, gradients, alone


def ddp_total(rank):
    net = torch.nn.parallel.DistributedDataParallel(Net())
    images, audio, masks, labelled = (tensor[2 * rank : 2 * rank + 2] for tensor in global_batch())
    out = net(images, audio)
    total = mask_loss(out.logits, masks[:, :, 0], labelled) + 0.5 * avm_audio(out, labelled=labelled)
    total.backward()
    return total.detach(), [p.grad for p in net.parameters()]


def both(rank):
    return half_batch(rank), ddp_total(rank)


def test_two_processes_equal_one(in_two_processes):
    losses, gradients = losses_and_gradients(Net(), *global_batch())
    for rank, ((of_losses, of_gradients, alone), (total, of_total)) in enumerate(in_two_processes(both)):
        for name, value in losses.items():
            torch.testing.assert_close(of_losses[name], value, rtol=1e-6, atol=1e-7)
            for one, other in zip(of_gradients[name], gradients[name]):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)
        torch.testing.assert_close(total, losses["bce"] + 0.5 * losses["audio kl False"], rtol=1e-6, atol=1e-7)
        for one, bce, audio in zip(of_total, gradients["bce"], gradients["audio kl False"]):
            torch.testing.assert_close(one, bce + 0.5 * audio, rtol=1e-4, atol=1e-7)
        share = [tensor[2 * rank : 2 * rank + 2] for tensor in global_batch()]
        assert alone == mask_loss(share[2], share[2][:, :, 0], share[3])  # in evaluation, nothing is gathered


def test_the_loss_of_several_classes_is_the_cross_entropy_of_labelled_frames():
    generator = torch.Generator().manual_seed(3)
    logits, labels = torch.randn(2, 3, 4, 8, 8, generator=generator), torch.randint(4, (2, 3, 8, 8)).byte()
    labelled = torch.tensor([[True, False, True], [False, False, True]])
    expected = 0.0
    for clip, t in labelled.nonzero().tolist():
        p = logits[clip, t].softmax(0)
        expected -= p.gather(0, labels[clip, t][None].long()).log().mean().item() / 3
    assert mask_loss(logits, labels, labelled).item() == pytest.approx(expected, rel=1e-5)
    assert mask_loss(logits, labels, torch.zeros(2, 3)) == 0


@pytest.mark.parametrize("loss", [avm_audio, avm_visual])
def test_of_several_classes_what_is_not_background_is_matched_with_the_sound(loss):
    out = some_output()
    logits = torch.randn(3, 5, 4, 64, 64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    several = NetworkOutput(logits, out.features, out.audio)
    # A binary mask weighs by the sigmoid of pooled logits: these make it the share of pixels that are not background.
    shares = (logits.argmax(2, keepdim=True) > 0).double().detach()
    for stage, size in enumerate(SIZES, start=1):
        share = torch.nn.functional.adaptive_avg_pool2d(shares.flatten(0, 1), size).clamp(1e-9, 1 - 1e-9)
        same = NetworkOutput(share.logit().unflatten(0, (3, 5)), [z.double() for z in out.features], out.audio)
        assert loss(several, [stage]).item() == pytest.approx(loss(same, [stage]).item(), rel=1e-4)
    loss(several).backward()
    assert logits.grad is None
