"""Checkpoints that name frozen published weights instead of holding them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.networks import tiny_avs

from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.methods.loading import load_method, start_from
from avs_lightning.methods.published import KEY, entries_hash, leave_out, whole_entries

PUBLISHED = {"name": "vggish", "weights": "vggish", "frozen": True}


def build(**audio_encoder: Any) -> AVSMethod:
    return tiny_avs({"avm_weight": 0.0}, {**PUBLISHED, **audio_encoder}, stages=[4])


def save(method: AVSMethod, path: Path) -> Path:
    content = {
        "avs_method": "avs_lightning.methods.avs.AVSMethod",
        "hyper_parameters": dict(method.hparams),
        "state_dict": method.state_dict(),
    }
    leave_out(content, method.published)
    torch.save(content, path)
    return path


def held(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in torch.load(path, weights_only=True)["state_dict"]}


def test_a_checkpoint_leaves_out_what_is_published_and_is_whole_again(published_vggish: Path, tmp_path: Path) -> None:
    method = build()
    file = save(method, tmp_path / "a.ckpt")
    assert held(file) == {"network"}
    loaded = load_method(file)
    torch.testing.assert_close(loaded.state_dict(), method.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(
        loaded.audio_encoder.state_dict(), torch.load(published_vggish, weights_only=True), rtol=0, atol=0
    )


@pytest.mark.parametrize("setting", [{"frozen": False}, {"weights": "none"}])
def test_what_is_trained_or_drawn_is_held(published_vggish: Path, tmp_path: Path, setting: dict[str, Any]) -> None:
    method = build(**setting)
    assert not method.published
    assert held(save(method, tmp_path / "a.ckpt")) == {"network", "audio_encoder"}


def test_a_file_of_ones_own_is_held(published_vggish: Path, tmp_path: Path) -> None:
    assert held(save(build(weights=str(published_vggish)), tmp_path / "a.ckpt")) == {"network", "audio_encoder"}


def test_other_weights_in_its_place_are_held(published_vggish: Path, tmp_path: Path) -> None:
    method = build()
    start_from(method, save(build(frozen=False, weights="none"), tmp_path / "trained.ckpt"))
    file = save(method, tmp_path / "a.ckpt")
    assert held(file) == {"network", "audio_encoder"}
    torch.testing.assert_close(load_method(file).state_dict(), method.state_dict(), rtol=0, atol=0)


def test_a_start_takes_what_the_checkpoint_names(published_vggish: Path, tmp_path: Path) -> None:
    source = build()
    file = save(source, tmp_path / "a.ckpt")
    for method in (build(), build(frozen=False), build(frozen=False, weights="none")):
        start = start_from(method, file)
        assert not start.kept
        torch.testing.assert_close(method.state_dict(), source.state_dict(), rtol=0, atol=0)


def test_without_the_published_file_the_cure_is_named(
    published_vggish: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save(build(), tmp_path / "a.ckpt")
    monkeypatch.setattr("avs_lightning.methods.avs.audio_encoders.VGGISH_URL", "http://127.0.0.1:9/vggish.pth")
    published_vggish.unlink()
    with pytest.raises(UserError, match=r"a\.ckpt.*vggish\.pth.*put it at"):
        load_method(file)


def test_other_published_weights_are_refused(published_vggish: Path) -> None:
    method = build()
    content = {"state_dict": {}, KEY: {"audio_encoder": "0" * 64}}
    with pytest.raises(UserError, match="other weights of its audio encoder"):
        whole_entries(content, method, method.published)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_the_hash_sees_name_type_shape_and_value(dtype: torch.dtype) -> None:
    value = torch.tensor([[0, 1], [1, 0]], dtype=dtype)
    others = [{"b": value}, {"a": value.T.flatten()}, {"a": ~value if dtype == torch.bool else value + 1}, {}]
    hashes = {entries_hash(entries) for entries in [{"a": value}, *others]}
    assert len(hashes) == 5
    assert entries_hash({"a": value.T.clone().T}) == entries_hash({"a": value})
    assert entries_hash({"a": torch.tensor(1.0)}) != entries_hash({"a": torch.tensor(2.0)})
