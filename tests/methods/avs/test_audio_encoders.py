import pytest
import torch

from avs_lightning.errors import UserError
from avs_lightning.methods.avs import SmallAudioEncoder, VGGish, audio_encoders, build_audio_encoder


def test_small_encoder_is_small_and_keeps_leading_axes():
    encoder = SmallAudioEncoder()
    assert 100_000 < sum(p.numel() for p in encoder.parameters()) < 300_000
    x = torch.randn(2, 3, 1, 96, 64)
    embeddings = encoder(x)
    assert embeddings.shape == (2, 3, 128)
    torch.testing.assert_close(embeddings[1, 2], encoder(x[1, 2]))


def test_small_encoder_learns_to_tell_mixed_bands_apart():
    """Four bands of noise, any of which may sound: after a few steps the embedding tells which do."""
    torch.manual_seed(0)
    encoder, head = SmallAudioEncoder(), torch.nn.Linear(128, 4)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], 1e-3)

    def patches(n):
        active = torch.randint(0, 2, (n, 4)).float()
        band = active.repeat_interleave(16, dim=1)[:, None, None]
        return -4 + band * (3 + torch.randn(n, 1, 96, 64)) + 0.3 * torch.randn(n, 1, 96, 64), active

    for _ in range(20):
        x, active = patches(16)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(head(encoder(x)), active)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, active = patches(64)
    assert ((head(encoder(x)) > 0) == active.bool()).float().mean() > 0.95


def test_frozen_and_unknown():
    assert not any(p.requires_grad for p in build_audio_encoder("small", frozen=True).parameters())
    assert all(p.requires_grad for p in build_audio_encoder("small", frozen=False).parameters())
    with pytest.raises(UserError, match=r"audio_encoder=vgish .*did you mean vggish.*vggish, small"):
        build_audio_encoder("vgish")


def test_weights_from_a_file(tmp_path):
    encoder = SmallAudioEncoder()
    torch.save(encoder.state_dict(), tmp_path / "small.pt")
    loaded = build_audio_encoder("small", str(tmp_path / "small.pt"))
    assert all(
        torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), encoder.state_dict().values(), strict=True)
    )


def test_published_weights_are_fetched_for_vggish_only(tmp_path, monkeypatch):
    published = VGGish()
    torch.save(published.state_dict(), tmp_path / "vggish.pth")
    asked = []

    def fetch(url, path, sha256):
        asked.append((url.rsplit("/", 1)[1], path.name, sha256))
        return tmp_path / "vggish.pth"

    monkeypatch.setattr(audio_encoders, "fetch", fetch)
    assert torch.equal(build_audio_encoder("vggish", "vggish").embeddings[4].bias, published.embeddings[4].bias)
    assert asked == [("vggish-10086976.pth", "vggish-10086976.pth", "10086976")]
    with pytest.raises(UserError, match=r"audio_encoder\.weights=vggish.*'small'"):
        build_audio_encoder("small", "vggish")
