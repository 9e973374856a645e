"""Folders of pictures: other formats under their names, damaged and very large ones, odd modes, pipes, devices and links."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

from PIL import Image

from hostile._files import damaged
from hostile.case import CANARY, Case

FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "BMP",
    "GIF",
    "TIFF",
    "ICO",
    "PPM",
    "PCX",
    "TGA",
    "PDF",
    "EPS",
    "IM",
    "SGI",
    "JPEG2000",
    "DDS",
    "ICNS",
)
MODES = ("RGB", "L", "P", "RGBA", "LA", "1", "CMYK", "I;16", "I", "F", "YCbCr", "HSV", "LAB")
POSTSCRIPT = """%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 32 32
%%EndComments
({}) (w) file (it ran) writestring
showpage
%%EOF
"""
SUFFIXES = (".png", ".PNG", ".jpg", ".jpeg", ".webp", ".bmp", ".png.png")


def make(chance: random.Random, folder: Path) -> Case:
    place = folder / "pictures"
    names = [str(digit) for digit in range(10)] if chance.random() < 0.7 else [chance.choice(("x", "é\u202e", "-", "a" * 200, "3"))]
    for i in range(chance.choice((1, 2, 12))):
        inside = place / chance.choice(names) if chance.random() < 0.8 else place
        inside.mkdir(parents=True, exist_ok=True)
        put(chance, inside / f"{i}{chance.choice(SUFFIXES)}", folder)
    (folder / "untouched").mkdir()
    (folder / "untouched" / "precious.png").write_bytes(whole(chance, "PNG", "RGB"))
    source = f"folder:{chance.choice(('pictures', 'pictures', 'pictures', 'none', '.', '~nobody', 'pictures/0'))}"
    size = chance.choice(((), ("--size", "28"), ("--size", "28"), ("--size", "1"), ("--size", "99999")))
    return chance.choice(
        (
            Case(("cluster", "bundled:mnist-strided", "--pictures", source, *size)),
            Case(("cluster", f"quantised:bundled:mnist-strided,pictures={source},pictures_size=28", "--pictures", source, *size)),
        )
    )


def put(chance: random.Random, path: Path, folder: Path) -> None:
    way = chance.randrange(12)
    if way == 0:
        os.mkfifo(path)
    elif way == 1:
        path.symlink_to(
            chance.choice(("nowhere", "/dev/zero", "/dev/stdin", path, folder / "untouched" / "precious.png", "/proc/self/mem"))
        )
    elif way == 2:
        path.write_text(POSTSCRIPT.format(folder / CANARY))
    elif way == 3:
        sides = chance.choice(((60_000, 60_000), (8192, 8192), (2**31 - 1, 1), (0, 0), (20_000, 1), (1, 2**20), (9000, 9000)))
        path.write_bytes(png_of_size(*sides, bits=chance.choice((1, 8, 16)), colour=chance.choice((0, 2, 3, 4, 6, 7))))
    elif way == 4:
        path.mkdir()
    elif way == 5:
        path.write_bytes(animated(chance))
    elif way == 6:
        path.write_bytes(
            chance.choice((b"", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF____WEBPVP8 ", b"\xff\xd8\xff", b"GIF89a", b"%PDF"))
        )
    else:
        form, mode = (chance.choice(FORMATS), chance.choice(MODES)) if way < 9 else ("PNG", chance.choice(("L", "RGB")))
        content = whole(chance, form, mode)
        path.write_bytes(content if way > 10 or not content else damaged(content, chance))


def whole(chance: random.Random, form: str, mode: str) -> bytes:
    """A picture in that format and mode, or in the next one that the format has."""
    size, sink = chance.choice(((28, 28), (28, 28), (1, 1), (3, 200), (64, 48))), io.BytesIO()
    picture = Image.frombytes("RGB", size, chance.randbytes(3 * size[0] * size[1]))
    try:
        picture.convert(mode).save(sink, form)
    except (OSError, ValueError):
        sink = io.BytesIO()
        picture.save(sink, form)
    return sink.getvalue()


def animated(chance: random.Random) -> bytes:
    frames, sink = [Image.new("RGB", (28, 28), (i * 20, 0, 0)) for i in range(5)], io.BytesIO()
    frames[0].save(sink, chance.choice(("PNG", "WEBP", "GIF")), save_all=True, append_images=frames[1:])
    return sink.getvalue()


def png_of_size(width: int, height: int, bits: int, colour: int) -> bytes:
    """A PNG of a few bytes that announces these sides and has its first rows at most, and perhaps a text that unfolds."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    text = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(10**7)))
    return b"\x89PNG\r\n\x1a\n" + header + text + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
