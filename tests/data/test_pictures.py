from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from avs_lightning.data.pictures import denormalise, read_frame, read_mask
from avs_lightning.errors import UserError

SIZE = 16


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def frame(path: Path) -> torch.Tensor:
    out = torch.empty(3, SIZE, SIZE)
    read_frame(path, SIZE, out)
    return out


def square() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
    mask[2:7, 4:9] = 1
    return mask


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_frames_are_normalised(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels(SIZE, SIZE, 3)).save(path)
    rgb = np.asarray(Image.open(path)) / 255
    expected = (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(frame(path).permute(1, 2, 0), expected, rtol=0, atol=0.03 if suffix == "jpg" else 1e-5)
    np.testing.assert_allclose(denormalise(frame(path)).permute(1, 2, 0), rgb, rtol=0, atol=0.01)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_other_kinds_of_frames_are_read_as_rgb(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(pixels(SIZE, SIZE, 3)).convert(mode)
    picture.save(tmp_path / "a.png")
    expected = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1) / 255
    torch.testing.assert_close(denormalise(frame(tmp_path / "a.png")), expected)


def masks() -> dict[str, Image.Image]:
    one = square()
    palette = Image.fromarray(one, mode="P")
    palette.putpalette([0, 0, 0, 0, 0, 0])  # index 1 is black, as index 0 is
    red = np.zeros((SIZE, SIZE, 4), dtype=np.uint8)
    red[..., 0], red[..., 3] = one, 255
    return {
        "1-bit": Image.fromarray(one * 255).convert("1"),
        "palette with a black foreground": palette,
        "grey of value 1": Image.fromarray(one),
        "grey with opaque alpha": Image.merge("LA", (Image.fromarray(one), Image.new("L", (SIZE, SIZE), 255))),
        "colour": Image.fromarray(red[..., :3]),
        "colour with opaque alpha": Image.fromarray(red),
        "16-bit": Image.fromarray(one.astype(np.uint16) * 256),
    }


@pytest.mark.parametrize("kind", masks())
def test_any_value_but_zero_sounds(tmp_path: Path, kind: str) -> None:
    masks()[kind].save(tmp_path / "m.png")
    mask = read_mask(tmp_path / "m.png", SIZE)
    assert torch.equal(mask, torch.from_numpy(square()) > 0)


@pytest.mark.parametrize("read", [frame, lambda path: read_mask(path, SIZE)], ids=["frame", "mask"])
@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated", "header only", "bit flip"])
def test_damaged_pictures_are_named(tmp_path: Path, read, damage: str) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(pixels(SIZE, SIZE, 3)).save(path)
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 8
    damaged = {
        "empty": b"",
        "text": b"no picture",
        "truncated": data[: len(data) // 2],
        "header only": data[:40],
        "bit flip": bytes(flipped),
    }
    path.write_bytes(damaged[damage]) if damage != "missing" else path.unlink()
    with pytest.raises(UserError, match="missing" if damage == "missing" else "cannot be read as a picture") as error:
        read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "read, cure",
    [(frame, r"set data\.image_size"), (lambda path: read_mask(path, SIZE), "as large as its frame")],
    ids=["frame", "mask"],
)
def test_another_size_names_both_sizes_and_the_cure(tmp_path: Path, read, cure: str) -> None:
    Image.fromarray(pixels(24, 20, 3)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=rf"a\.png is 20x24 pixels, expected 16x16: .*{cure}"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_frame_is_resized_as_a_whole_and_tells_what_it_was(tmp_path: Path, depth: int) -> None:
    halves = np.zeros((30, 40), np.uint8 if depth == 8 else np.uint16)
    halves[:, 20:] = 2**depth - 1
    Image.fromarray(halves).save(tmp_path / "a.png")
    out = torch.empty(3, SIZE, SIZE)
    assert read_frame(tmp_path / "a.png", SIZE, out, resize=True) == (40, 30)
    assert torch.equal(denormalise(out)[:, :, [0, -1]].round(), torch.tensor([0.0, 1.0]).expand(3, SIZE, 2))
    assert denormalise(out).mean() == pytest.approx(0.5, abs=1e-3)


def test_a_mask_is_resized_to_values_that_it_has(tmp_path: Path) -> None:
    values = np.repeat(np.array([0, 3, 1, 2], np.uint8), 10)[None].repeat(30, 0)
    Image.fromarray(values).save(tmp_path / "a.png")
    labels = read_mask(tmp_path / "a.png", SIZE, classes=4, frame=(40, 30))
    assert labels.dtype == torch.uint8
    assert torch.equal(
        labels, torch.tensor([0, 3, 1, 2], dtype=torch.uint8).repeat_interleave(SIZE // 4).expand(SIZE, SIZE)
    )


@pytest.mark.parametrize("mode", ["L", "P", "LA"])
def test_of_several_classes_a_mask_holds_their_indices(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(np.arange(4, dtype=np.uint8).repeat(SIZE * SIZE // 4).reshape(SIZE, SIZE))
    if mode == "P":
        picture = Image.fromarray(np.asarray(picture), mode="P")
        picture.putpalette([0, 0, 0, 0, 0, 0, 9, 9, 9, 5, 5, 5])  # colours say nothing
    if mode == "LA":
        alpha = Image.new("L", picture.size, 255)
        alpha.paste(0, (0, 8, SIZE, SIZE))  # 2 and 3 are not seen
        picture.putalpha(alpha)
    picture.save(tmp_path / "a.png")
    found = read_mask(tmp_path / "a.png", SIZE, classes=4)
    assert found.unique().tolist() == ([0, 1] if mode == "LA" else [0, 1, 2, 3])
    assert read_mask(tmp_path / "a.png", SIZE).unique().tolist() == [0, 1]


def test_a_value_without_a_class_and_colours_instead_of_values_are_refused(tmp_path: Path) -> None:
    Image.new("L", (SIZE, SIZE), 255).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png has the value 255, and there are 4 classes, 0 to 3"):
        read_mask(tmp_path / "a.png", SIZE, classes=4)
    Image.new("RGB", (SIZE, SIZE), (0, 1, 0)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png holds colours"):
        read_mask(tmp_path / "a.png", SIZE, classes=4)
