"""Predictions of networks on a pool: what they see, what is stored, and what is not computed again."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import gevaldi
from gevaldi.errors import DataError, GevaldiError, SpecError
from gevaldi.pictures import sources
from gevaldi.pictures.base import RealPictures
from gevaldi.predictions import compute as computing
from gevaldi.predictions.base import NO_ANSWER
from gevaldi.predictions.pool import load_pool
from gevaldi.predictions.store import Stored, all_stored

NAMES = ["black", "white", "grey"]


class Shade(nn.Module):
    """Logits by the mean level, and a parameter so that seeds differ."""

    def __init__(self, seed: int = 0, broken: float | None = None) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(float(seed)) / 100)
        self.broken, self.seen = broken, 0

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.seen += len(pictures)
        level = pictures.mean((1, 2, 3)) + self.shift
        logits = torch.stack([-level, level - 1, 0.4 - (level - 0.5).abs()], 1) * 9
        return torch.where((pictures.amax((1, 2, 3)) > 2).unsqueeze(1) | (self.is_broken(level)).unsqueeze(1), torch.nan, logits)

    def is_broken(self, level: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(level, dtype=torch.bool) if self.broken is None else (level - self.broken).abs() < 0.02


def shade(seed: int = 0, **options: Any) -> gevaldi.Classifier:
    return gevaldi.classifier(Shade(seed, **options), labels=NAMES, name=f"shade-{seed}").eval()


def folder_of(root: Path, count: int = 12) -> Path:
    random_levels = np.random.default_rng(0).integers(0, 256, count)
    for i, level in enumerate(random_levels.tolist()):
        path = root / NAMES[0 if level < 85 else 2 if level < 170 else 1] / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 8), (level, level, level)).save(path)
    return root


def load(pictures: Path, store: Path, *classifiers: Any, **options: Any) -> Any:
    return load_pool(f"folder:{pictures}", list(classifiers), folder=store, device="cpu", **options)


def test_numbers_in_place_of_as_many_names_are_refused_before_anything_is_classified(tmp_path: Path) -> None:
    pictures, network = folder_of(tmp_path / "p"), Shade()
    with pytest.raises(SpecError, match=r"shades numbers its 3 classes, and the pool names as many: .*labels=FILE"):
        load(pictures, tmp_path / "s", gevaldi.classifier(network, labels=3, name="shades").eval())
    assert network.seen == 0
    found = load(pictures, tmp_path / "s", gevaldi.classifier(Shade(), labels=[*NAMES[:2], "7"], name="shades").eval())
    assert found.truth is not None


def test_what_is_stored_is_what_the_network_says_of_each_picture(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    found = load(pictures, tmp_path / "s", shade(), batch_size=5)
    real = sources.load(f"folder:{pictures}")
    with torch.no_grad():
        expected = torch.stack([shade()(one[None])[0] for one in real.pictures]).exp()
    order = expected.argsort(dim=1, descending=True, stable=True).numpy()
    one = found.predictions[0]
    assert np.array_equal(one.top, order)
    assert np.allclose(one.probability, np.take_along_axis(expected.numpy(), order, 1), atol=1e-6)
    assert found.ids.to_pylist() == [path.relative_to(pictures).as_posix() for path in sorted(pictures.rglob("*.png"))]
    assert [found.classes[i].name for i in found.truth] == real.classes
    (part,) = (tmp_path / "s").glob("shade-0-*/part-*.parquet")
    rows = pd.read_parquet(part)
    assert rows["top"].tolist()[3].tolist() == order[3].tolist()
    assert rows["error"].isna().all()


def test_a_classifier_with_a_pipeline_of_its_own_sees_the_pictures_through_it(tmp_path: Path) -> None:
    classifier = shade()
    sizes = []

    def official(picture: Image.Image) -> torch.Tensor:
        sizes.append(picture.size)
        return torch.tensor([[0.0, 1.0, 0.0]]).log_softmax(1)

    classifier.official = official
    found = load(folder_of(tmp_path / "p"), tmp_path / "s", classifier)
    assert (found.predictions[0].top[:, 0] == 1).all()
    assert set(sizes) == {(9, 8)}


def test_a_second_verdict_neither_loads_nor_computes_a_network_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = "bundled:mnist-digits"
    pair = ["bundled:mnist-strided", "bundled:mnist-pooled"]
    first = load_pool(pool, pair[:1], folder=tmp_path, device="cpu")
    second = load_pool(pool, pair, folder=tmp_path, device="cpu")
    monkeypatch.setattr("gevaldi.predictions.networks.load_classifier", lambda name: pytest.fail("a network was loaded"))
    third = load_pool(pool, pair[::-1], folder=tmp_path, device="cpu")
    assert first.predictions[0].digest == second.predictions[0].digest == third.predictions[1].digest
    assert first.digest == second.digest == third.digest


def test_an_object_is_recognised_by_its_weights(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    load(pictures, tmp_path / "s", shade())
    again, other = shade(), shade(30)
    found = load(pictures, tmp_path / "s", again, other)
    assert again.module.seen == 0
    assert other.module.seen > 0
    assert found.predictions[0].digest != found.predictions[1].digest
    assert len(all_stored(tmp_path / "s")) == 2


CODE = """
import gevaldi, torch
from torch import nn

