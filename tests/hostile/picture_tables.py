"""Pictures in the cells of Parquet files, in shards of WebDataset and in data sets on disk, damaged and other than they are."""

import io
import json
import random
import shutil
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from hostile import seeds
from hostile._cells import altered, array_of, parquet_of
from hostile._texts import damaged, no_file
from hostile.case import Case
from hostile.names import NAMES
from hostile.pictures import FORMATS, MODES, png_of_size, whole
from hostile.records import changed

OPTIONS = (
    "image=image",
    "image=label",
    "label=label",
    "label=image",
    "image=x",
    "classes=imagenet",
    "classes=none.txt",
    "classes=/dev/zero",
)
PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled")


def make(chance: random.Random, folder: Path) -> Case:
    name, path = chance.choice((_parquet, _parquet, _shard, _shard, _dataset))(chance, folder)
    if path.is_file() and chance.random() < 0.2:
        path.write_bytes(damaged(chance, path.read_bytes()))
    elif path.is_file() and chance.random() < 0.03:
        path.unlink()
        no_file(chance, path)
    source = name + (f",{chance.choice(OPTIONS)}" if chance.random() < 0.15 else "")
    environment = {"HF_HOME": str(folder / "hf"), "HF_DATASETS_CACHE": str(folder / "hf/datasets")}
    words = ("doctor", source) if chance.random() < 0.4 else ("verdict", *PAIR, "--pool", source, "--out", "v", "--device", "cpu")
    return Case(words, environment)


@cache
def _png(number: int) -> bytes:
    sink = io.BytesIO()
    Image.new("L", (28, 28), number * 20).save(sink, "PNG")
    return sink.getvalue()


def _odd(chance: random.Random) -> bytes:
    """A picture of another format, mode or size, cut off, or none."""
    content = whole(chance, chance.choice(FORMATS), chance.choice(MODES))
    return chance.choice((content, content[:60], b"", b"x", png_of_size(60_000, 60_000, bits=8, colour=2)))


def _pictures(chance: random.Random) -> list[bytes]:
    return [_odd(chance) if chance.random() < 0.1 else _png(i) for i in range(chance.choice((1, 8, 8)))]


def _parquet(chance: random.Random, folder: Path) -> tuple[str, Path]:
    pictures = _pictures(chance)
    whole = [{"bytes": content, "path": None} for content in pictures]
    columns = {"image": chance.choice((pictures, whole)), "label": [i % 3 for i in range(len(pictures))]}
    if chance.random() < 0.3:
        columns["id"] = [f"x{i}" for i in range(len(pictures))]
    changed = altered(chance, columns) if chance.random() < 0.6 else columns
    table = pa.Table.from_arrays([array_of(chance, values) for values in changed.values()], [*changed])
    path = folder / "d" / "train.parquet"
    path.parent.mkdir()
    if chance.random() < 0.3:
        metadata = chance.choice(
            (b"{", b"3", b'{"info": []}', b"[" * 9_000, b'{"info": {"features": {"label": {"names": [null, 3]}}}}')
        )
        table = table.replace_schema_metadata({b"huggingface": metadata})
    path.write_bytes(parquet_of(table, chance))
    if chance.random() < 0.1:  # another file of the same folder that has other columns
        path.with_name("x.parquet").write_bytes(parquet_of(pa.table({"image": pictures}), chance))
    return chance.choice(("parquet:d", "parquet:d/train.parquet", "parquet:d", "datasets:d")), path


def _shard(chance: random.Random, folder: Path) -> tuple[str, Path]:
    path = folder / "s-000000.tar"
    form = chance.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
    mode: Any = chance.choice(("w", "w", "w", "w", "w:gz", "w:xz"))
    with tarfile.open(path, mode, format=form, errors="replace") as archive:
        for i, content in enumerate(_pictures(chance)):
            for member in _members(chance, i, content):
                try:
                    archive.addfile(member[0], io.BytesIO(member[1]))
                except (OSError, ValueError):  # a name or a size that this format cannot have
                    continue
    return chance.choice(
        ("webdataset:s-000000.tar", "webdataset:s-{000000..000000}.tar", "webdataset:.", "webdataset:s-{0..9}.tar")
    ), path


def _members(chance: random.Random, number: int, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """A picture and its class, now and then of another kind, or under a name that should be refused."""
    found = []
    for ending, own in (("png", content), ("cls", chance.choice((b"3", b"cat", b"", b"\xff", b"9" * 9_000, b"\0", b"\xd9\xa3")))):
        stem = chance.choice((*NAMES, "../../x", "/etc/x", "a" * 5_000)) if chance.random() < 0.05 else f"{number:04d}"
        info = tarfile.TarInfo(f"{stem}.{ending}".replace("\0", ""))
        info.size = len(own)
        if chance.random() < 0.05:
            info.type = chance.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"Z"))
            info.linkname = chance.choice(("/etc/passwd", "0000.png", info.name))
        if chance.random() < 0.05:
            info.pax_headers = {"size": chance.choice(("-1", "x", "9" * 30)), "path": chance.choice(("x.png", "\u202e.png"))}
        if chance.random() < 0.02:
            info.size = chance.choice((0, 10**9, 2**60))
        found.append((info, own))
    return found


def _dataset(chance: random.Random, folder: Path) -> tuple[str, Path]:
    shutil.copytree(seeds.dataset(), folder / "d")
    files = sorted(path for path in (folder / "d").rglob("*") if path.is_file())
    path = chance.choice(files)
    if path.suffix == ".json" and chance.random() < 0.7:
        path.write_bytes(json.dumps(changed(chance, json.loads(path.read_text()))).encode(errors="surrogatepass"))
    else:
        path.write_bytes(damaged(chance, path.read_bytes()))
    return chance.choice(("datasets:d", "datasets:d", "datasets:d,split=test", "datasets:d,config=x")), folder / "none"
