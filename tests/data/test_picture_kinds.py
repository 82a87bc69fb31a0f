"""Every depth, colour mode and transparency of frames and masks: read right, or refused and found by the check."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from avs_lightning.data import MultiSourceDataset
from avs_lightning.data.check import check_dataset
from avs_lightning.data.pictures import denormalise, read_frame, read_mask
from avs_lightning.errors import UserError

SIZE = 32
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
DEPTHS = [
    *((kind, depth) for kind in (GREY, PALETTE) for depth in (1, 2, 4, 8)),
    *((kind, depth) for kind in (RGB, GREY_ALPHA, RGB_ALPHA) for depth in (8, 16)),
    (GREY, 16),
]


def png(values: np.ndarray, colour: int, depth: int, palette: np.ndarray | None = None, trns: bytes = b"") -> bytes:
    """Write [H, W, channels] integers as a PNG of any kind, by its specification alone."""
    height, width = values.shape[:2]
    rows = values.reshape(height, -1)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        lines = [np.packbits(row.ravel()).tobytes() for row in bits]

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header)]
    chunks += [chunk(b"PLTE", palette.astype(np.uint8).tobytes())] if palette is not None else []
    chunks += [chunk(b"tRNS", trns)] if trns else []
    pixels = zlib.compress(b"".join(b"\0" + line for line in lines))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b"")])


def channels(colour: int) -> int:
    return {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}[colour]


def square() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE, 1), dtype=np.int64)
    mask[2:7, 4:9] = 1
    return mask


def frame(path: Path) -> torch.Tensor:
    out = torch.empty(3, SIZE, SIZE)
    read_frame(path, SIZE, out)
    return denormalise(out)


@pytest.fixture
def set_with(tmp_path: Path, official_ms3: Callable[..., Path]) -> Callable[[str, bytes], Path]:
    """`set_with("frame" or "mask", content)`: a data set with one file of this content; returns its root."""
    root = official_ms3(tmp_path, size=SIZE)
    places = {"frame": "visual_frames/val*/*_2.png", "mask": "gt_masks/val/*/*_2.png"}

    def write(kind: str, content: bytes) -> Path:
        (path,) = (root / "Multi-sources" / "ms3_data").glob(places[kind])
        path.write_bytes(content)
        return root

    return write


def found_by_check(root: Path) -> list[str]:
    return [problem.kind for problem in check_dataset(root, image_size=SIZE, progress=False)]


@pytest.mark.parametrize("colour, depth", DEPTHS)
def test_a_frame_of_any_depth_and_mode_is_read_in_its_colours(tmp_path: Path, colour: int, depth: int) -> None:
    draw, top = np.random.default_rng(0), 2**depth - 1
    values = draw.integers(0, top + 1, (SIZE, SIZE, channels(colour)))
    palette = draw.integers(0, 256, (top + 1, 3)) if colour == PALETTE else None
    (tmp_path / "a.png").write_bytes(png(values, colour, depth, palette))
    shown = palette[values[..., 0]] / 255 if palette is not None else values / top
    if colour in (GREY_ALPHA, RGB_ALPHA):
        shown = shown[..., :-1]  # what is stored counts, however transparent
    expected = np.broadcast_to(shown, (SIZE, SIZE, 3))
    np.testing.assert_allclose(frame(tmp_path / "a.png").permute(1, 2, 0), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_of_any_mode_is_read_as_a_frame(tmp_path: Path, mode: str) -> None:
    soft = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(soft).resize((SIZE, SIZE), Image.Resampling.BICUBIC).convert(mode)
    picture.save(tmp_path / "a.png", "JPEG", quality=95)
    expected = np.asarray(picture.convert("RGB")) / 255
    np.testing.assert_allclose(frame(tmp_path / "a.png").permute(1, 2, 0), expected, rtol=0, atol=0.1)


def test_the_same_frame_in_8_and_16_bits_is_the_same(shared: Path) -> None:
    out = torch.empty(2, 3, 64, 64)
    for number, depth in enumerate((8, 16)):
        read_frame(shared / "cases" / f"frame_{depth}bit.png", 64, out[number])
    torch.testing.assert_close(out[0], out[1], rtol=0, atol=0.02)  # 8 bits are 1/255 apart, over a deviation of 0.22


@pytest.mark.parametrize("value", ["least", "most"])
@pytest.mark.parametrize("colour, depth", DEPTHS)
def test_a_mask_of_any_depth_and_mode_sounds_where_it_is_not_zero(
    tmp_path: Path, colour: int, depth: int, value: str
) -> None:
    top = 2**depth - 1
    values = np.zeros((SIZE, SIZE, channels(colour)), dtype=np.int64)
    values[..., :1] = square() * (1 if value == "least" else top)
    if colour in (GREY_ALPHA, RGB_ALPHA):
        values[..., -1] = top
    black = np.zeros((top + 1, 3)) if colour == PALETTE else None  # the index counts, not the colour
    (tmp_path / "m.png").write_bytes(png(values, colour, depth, black))
    assert torch.equal(read_mask(tmp_path / "m.png", SIZE).bool(), torch.from_numpy(square()[..., 0] > 0))


def drawn(alpha: np.ndarray, white: np.ndarray, top: int = 255) -> np.ndarray:
    return np.concatenate([np.repeat(white, 3, axis=-1), alpha], axis=-1) * top


@pytest.mark.parametrize("colour, depth", [(GREY_ALPHA, 8), (GREY_ALPHA, 16), (RGB_ALPHA, 8), (RGB_ALPHA, 16)])
def test_transparent_pixels_of_a_mask_do_not_sound(tmp_path: Path, colour: int, depth: int) -> None:
    values = drawn(square(), np.ones_like(square()), 2**depth - 1)[..., -channels(colour) :]
    (tmp_path / "m.png").write_bytes(png(values, colour, depth))
    assert torch.equal(read_mask(tmp_path / "m.png", SIZE).bool(), torch.from_numpy(square()[..., 0] > 0))


def test_a_mask_that_was_drawn_in_the_alpha_channel_sounds_where_it_was_drawn(shared: Path) -> None:
    assert read_mask(shared / "cases" / "mask_in_alpha.png", 64).sum() == 1_024


def test_a_palette_may_call_its_background_transparent(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(png(square(), PALETTE, 8, np.zeros((2, 3)), trns=bytes([0, 255])))
    assert read_mask(tmp_path / "m.png", SIZE).sum() == 25
    empty = np.zeros((SIZE, SIZE, 4))
    (tmp_path / "m.png").write_bytes(png(empty, RGB_ALPHA, 8))
    assert not read_mask(tmp_path / "m.png", SIZE).any()


def saved(tmp_path: Path, picture: Image.Image, kind: str, **options: object) -> bytes:
    picture.save(tmp_path / "saved", kind, **options)
    return (tmp_path / "saved").read_bytes()


def refused(tmp_path: Path) -> dict[str, tuple[str, bytes]]:
    """By what it is: "frame" or "mask", and a content that training cannot read right."""
    grey, black = Image.fromarray((square()[..., 0] * 255).astype(np.uint8)), np.zeros_like(square())
    return {
        "an animation": ("frame", saved(tmp_path, grey, "GIF", save_all=True, append_images=[grey.rotate(90)])),
        "a 32-bit TIFF": ("frame", saved(tmp_path, grey.convert("F"), "TIFF")),
        "a TIFF mask": ("mask", saved(tmp_path, grey.convert("I"), "TIFF")),
        "a JPEG mask": ("mask", saved(tmp_path, grey, "JPEG")),
        "a transparent grey": ("mask", png(square(), GREY, 8, trns=struct.pack(">H", 1))),
        "a transparent colour": ("mask", png(np.repeat(square(), 3, -1), RGB, 16, trns=struct.pack(">HHH", 1, 1, 1))),
        "black on transparent": ("mask", png(drawn(square(), black), RGB_ALPHA, 8)),
        "a transparent foreground": ("mask", png(square(), PALETTE, 8, np.zeros((2, 3)), trns=bytes([255, 0]))),
    }


@pytest.mark.parametrize(
    "what",
    [
        "an animation",
        "a 32-bit TIFF",
        "a TIFF mask",
        "a JPEG mask",
        "a transparent grey",
        "a transparent colour",
        "black on transparent",
        "a transparent foreground",
    ],
)
def test_what_cannot_be_read_right_is_refused_and_found(
    tmp_path: Path, set_with: Callable[[str, bytes], Path], what: str
) -> None:
    kind, content = refused(tmp_path)[what]
    root = set_with(kind, content)
    with pytest.raises(UserError, match=rf"{kind} .*_2\.png"):
        MultiSourceDataset(root, "val", SIZE)[0]
    assert found_by_check(root) == [f"{kind} unreadable"]


@pytest.mark.parametrize("kind", ["frame", "mask"])
@pytest.mark.parametrize("colour, depth", DEPTHS)
def test_the_check_passes_what_training_reads(
    set_with: Callable[[str, bytes], Path], kind: str, colour: int, depth: int
) -> None:
    values = np.repeat(square() * (2**depth - 1), channels(colour), axis=-1)
    if colour in (GREY_ALPHA, RGB_ALPHA):
        values[..., -1] = 2**depth - 1
    root = set_with(kind, png(values, colour, depth, np.zeros((2**depth, 3)) if colour == PALETTE else None))
    assert MultiSourceDataset(root, "val", SIZE)[0].labels[1].any()
    assert found_by_check(root) == []


def test_the_check_notes_transparent_frames(set_with: Callable[[str, bytes], Path]) -> None:
    root = set_with("frame", png(drawn(square(), np.ones_like(square())), RGB_ALPHA, 8))
    (note,) = check_dataset(root, image_size=SIZE, progress=False)
    assert (note.kind, note.note) == ("frame transparent", True)
    assert f"{SIZE * SIZE - 25:,} transparent pixels" in note.detail


@pytest.mark.parametrize("depth", [4, 8, 16])
def test_the_check_finds_soft_edges_of_a_mask(set_with: Callable[[str, bytes], Path], depth: int) -> None:
    soft = square() * (2**depth - 1)
    soft[1, 4:9] = 3
    root = set_with("mask", png(soft, GREY, depth))
    (problem,) = check_dataset(root, image_size=SIZE, progress=False)
    assert problem.kind == "mask values"
    assert "3 different values" in problem.detail
    assert "all but 0 sound" in problem.detail
    assert MultiSourceDataset(root, "val", SIZE)[0].labels[1].sum() == 30