class Net(nn.Module):
    def forward(self, pictures):
        return SIGN * 9 * torch.stack([-2 * pictures.mean((1, 2, 3)), pictures.mean((1, 2, 3)) - 1], 1)

def make():
    return gevaldi.classifier(Net(), labels=["black", "white"])
"""


def test_another_version_of_a_users_code_is_another_classifier(tmp_path: Path) -> None:
    pictures, file = folder_of(tmp_path / "p"), tmp_path / "code.py"
    name = f"python:{file}:make"
    file.write_text(CODE.replace("SIGN", "1"))
    before = load(pictures, tmp_path / "s", name)
    assert load(pictures, tmp_path / "s", name).predictions[0].digest == before.predictions[0].digest
    assert len(all_stored(tmp_path / "s")) == 1
    file.write_text(CODE.replace("SIGN", "-1"))
    after = load(pictures, tmp_path / "s", name)
    assert (after.predictions[0].top[:, 0] != before.predictions[0].top[:, 0]).all()


def test_a_changed_picture_is_noticed_and_a_touched_one_is_not_classified_again(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    before = load(pictures, tmp_path / "s", shade())
    one = next(pictures.rglob("*.png"))
    os.utime(one, (1, 1))
    touched = shade()
    after = load(pictures, tmp_path / "s", touched)
    assert (after.digest, touched.module.seen) == (before.digest, 0)
    Image.new("RGB", (9, 8), (1, 2, 3)).save(one)
    changed = shade()
    found = load(pictures, tmp_path / "s", changed)
    assert found.digest != before.digest
    assert changed.module.seen >= len(found)


def test_pictures_that_cannot_be_read_and_nan_are_rows_with_an_error(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    (pictures / "black" / "x.png").write_bytes(b"no picture")
    Image.new("RGB", (9, 8), (51, 51, 51)).save(pictures / "black" / "y.png")
    found = load(pictures, tmp_path / "s", shade(broken=0.2))
    one = found.predictions[0]
    rows = pd.concat(map(pd.read_parquet, (tmp_path / "s").glob("shade-0-*/part-*.parquet"))).set_index("id")
    assert "x.png cannot be read as a picture" in rows["error"]["black/x.png"]
    assert rows["error"]["black/y.png"] == "The network gives NaN."
    answered = dict(zip(found.ids.to_pylist(), one.top[:, 0].tolist(), strict=True))
    assert answered["black/x.png"] == answered["black/y.png"] == NO_ANSWER
    assert one.source["failed"] == rows["error"].notna().sum() < len(rows)
    assert any("has no answer for" in note and "cannot be read as a picture" in note for note in found.notes)


def test_a_network_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    class Silent(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.full((len(pictures), 3), torch.nan)

    classifier = gevaldi.classifier(Silent(), labels=NAMES, name="silent").eval()
    with pytest.raises(DataError, match=r"silent classifies none of 12 pictures. The first: The network gives NaN"):
        load(folder_of(tmp_path / "p"), tmp_path / "s", classifier)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    load(pictures, tmp_path / "s", shade())
    (part,) = (tmp_path / "s").glob("shade-0-*/part-*.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=f"{part.name} is damaged: .* Delete it, to compute it again"):
        load(pictures, tmp_path / "s", shade())


def test_a_table_and_a_network_are_joined_on_the_pool_by_path(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    found = load(pictures, tmp_path / "s", shade())
    names = [found.classes[i].name for i in found.predictions[0].top[:, 0]]
    pd.DataFrame({"path": found.ids.to_pylist(), "class": names}).sample(frac=1).to_csv(tmp_path / "t.csv", index=False)
    both = load(pictures, tmp_path / "s", f"table:{tmp_path}/t.csv", shade())
    assert np.array_equal(both.predictions[0].top[:, 0], both.predictions[1].top[:, 0])
    (tmp_path / "few.csv").write_text(f"path,class\n{found.ids[0]},black\n")
    with pytest.raises(GevaldiError, match="no row for 11 pictures of the pool"):
        load(pictures, tmp_path / "s", f"table:{tmp_path}/few.csv")


def test_classes_of_folders_that_a_classifier_does_not_know_are_reported(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    (pictures / "white").rename(pictures / "blanc")
    found = load(pictures, tmp_path / "s", shade())
    assert "1 of the 3 classes of the pool are not known to the classifiers: blanc." in found.notes[0]
    assert ((found.truth == NO_ANSWER) == ["blanc/" in one for one in found.ids.to_pylist()]).all()


def test_classes_of_folders_may_differ_from_a_classifiers_in_case_and_spaces(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    expected = load(pictures, tmp_path / "s", shade()).truth
    (pictures / "white").rename(pictures / "White ")
    found = load(pictures, tmp_path / "s", shade())
    assert sorted(found.truth) == sorted(expected)
    assert found.notes == ("1 classes of the pool are matched without regard to case and spaces: 'White ' is 'white'.",)


def test_classes_of_folders_that_are_in_no_table_are_reported(tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "p")
    ids = load(pictures, tmp_path / "s", shade()).ids.to_pylist()
    pd.DataFrame({"path": ids, "class": ["black" if "black" in one else "grey" for one in ids]}).to_csv(tmp_path / "t.csv")
    found = load(pictures, tmp_path / "s", f"table:{tmp_path}/t.csv,id=path")
    assert found.notes == ("1 of the 3 classes of the pool are in no table: white.",)


def test_pictures_in_memory_are_a_pool(tmp_path: Path) -> None:
    some = RealPictures([torch.full((3, 8, 8), level) for level in (0.0, 0.5, 1.0)], ["black", "grey", "white"])
    found = load_pool(some, [shade()], folder=tmp_path, device="cpu")
    assert found.ids.to_pylist() == ["0", "1", "2"]
    assert np.array_equal(found.predictions[0].top[:, 0], found.truth)


class Slow(nn.Module):
    """Takes a while for each picture, so that a kill finds it at work."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Shade()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        time.sleep(0.004 * len(pictures))
        return self.inner(pictures)


