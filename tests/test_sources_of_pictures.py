"""Pictures in Parquet, in shards of WebDataset and in data sets of Hugging Face, as their own packages wrote them."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from gevaldi.errors import DataError, GevaldiError, UnknownName
from gevaldi.pictures import load_pictures, sources
from gevaldi.pictures.base import RealPictures

CLASSES = ["cat", "dog"]


def levels(i: int) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 256, (6 + i % 3, 7, 3), np.uint8)


def png(i: int) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(levels(i)).save(sink, "PNG")
    return sink.getvalue()


def check(found: RealPictures, places: Sequence[int]) -> None:
    """The pictures are those of these seeds, in any order of access."""
    assert len(found.pictures) == len(places)
    for at in (*range(len(places)), *reversed(range(len(places)))):
        assert torch.equal((found.pictures[at] * 255).round().byte().movedim(0, -1), torch.from_numpy(levels(places[at])))


@pytest.fixture(scope="module")
def dataset() -> Any:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)})
    rows = {"image": [{"bytes": png(i), "path": None} for i in range(10)], "label": [i % 2 for i in range(10)]}
    return datasets.Dataset.from_dict(rows, features=features)


def test_a_parquet_file_of_datasets_has_its_pictures_and_the_names_of_its_classes(tmp_path: Path, dataset: Any) -> None:
    dataset.to_parquet(tmp_path / "d.parquet", batch_size=3)
    found = sources.load(f"parquet:{tmp_path}/d.parquet")
    check(found, range(10))
    assert found.classes == CLASSES * 5
    assert found.ids is None


def test_a_folder_of_parquet_files_with_bytes_and_ids_is_one_set(tmp_path: Path) -> None:
    for k in range(2):
        some = range(5 * k, 5 * k + 5)
        table = pd.DataFrame(
            {"file_name": [f"{i}.png" for i in some], "picture": [png(i) for i in some], "class": ["a", None] * 2 + ["b"]}
        )
        table.to_parquet(tmp_path / f"{k}.parquet", row_group_size=2)
    found = sources.load(f"parquet:{tmp_path}")
    check(found, range(10))
    assert found.ids == [f"{i}.png" for i in range(10)]
    assert found.classes == ["a", None, "a", None, "b"] * 2
    check(found.at([7, 2]), [7, 2])
    assert len(load_pictures(f"parquet:{tmp_path}", (1, 8, 8), 3).pictures) == 3


def test_numbers_of_classes_are_named_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    pd.DataFrame({"image": [png(0), png(1)], "label": [1, 0]}).to_parquet(tmp_path / "d.parquet")
    assert sources.load(f"parquet:{tmp_path}/d.parquet,classes={tmp_path}/names.txt").classes == ["dog", "cat"]
    assert sources.load(f"parquet:{tmp_path}/d.parquet").classes == ["1", "0"]


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ({"a": [1]}, "", "not apparent which column of .* holds pictures .* It holds the columns a."),
        ({"a": [b"x"], "b": [b"y"]}, "", "not apparent which column"),
        ({"a": [b"x"]}, ",image=c", "has no column 'c', which image= names"),
        ({"image": pa.array([], pa.binary())}, "", "it has no rows"),
        ({"image": ["text"]}, ",image=image", "is of type string; encoded pictures were expected"),
    ],
)
def test_parquet_without_pictures_is_refused_with_what_it_holds(tmp_path: Path, table: Any, options: str, words: str) -> None:
    pq.write_table(pa.table(table), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=words):
        sources.load(f"parquet:{tmp_path}/d.parquet{options}")


def test_damaged_parquet_and_damaged_pictures_are_named(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    pd.DataFrame({"image": [png(0), b"no picture", None]}).to_parquet(path)
    found = sources.load(f"parquet:{path}")
    with pytest.raises(DataError, match=r"row 2 of .*d\.parquet cannot be read as a picture"):
        found.pictures[1]
    with pytest.raises(DataError, match=r"row 3 of .* its cell has no bytes"):
        found.pictures[2]
    path.write_bytes(path.read_bytes()[:100])
    for name in (path, tmp_path / "none.parquet"):
        with pytest.raises(DataError, match=str(name)):
            sources.load(f"parquet:{name}")


def shard(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_shards_are_read_by_key_in_their_order(tmp_path: Path) -> None:
    for k in range(2):
        members = {}
        for i in range(5 * k, 5 * k + 5):
            members |= {
                f"a/{i:04d}.png": png(i),
                f"a/{i:04d}.cls": str(i % 2).encode(),
                f"a/{i:04d}.json": b"{}",
                f"a/{i:04d}.seg.png": png(99),
            }
        shard(tmp_path / f"s-{k:06d}.tar", members)
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    pattern = "webdataset:" + str(tmp_path / "s-{000000..000001}.tar")
    for name in (pattern, f"webdataset:{tmp_path}"):
        found = sources.load(f"{name},classes={tmp_path}/names.txt")
        check(found, range(10))
        assert found.ids == [f"a/{i:04d}" for i in range(10)]
        assert found.classes == CLASSES * 5
    assert sources.load(pattern).classes == ["0", "1"] * 5


def test_keys_that_two_shards_have_are_told_apart_by_shard(tmp_path: Path) -> None:
    for name in ("x", "y"):
        shard(tmp_path / f"{name}.tar", {"0.jpg": png(3)})
    assert sources.load(f"webdataset:{tmp_path}").ids == ["x/0", "y/0"]


def test_damaged_missing_and_compressed_shards_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    shard(path, {"0.png": png(0), "0.cls": b"1", "1.png": png(1)})
    whole = path.read_bytes()
    with tarfile.open(tmp_path / "z.tar", "w:gz") as archive:
        archive.add(path, "s.png")
    link = tarfile.TarInfo("2.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        archive.addfile(link)
    for name, words in (
        ("z.tar", "not compressed"),
        ("none.tar", "there is no such file"),
        ("link.tar", "no pictures"),
        ("{5..1}.tar", "shards"),
    ):
        with pytest.raises(DataError, match=words):
            sources.load("webdataset:" + str(tmp_path / name))
    found = sources.load(f"webdataset:{path}")
    path.write_bytes(whole[:1000])
    with pytest.raises(DataError, match="the shard ends within it"):
        found.pictures[1]
    path.write_bytes(b"x" * 2000)
    with pytest.raises(DataError, match=r"s\.tar cannot be read as a tar file"):
        sources.load(f"webdataset:{path}")


def test_a_data_set_on_disk_is_read_as_its_package_wrote_it(tmp_path: Path, dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    dataset.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": dataset.select([0]), "test": dataset}).save_to_disk(tmp_path / "two")
    (tmp_path / "three").mkdir()
    dataset.to_parquet(tmp_path / "three" / "test-00000.parquet")
    dataset.select([0]).to_parquet(tmp_path / "three" / "train-00000.parquet")
    for name in ("one", "two", "three"):
        found = sources.load(f"datasets:{tmp_path / name},split=test")
        check(found, range(10))
        assert found.classes == CLASSES * 5
    with pytest.raises(UnknownName, match="Did you mean 'test'"):
        sources.load(f"datasets:{tmp_path}/two,split=tests")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither a data set"):
        sources.load(f"datasets:{tmp_path}/empty")


def test_a_hub_that_does_not_answer_is_a_sentence_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def fail(*args: Any, **options: Any) -> Any:
        raise ConnectionError("Couldn't reach the hub")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(GevaldiError, match=r"Couldn't reach the hub. Without a network, name a folder that save_to_disk wrote"):
        sources.load("datasets:nobody/nothing,split=test")
