"""Checkpoints to methods, without a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.networks import tiny_avs

import avs_lightning
from avs_lightning.data import collate_clips
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVS, AVSMethod
from avs_lightning.methods.avs.released import to_reference
from avs_lightning.methods.loading import load_entries, load_method, read_checkpoint, start_from, without_weights

SMALL = {"name": "small", "weights": "none", "frozen": False}


@pytest.fixture
def build() -> Callable[..., AVSMethod]:
    def method(seed: int = 0, **network: Any) -> AVSMethod:
        torch.manual_seed(seed)
        return tiny_avs({"avm_weight": 0.0}, **network)

    return method


def save(method: AVSMethod, path: Path, name: str = "avs_lightning.methods.avs.AVSMethod") -> Path:
    content = {
        "avs_method": name,
        "hyper_parameters": dict(method.hparams),
        "state_dict": method.state_dict(),
    }
    torch.save(content, path)
    return path


def test_a_method_rebuilds_itself(build: Callable, tmp_path: Path) -> None:
    method = build(stages=(2, 4), scope="frame")
    loaded = load_method(save(method, tmp_path / "a.ckpt"))
    assert not loaded.training
    assert loaded.network.hyper_parameters == method.network.hyper_parameters  # type: ignore[union-attr]
    torch.testing.assert_close(loaded.state_dict(), method.state_dict(), rtol=0, atol=0)


def test_a_checkpoint_from_before_stochastic_depth_and_raw_vectors_still_loads(build: Callable, tmp_path: Path) -> None:
    method = build(drop_path=0.2)
    assert load_method(save(method, tmp_path / "a.ckpt")).network.hyper_parameters["drop_path"] == 0.2  # type: ignore[union-attr]
    del method.hparams["encoder"]["drop_path"]
    assert load_method(save(method, tmp_path / "b.ckpt")).network.hyper_parameters["drop_path"] == 0  # type: ignore[union-attr]


def test_its_weights_are_not_fetched_again(build: Callable) -> None:
    hyper_parameters = {"encoder": {"weights": "imagenet"}, "audio_encoder": {"weights": "vggish"}, "loss": {}}
    plain = without_weights(hyper_parameters)
    assert plain == {"encoder": {"weights": "none"}, "audio_encoder": {"weights": "none"}, "loss": {}}
    assert hyper_parameters["encoder"] == {"weights": "imagenet"}
    assert without_weights(hyper_parameters, ["audio_encoder"])["audio_encoder"] == {"weights": "vggish"}


def test_a_method_of_another_package(build: Callable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"avs_method\._target_=other\.Method, and is not trusted"):
        load_method(save(build(), tmp_path / "a.ckpt", name="other.Method"))


def test_entries_that_do_not_fit_are_listed(build: Callable) -> None:
    method = build()
    entries = method.state_dict()
    with pytest.raises(
        UserError, match=r"x.ckpt is a checkpoint of another architecture: missing network\.\S+;"
    ) as all_:
        load_entries(method, {}, "x.ckpt")
    assert f"and {len(entries) - 8} more" in str(all_.value)
    first, second = list(entries)[:2]
    changed = {**entries, second: torch.zeros(3, 7), "new": torch.zeros(1)}
    del changed[first]
    with pytest.raises(UserError) as few:
        load_entries(method, changed, "x.ckpt")
    shape = list(entries[second].shape)
    expected = f"missing {first}; unexpected new; {second} is [3, 7], expected {shape}"
    assert str(few.value) == f"x.ckpt is a checkpoint of another architecture: {expected}"


def test_starting_takes_what_fits_and_keeps_the_rest(build: Callable, tmp_path: Path) -> None:
    source, method = build(seed=1, stages=(4,)), build(seed=2, stages=(3, 4))
    before = {name: value.clone() for name, value in method.state_dict().items()}
    start = start_from(method, save(source, tmp_path / "a.ckpt"))
    assert set(start.taken) == set(source.state_dict())
    assert start.kept
    assert all(name.startswith("network.fusion.3.") for name in start.kept)
    assert not start.left
    after = method.state_dict()
    assert all(torch.equal(after[name], source.state_dict()[name]) for name in start.taken)
    assert all(torch.equal(after[name], before[name]) for name in start.kept)


def test_a_start_leaves_out_what_has_no_place(build: Callable, tmp_path: Path) -> None:
    start = start_from(build(stages=(4,)), save(build(stages=(3, 4)), tmp_path / "a.ckpt"))
    assert not start.kept
    assert start.left
    assert all(name.startswith("network.fusion.3.") for name in start.left)


def test_starting_from_another_encoder_is_refused(build: Callable, tmp_path: Path) -> None:
    file = save(build(encoder="test_convnext"), tmp_path / "a.ckpt")
    method = build()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    with pytest.raises(UserError, match=r"init\.checkpoint=.*another encoder \(test_convnext\).*encoder="):
        start_from(method, file)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    start_from(build(channels=16), save(build(), tmp_path / "b.ckpt"))  # another decoder is none of its business


@pytest.mark.parametrize("fusion", [{"visual": True}, {"audio": False, "visual": True}])
def test_what_an_own_checkpoint_says_of_its_fusion_is_not_contradicted(
    build: Callable, tmp_path: Path, fusion: dict[str, bool]
) -> None:
    with pytest.raises(UserError, match=r"fusion\.\w+=\w+: .*carries its own network"):
        load_method(save(build(), tmp_path / "a.ckpt"), fusion=fusion)
    load_method(save(build(), tmp_path / "a.ckpt"), fusion={"audio": True, "visual": None})
    with pytest.raises(UserError, match=r"fusion\.visual=perhaps: true or false"):
        load_method(tmp_path / "a.ckpt", fusion={"visual": "perhaps"})


def test_starting_from_something_else(build: Callable, tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    torch.save({"hyper_parameters": {}, "state_dict": {"network.x": torch.zeros(1)}}, file)
    with pytest.raises(UserError, match="holds another encoder"):
        start_from(build(), file)
    torch.save({"resnet.conv1.weight": torch.zeros(1)}, file)
    with pytest.raises(UserError, match=f"{file}: "):
        start_from(build(), file)
    torch.save([torch.zeros(1)], file)
    with pytest.raises(UserError, match="holds a list, not a checkpoint"):
        start_from(build(), file)


@pytest.mark.slow
def test_a_released_checkpoint_becomes_a_method(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = AVS("pvt_v2_b5", stages=(4,))
    file = tmp_path / "S4_pvt.pth"
    torch.save(to_reference(network), file)
    method = load_method(file, audio_encoder=SMALL)
    assert isinstance(method, AVSMethod)
    assert method.network.hyper_parameters["encoder"] == "pvt_v2_b5"
    assert method.network.stages == (4,)
    torch.testing.assert_close(method.network.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "empty.ckpt"
    file.touch()
    with pytest.raises(UserError, match=f"{file} cannot be read as a checkpoint.*best.ckpt and last.ckpt"):
        read_checkpoint(file)


def test_a_run_is_loaded_by_its_folder_and_predicts(tiny_run: Path, tiny_ms3: Path) -> None:
    data = avs_lightning.data.MS3DataModule(tiny_ms3, image_size=32)
    batch = collate_clips([data.dataset("test")[0]])
    out = avs_lightning.load_method(tiny_run)(batch)
    assert out.logits.shape == (1, 5, 1, 32, 32)
    assert "logits=(1, 5, 1, 32, 32)" in repr(out)
    assert "images=(1, 5, 3, 32, 32)" in repr(batch)
    assert max(len(repr(out)), len(repr(batch))) < 600