def slow() -> gevaldi.Classifier:
    return gevaldi.classifier(Slow(), labels=NAMES, name="slow").eval()


def killed(pictures: Path, store: Path, after: float) -> bool:
    """Let a child compute and kill it after so many seconds, unless it is done by then."""
    child = os.fork()
    if child == 0:
        try:
            load(pictures, store, slow(), batch_size=2)
        finally:
            os._exit(0)
    end = time.monotonic() + after
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def parts(store: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in store.glob("slow-*/part-*")}


def test_a_computation_killed_at_any_moment_goes_on_and_touches_no_finished_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(computing, "ROWS", 4)
    pictures, chance = folder_of(tmp_path / "p", 60), random.Random(0)
    expected = load(pictures, tmp_path / "unbroken", slow(), batch_size=2)
    kills, before = 0, dict[str, tuple[int, bytes]]()
    while killed(pictures, tmp_path / "s", chance.uniform(0.02, 0.25)) and kills < 40:
        kills += 1
        after = parts(tmp_path / "s")
        assert before.items() <= after.items()
        before = after
    found = load(pictures, tmp_path / "s", slow(), batch_size=2)
    assert before.items() <= parts(tmp_path / "s").items()
    assert not list((tmp_path / "s").glob("slow-*/.*.partial"))
    assert kills > 1
    assert found.predictions[0].digest == expected.predictions[0].digest
    assert np.array_equal(found.predictions[0].probability, expected.predictions[0].probability)
    (stored,) = all_stored(tmp_path / "s")
    assert isinstance(stored, Stored)
    assert stored.missing() == []
