"""Real pictures in folders: which are read, what is answered to others, and what a network is shown of them."""

import io
import json
import os
import struct
import weakref
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import gevaldi
from conftest import called
from gevaldi.classifiers import load_classifier
from gevaldi.errors import DataError, SpecError
from gevaldi.generators import load_generator
from gevaldi.images import in_eight_bits, open_picture
from gevaldi.pictures import load_pictures, sources
from gevaldi.pictures.base import Files

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 32 32
%%EndComments
(canary) (w) file (it ran) writestring
showpage
%%EOF
"""


def picture(form: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (12, 10), seed: int = 0) -> bytes:
    levels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    sink = io.BytesIO()
    Image.fromarray(levels).convert(mode).save(sink, form)
    return sink.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width: int, height: int) -> bytes:
    """A whole PNG of a few bytes whose header announces these sides."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def refused(folder: Path, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_pictures(f"folder:{folder}", (3, 8, 8))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_postscript_file_under_a_pictures_name_reaches_no_interpreter(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **kwargs: pytest.fail("Ghostscript was asked"))
    (tmp_path / f"x{suffix}").write_bytes(POSTSCRIPT)
    refused(tmp_path, "cannot be read as a picture: it is none of BMP, JPEG, PNG, WEBP. Remove it or mend it")


@pytest.mark.parametrize("form", ["GIF", "TIFF", "ICO", "PPM", "PCX", "TGA", "PDF", "IM", "SGI", "EPS", "JPEG2000"])
def test_pictures_of_other_formats_are_refused_whatever_their_name(tmp_path: Path, form: str) -> None:
    (tmp_path / "x.png").write_bytes(picture(form))
    refused(tmp_path, r"x\.png cannot be read as a picture: it is none of")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1", "CMYK"])
def test_the_four_formats_are_read_in_all_modes_whatever_their_name(tmp_path: Path, form: str, mode: str) -> None:
    if (mode == "CMYK" and form != "JPEG") or (mode in ("P", "RGBA") and form == "JPEG"):
        pytest.skip("the format has no such mode")
    content = picture(form, mode)
    for suffix in SUFFIXES:
        (tmp_path / f"x{suffix}").write_bytes(content)
    found = load_pictures(f"folder:{tmp_path}", (3, 10, 12)).pictures
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=np.float32) / 255
    assert len(found) == len(SUFFIXES)
    assert all(np.array_equal(one.movedim(0, -1).numpy(), expected) for one in found)


LEVELS = np.random.default_rng(2).integers(0, 256, (10, 12, 3), np.uint8)
EIGHT = Image.fromarray(LEVELS)
MADE = {"I": "int32", "I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2"}  # modes of 16 bits, by NumPy's type


def in_mode(mode: str) -> Image.Image:
    """The picture of 8 bits in another mode: where that has 16 bits, 255 becomes 65,535."""
    if mode not in MADE:
        return EIGHT.convert(mode)
    levels = (np.asarray(EIGHT.convert("L")).astype(np.int64) * 257).astype(MADE[mode])
    return Image.frombuffer(mode, EIGHT.size, levels.tobytes(), "raw", mode, 0, 1)


@pytest.mark.parametrize("mode", Image.MODES)
def test_a_picture_in_any_mode_of_pillow_is_what_it_is_in_8_bits_or_refused(mode: str) -> None:
    given = in_mode(mode)
    if mode == "F":
        with pytest.raises(ValueError, match="whose range is not known"):
            in_eight_bits(given)
        return
    expected = EIGHT.convert("L" if mode in MADE or mode == "La" else mode).convert("RGB")
    found = in_eight_bits(given)
    assert found.mode in ("L", "RGB")
    assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(expected))


def depths() -> Iterator[tuple[str, bytes]]:
    """PNGs of 16 bits as they come from elsewhere, written by hand: with and without colour and transparency."""
    for name, kind, channels in (
        ("grey", 0, [0]),
        ("colour", 2, [0, 1, 2]),
        ("grey and alpha", 4, [0, 3]),
        ("colour and alpha", 6, [0, 1, 2, 3]),
    ):
        levels = np.dstack([LEVELS, np.full(LEVELS.shape[:2], 128, np.uint8)])[..., channels].astype(np.int64)
        lines = b"".join(b"\0" + line.tobytes() for line in (levels * 256 + 77).astype(">u2"))
        head = struct.pack(">IIBBBBB", 12, 10, 16, kind, 0, 0, 0)
        yield name, chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("name", "chunks"), list(depths()))
def test_a_png_of_16_bits_is_read_as_the_same_in_8(tmp_path: Path, name: str, chunks: bytes) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    (found,) = load_pictures(f"folder:{tmp_path}", (3, 10, 12)).pictures
    expected = LEVELS if "colour" in name else LEVELS[..., :1].repeat(3, 2)
    assert np.array_equal((found.movedim(0, -1) * 255).round().numpy(), expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_png_of_few_bits_is_read_as_the_same_in_8(tmp_path: Path, bits: int) -> None:
    levels = LEVELS[..., 0] >> (8 - bits)
    packed = np.packbits(np.unpackbits(levels[..., None], axis=2)[..., 8 - bits :].reshape(10, -1), axis=1)
    lines = b"".join(b"\0" + line.tobytes() for line in packed)
    head = struct.pack(">IIBBBBB", 12, 10, bits, 0, 0, 0, 0)
    (tmp_path / "x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )
    (found,) = load_pictures(f"folder:{tmp_path}", (1, 10, 12)).pictures
    assert np.array_equal((found[0] * (2**bits - 1)).round().numpy(), levels)


def test_8_bits_stored_as_16_are_refused_where_the_picture_would_be_black(tmp_path: Path) -> None:
    Image.fromarray(LEVELS[..., 0].astype(np.uint16)).save(tmp_path / "x.png")
    refused(tmp_path, r"x\.png cannot be read as a picture: it has 16 bits of grey, and no level above 254 of 65,535")
    Image.fromarray(np.zeros((10, 12), np.uint16)).save(tmp_path / "x.png")
    assert not load_pictures(f"folder:{tmp_path}", (3, 10, 12)).pictures[0].any()


def test_colour_becomes_grey_as_pillow_and_torchvision_do_it(tmp_path: Path) -> None:
    EIGHT.save(tmp_path / "x.png")
    (found,) = load_pictures(f"folder:{tmp_path}", (1, 10, 12)).pictures
    assert np.abs(found[0].numpy() * 255 - np.asarray(EIGHT.convert("L"))).max() < 0.6


@pytest.mark.parametrize("transparency", [b"\x00\x80", 3])
def test_transparent_palettes_are_read_without_a_warning(tmp_path: Path, transparency: Any) -> None:
    EIGHT.convert("P").save(tmp_path / "x.png", transparency=transparency)
    (found,) = load_pictures(f"folder:{tmp_path}", (3, 10, 12)).pictures
    expected = np.asarray(EIGHT.convert("P").convert("RGB"))
    assert np.array_equal((found.movedim(0, -1) * 255).round().numpy(), expected)


UNREADABLE = {
    "nothing": b"",
    "text": b"<html>404</html>",
    "400 megapixels": png_of_size(20_000, 20_000),
    "100 megapixels": png_of_size(10_000, 10_000),
    "half of a JPEG": picture("JPEG", size=(64, 64))[:700],
    "TIFF": picture("TIFF"),
    "16 bits that are black": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0\0\x01\0\x02"))
    + chunk(b"IEND", b""),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_run_is_refused_by_the_name_of_a_picture_that_cannot_be_read(many: str, tmp_path: Path, kind: str) -> None:
    (tmp_path / "real" / "3" / "bad.png").write_bytes(UNREADABLE[kind])
    with pytest.raises(DataError, match=r"bad\.png cannot be read as a picture: "):
        evaluated(many, tmp_path)
    assert not (tmp_path / "run").exists() or not [*(tmp_path / "run").glob("*.json")]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.png").write_bytes(picture())

    def closed(*args: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("PIL.Image.open", closed)
    refused(tmp_path, r"x\.png cannot be read as a picture: ")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_picture_cut_or_damaged_anywhere_is_answered_with_its_name(tmp_path: Path, form: str) -> None:
    whole, random, answered = picture(form, size=(30, 30)), np.random.default_rng(1), 0
    for length in sorted({0, 1, 8, 20, 40, *random.integers(0, len(whole), 20).tolist()}):
        (tmp_path / "x.png").write_bytes(whole[:length])
        refused(tmp_path, r"x\.png cannot be read as a picture")
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, min(len(whole), 80), 2):
            damaged[place] = random.integers(0, 256)
        (tmp_path / "x.png").write_bytes(damaged)
        try:
            load_pictures(f"folder:{tmp_path}", (3, 8, 8))
        except DataError as error:
            answered += "x.png cannot be read as a picture" in str(error) or "pixels" in str(error)
    assert answered


@pytest.mark.parametrize(
    ("width", "height"), [(60_000, 60_000), (20_000, 20_000), (10_000, 10_000), (8193, 8193), (2**31 - 1, 1), (0, 0)]
)
def test_a_picture_of_very_many_pixels_is_refused_by_its_header(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "x.png").write_bytes(png_of_size(width, height))
    refused(tmp_path, r"x\.png cannot be read as a picture: ")


def test_a_picture_that_is_very_long_is_not_scaled_to_billions_of_pixels(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(picture(size=(20_000, 1)))
    with pytest.raises(DataError, match=r"x\.png: a picture of .* would have 224 x 4480000 before its centre is cut to 224 x 224"):
        load_pictures(f"folder:{tmp_path}", (3, 224, 224))


def test_a_large_folder_is_read_a_picture_at_a_time_and_of_some_only_those(tmp_path: Path) -> None:
    for i in range(9):
        (tmp_path / f"{i}.png").write_bytes(picture(seed=i) if i in (0, 4, 8) else b"damaged")
    chosen = load_pictures(f"folder:{tmp_path}", (3, 10, 12), 3).pictures
    assert [torch.equal(one, load_pictures(f"folder:{tmp_path}", (3, 10, 12), 3).pictures[i]) for i, one in enumerate(chosen)]
    refused(tmp_path, r"1\.png cannot be read")


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures that were read from files are in memory at each reading of one."""
    there: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    counts: list[int] = []
    read = Files.__getitem__

    def counted(files: Files, place: Any) -> torch.Tensor:
        picture: torch.Tensor = read(files, place)
        there.add(picture)
        counts.append(len(there))
        return picture

    monkeypatch.setattr(Files, "__getitem__", counted)
    return counts


MANY, BATCH = 120, 50


@pytest.fixture
def many(tmp_path: Path) -> str:
    for i in range(MANY):
        (tmp_path / f"real/{i % 10}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"real/{i % 10}/{i}.png").write_bytes(picture(mode="L", seed=i, size=(28, 28)))
    return f"folder:{tmp_path / 'real'}"


def autoencoder(many: str, folder: Path) -> int:
    (folder / "own.py").write_text(AUTOENCODER)
    load_generator(f"autoencoder:python:{folder / 'own.py'}:make,pictures={many},count=8,size=28")
    return 8


def calibrated(many: str, folder: Path) -> int:
    with pytest.raises(SpecError, match="no temperature fits"):
        load_classifier(f"calibrated:bundled:mnist-strided,pictures={many}")
    return 3 + MANY  # the first for its size, and in colour and grey


def quantised(many: str, folder: Path) -> int:
    load_classifier(f"quantised:bundled:mnist-strided,pictures={many},pictures_count=5,pictures_size=28")
    return 2 + 5


def learnt(many: str, folder: Path) -> int:
    from gevaldi.confusions import confusions

    confusions(load_classifier("bundled:mnist-strided"), sources.load(many))
    return 3 + MANY


def evaluated(many: str, folder: Path) -> int:
    settings: dict[str, Any] = {"samples": 1, "steps": 2, "audited": 4, "real": many, "out": folder / "run"}
    done = gevaldi.compare("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae", **settings)
    assert done.evaluation
    assert done.evaluation.pictures == MANY
    return 3 * MANY


def refereed(many: str, folder: Path) -> int:
    evaluated(many, folder)
    gevaldi.Comparison.open(folder / "run").referee("bundled:mnist-referee")
    return 4 * MANY


AUTOENCODER = """
from torch import nn

class Pooled(nn.Module):
    def encode(self, x):
        return nn.functional.avg_pool2d(x, 4)
    def decode(self, z):
        return nn.functional.interpolate(z, scale_factor=4)

def make():
    return Pooled()
"""


@pytest.mark.parametrize("use", [autoencoder, calibrated, quantised, learnt, evaluated, refereed])
def test_pictures_are_chosen_before_they_are_read_and_are_in_memory_a_batch_at_a_time(
    use: Callable[[str, Path], int], many: str, tmp_path: Path, alive: list[int]
) -> None:
    most = use(many, tmp_path)
    assert 0 < len(alive) <= most
    assert max(alive) <= min(most, BATCH) + 1


@pytest.mark.parametrize("kind", ["pipe", "device", "broken link", "link to a pipe"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "x.png"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        place.symlink_to(tmp_path / "pipe")
    else:
        place.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    refused(tmp_path, r"x\.png cannot be read as a picture: it is no file")


def test_a_folder_may_be_called_like_a_picture_and_a_link_to_one_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "b.png").write_bytes(picture())
    (tmp_path / "c.png").symlink_to(tmp_path / "a.png" / "b.png")
    found = load_pictures(f"folder:{tmp_path}", (3, 8, 8))
    assert found.classes == ["a.png", None]


@pytest.mark.parametrize("form", ["JPEG", "BMP", "GIF", "EPS"])
def test_pictures_of_rows_are_png_or_webp(form: str) -> None:
    with pytest.raises(DataError, match="The picture of sample 3 cannot be read as a picture: it is none of PNG, WEBP"):
        open_picture(picture(form), "The picture of sample 3")
    assert open_picture(picture("WEBP"), "x").mode == "RGB"
    assert open_picture(picture("PNG", "L"), "x").mode == "L"


@pytest.mark.parametrize("names", [[str(digit) for digit in range(10)], ["other"]])
def test_a_grey_network_learns_a_hierarchy_from_pictures_in_a_folder(tmp_path: Path, names: list[str]) -> None:
    from gevaldi.bundled.digits import real_digits

    pictures, labels = real_digits()
    for i in range(0, 1000, 25):
        folder = tmp_path / "digits" / (str(int(labels[i])) if len(names) == 10 else "")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pictures[i, 0] * 255).byte().numpy()).save(folder / f"{i}.png")
    done = called(tmp_path, "cluster", "bundled:mnist-strided", "--pictures", "folder:digits", "--out", "a.json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "a.json").read_text())["classes"]) == 10
    done = called(tmp_path, "cluster", "bundled:mnist-strided", "--pictures", "folder:digits", "--size", "30")
    assert done.returncode == 2
    assert "Pictures of 30 x 30 pixels are taken neither in colour nor grey" in " ".join(done.stderr.split())
