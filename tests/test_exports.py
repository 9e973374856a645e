"""Exports, each opened again by the tool that it is for; where that is too large to install, against its documented format."""

import csv
import gc
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from conftest import record, written_again
from gevaldi.cli.main import app
from gevaldi.comparison import Comparison
from gevaldi.errors import DataError, GevaldiError, RunFolderError, SpecError
from gevaldi.exports import export, registry
from gevaldi.folders import folder_names, visible
from gevaldi.measures.referee import Opinion, Sides
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec

ANIMALS = ["cat", "dog", "eel"]
AUDIT = {"generated": {"known_first": 20, "read_first": 19, "known_second": 20, "read_second": 18}}
HOSTILE = [
    "../../up",
    "a/b",
    "a\\b",
    "nul\0byte",
    "CON",
    "",
    ".",
    "..",
    "x" * 300,
    "x" * 299 + "y",
    "Cat",
    "cat",
    "\u202egnp",
    "a<b>&\"'",
]

OF_PICTURES = [name for name in registry if name != "audiofolder"]  # which takes runs with sound, in test_playing.py


def picture(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size, size), dtype=np.uint8)


def stored(seed: int) -> dict[str, Any]:
    sink = io.BytesIO()
    Image.fromarray(picture(seed)).save(sink, "PNG")
    return {"bytes": sink.getvalue(), "path": None}


def predicted(name: str, id_: str | None = None, probability: float = 0.75) -> list[dict[str, Any]]:
    return [{"label": 0, "name": name, "id": id_, "probability": probability}]


def row(index: int, names: list[str], asked: bool = True) -> dict[str, Any]:
    name, other = names[index % len(names)], names[(index + 1) % len(names)]
    common = {"index": index, "seed": 2**62 + index, "order": ("forward", "reverse")[index % 2], "steps": 3}
    common |= {"condition": index % len(names), "condition_name": name} if asked else {}
    if index == 5:
        return common | {"status": "failed", "error": "RuntimeError: it broke"}
    tops = {"first_start": predicted(name), "second_start": predicted(name)}
    tops |= {"first_end": predicted(other, probability=0.1), "second_end": predicted(name)}
    tops |= {f"{key}": [{**each, "label": names.index(each["name"])} for each in found] for key, found in tops.items()}
    numbers = {"divergence_start": 0.1, "divergence_end": float((7 * index) % 11), "log_prior_end": -float("inf"), "delta_z": 0.3}
    flags = {"survives_storage": index % 3 > 0, "flipped": "first", "target_classes": [index % len(names)] if asked else []}
    pictures = {"picture_start": stored(index), "picture_end": stored(1000 + index)}
    return common | tops | numbers | flags | pictures | {"status": "converged", "set_distance_1_end": 1.5}


def made(folder: Path, names: list[str] = ANIMALS, count: int = 12, asked: bool = True, samples: int = 6, **more: Any) -> Run:
    labels = [{"name": name, "id": None} for name in names]
    model = record()["models"]["first"] | {"labels": labels}
    models = {"first": model | {"name": "old"}, "second": model | {"name": "new"}, "generator": model | {"name": "g", "labels": []}}
    spec = Spec(first="a", second="b", generator="g", samples=samples)
    run = Run.create(folder, spec, record(models=models, command="gevaldi", **more))
    rows = [row(index, names, asked) for index in range(count)]
    for part in (rows[: count // 2], rows[count // 2 :]):
        if part:
            run.append(part)
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made(tmp_path / "run")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def good(run: Run) -> pd.DataFrame:
    rows = run.rows()
    return rows[rows["status"] != "failed"]


@pytest.mark.slow
def test_torchvision_finds_every_sample_under_its_class_with_its_pixels(run: Run) -> None:
    from torchvision.datasets import ImageFolder

    opened = ImageFolder(str(export(run, "imagefolder").path))
    assert opened.classes == ANIMALS
    found = {
        Path(path).name: (np.asarray(image)[..., 0], opened.classes[label])
        for (path, _), (image, label) in zip(opened.samples, opened, strict=True)
    }
    assert len(found) == 11
    for _, each in good(run).iterrows():
        pixels, label = found[f"sample-{each['index']:06d}-end.png"]
        np.testing.assert_array_equal(pixels, picture(1000 + each["index"]))
        assert label == each["condition_name"]


@pytest.mark.parametrize("names", [ANIMALS, ["train", "test", "validation"]])
def test_datasets_opens_folders_of_classes_whatever_they_are_called(tmp_path: Path, names: list[str]) -> None:
    from datasets import load_dataset

    run = made(tmp_path / "run", names)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        opened = load_dataset(str(export(run, "imagefolder").path), split="train")
        gc.collect()  # it leaves metadata.csv open
    found = {each["index"]: (each["label"], np.asarray(each["image"])) for each in opened}
    assert len(found) == 11
    for _, each in good(run).iterrows():
        assert found[each["index"]][0] == each["condition_name"]
        np.testing.assert_array_equal(found[each["index"]][1], picture(1000 + each["index"]))


def test_pandas_duckdb_and_datasets_read_the_same_table_as_the_run_has(run: Run) -> None:
    import duckdb
    from datasets import load_dataset

    path = export(run, "parquet").path
    expected = good(run).set_index("index")
    by_pandas = pd.read_parquet(path).set_index("index")
    by_duckdb = duckdb.sql(f"SELECT *, image.bytes AS png FROM '{path}'").df().set_index("index")
    by_datasets = pd.DataFrame(list(load_dataset(str(path.parent), split="train"))).set_index("index")
    for found in (by_pandas, by_duckdb, by_datasets):
        for column in ("divergence_end", "condition_name", "survives_storage", "seed"):
            assert found[column].tolist() == expected[column].tolist()
        assert found["label"].tolist() == expected["condition_name"].tolist()
        assert found["first_end"].tolist() == [tops[0]["name"] for tops in expected["first_end"]]
        assert found["first_end_probability"].tolist() == pytest.approx([0.1] * 11)
    assert [bytes(png) for png in by_duckdb["png"]] == [each["bytes"] for each in expected["picture_end"]]
    assert [each["bytes"] for each in by_pandas["image"]] == [each["bytes"] for each in expected["picture_end"]]
    np.testing.assert_array_equal(np.asarray(by_datasets.loc[7, "image"]), picture(1007))


def test_datasets_knows_pictures_and_classes_in_the_order_of_the_first_classifier(tmp_path: Path) -> None:
    from datasets import ClassLabel, load_dataset

    names = ["zebra", "ant", "moose", "unseen"]
    opened = load_dataset(str(export(made(tmp_path / "run", names, count=3), "datasets").path), split="train")
    assert isinstance(opened.features["label"], ClassLabel)
    assert opened.features["label"].names == names
    assert [opened.features["label"].int2str(each["label"]) for each in opened] == names[:3]
    np.testing.assert_array_equal(np.asarray(opened[1]["image"]), picture(1001))


def test_fiftyone_samples_are_as_its_format_is_documented(run: Run) -> None:
    folder = export(run, "fiftyone", pictures="both", where=["condition_name=dog"]).path
    samples = json.loads((folder / "samples.json").read_text(), parse_constant=pytest.fail)["samples"]
    assert "version" not in json.loads((folder / "metadata.json").read_text())  # or FiftyOne takes it for its database's own dump
    assert [(each["index"], each["stage"]) for each in samples] == [(i, m) for i in (1, 4, 7, 10) for m in ("start", "end")]
    for each in samples:
        np.testing.assert_array_equal(
            np.asarray(Image.open(folder / each["filepath"])), picture(each["index"] + 1000 * (each["stage"] == "end"))
        )
        assert each["label"] == {"_cls": "Classification", "label": "dog"}
        assert each["second"] == {"_cls": "Classification", "label": "dog", "confidence": 0.75}
        assert each["first"]["label"] == ("eel" if each["stage"] == "end" else "dog")
        assert each["tags"] == [("forward", "reverse")[each["index"] % 2], each["stage"], "flipped first"]
        assert "log_prior_end" not in each  # minus infinity, which is no JSON
        assert not {"id", "metadata", "created_at", "last_modified_at"} & set(each)  # which FiftyOne keeps for itself


MANY = [f"species {i}" for i in range(30)]


@pytest.mark.parametrize("names", [ANIMALS, MANY])
def test_tasks_for_label_studio_are_blind_and_in_random_order(tmp_path: Path, names: list[str]) -> None:
    run = made(tmp_path / "run", names, count=40, samples=20)
    folder = export(run, "label-studio", pictures="both").path
    tasks = json.loads((folder / "tasks.json").read_text(), parse_constant=pytest.fail)
    view = ElementTree.parse(folder / "config.xml").getroot()
    control, image = view.find("Choices"), view.find("Image")
    assert control is not None
    assert image is not None
    assert [choice.get("value") for choice in control] == [*names, "neither", "cannot tell"]
    assert (control.get("name"), control.get("toName"), image.get("value")) == ("label", image.get("name"), "$image")
    key = pd.read_csv(folder / "key.csv").set_index("sample")
    assert len(tasks) == len(key) == 2 * 39
    for task in tasks:
        assert set(task) == {"data"}  # no prediction to start from
        assert set(task["data"]) == {"image", "sample"} | ({"suggested"} if names == MANY else set())
        served = folder / task["data"]["image"].removeprefix("/data/local-files/?d=")
        index, stage = key.loc[task["data"]["sample"]]
        np.testing.assert_array_equal(np.asarray(Image.open(served)), picture(index + 1000 * (stage == "end")))
    order = [key.loc[task["data"]["sample"], "index"] for task in tasks]
    assert order != sorted(order)
    assert abs(np.corrcoef(order, range(len(order)))[0, 1]) < 0.3
    assert {path.stem for path in (folder / "pictures").iterdir()} == set(key.index)


def test_of_many_classes_two_are_suggested_in_an_order_that_says_nothing(tmp_path: Path) -> None:
    run = made(tmp_path / "run", MANY, count=200, samples=100)
    folder = export(run, "label-studio", pictures="both").path
    key = pd.read_csv(folder / "key.csv").set_index("sample")
    places, distractors = [], set()
    for task in json.loads((folder / "tasks.json").read_text()):
        index, stage = key.loc[task["data"]["sample"]]
        suggested = task["data"]["suggested"].split(" or ")
        assert len(set(suggested)) == 2  # also before the search, where both name the same class
        assert set(suggested) <= set(MANY)
        places.append(suggested.index(MANY[index % 30]))  # what the second names
        if stage == "end":
            assert set(suggested) == {MANY[index % 30], MANY[(index + 1) % 30]}
        else:
            distractors |= set(suggested) - {MANY[index % 30]}
    assert 0.4 < np.mean(places) < 0.6
    assert len(distractors) > 20


def test_labels_of_a_blind_export_come_back_without_those_that_name_no_class(run: Run, tmp_path: Path) -> None:
    key = pd.read_csv(export(run, "label-studio", pictures="both").path / "key.csv").sort_values(["index", "stage"])
    name = {(row["index"], row["stage"]): row["sample"] for _, row in key.iterrows()}
    chosen = {(0, "end"): "dog", (1, "end"): "neither", (2, "end"): "cannot tell", (3, "start"): "eel", (4, "end"): "=eel"}
    lines = [f'{i},x,"{text}",{name[where]},1' for i, (where, text) in enumerate(chosen.items())]
    path = tmp_path / "project.csv"
    path.write_text("annotation_id,image,label,sample,annotator\n" + "\n".join([*lines, f"9,x,cannot tell,{name[0, 'end']},2"]))
    table = pd.read_parquet(export(run, "parquet", label=path).path)
    assert dict(zip(table["index"], table["label"], strict=True)) == {0: "dog", 4: "=eel"}
    path.write_text(f"label,sample\ndog,{name[0, 'end']}\neel,p0123456789abcde\n")
    with pytest.raises(SpecError, match=r"labels the picture 'p0123456789abcde', .* belong to another run"):
        export(run, "parquet", tmp_path / "again", label=path)


def test_a_class_that_is_called_neither_is_a_class(tmp_path: Path) -> None:
    run = made(tmp_path / "run", ["cat", "neither"])
    folder = export(run, "label-studio").path
    assert [each.get("value") for each in ElementTree.parse(folder / "config.xml").iter("Choice")] == [
        "cat",
        "neither",
        "cannot tell",
    ]
    (tmp_path / "x.csv").write_text("index,label\n1,neither\n2,cannot tell\n3,cat\n")
    assert pd.read_parquet(export(run, "parquet", label=tmp_path / "x.csv").path)["label"].tolist() == ["neither", "cat"]


def test_label_studio_needs_no_condition(tmp_path: Path) -> None:
    done = export(made(tmp_path / "run", asked=False), "label-studio")
    assert (done.samples, done.notes) == (11, ("1 sample left out: the search failed.",))


def test_an_export_filed_by_condition_says_how_often_that_is_wrong(tmp_path: Path) -> None:
    run = made(tmp_path / "run", audit=AUDIT)
    (*_, said, audit, advice) = export(run, "imagefolder", tmp_path / "end").notes
    assert "of 11 pictures, neither classifier names it on 0, and only one of them on 11" in said
    assert "the two name it on 19 of 20 and 18 of 20 pictures" in audit
    assert "--to label-studio" in advice
    assert said in (tmp_path / "end" / "README.md").read_text(encoding="utf-8")
    (*_, said, audit, _) = export(run, "imagefolder", tmp_path / "start", pictures="start").notes
    assert "neither classifier names it on 0, and only one of them on 0" in said
    (run.folder / "referee.json").write_text(Opinion("third", 3, 4, Sides(), Sides(), Sides(), 5, 9).as_json(run.digest))
    assert "third, names it on 5 of 9 pictures" in " ".join(export(run, "imagefolder", tmp_path / "again").notes)
    assert len(export(run, "imagefolder", tmp_path / "first", label="first").notes) == 1
    wrong = made(tmp_path / "wrong", count=0)
    wrong.append([row(i, ANIMALS) | {"target_classes": [(i + 2) % 3]} for i in range(4)])
    assert "of 4 pictures, neither classifier names it on 4" in " ".join(export(wrong, "imagefolder").notes)


def test_what_people_chose_comes_back_as_label_studio_writes_it(run: Run, tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    chosen = (
        'annotation_id,"image","index","label","stage"\n1,x,0,dog,end\n2,x,1,"a newt, or two",end\n3,x,2,,end\n4,x,3,eel,start\n'
    )
    (tmp_path / "labels.CSV").write_text(chosen, encoding="utf-8-sig")
    done = export(run, "imagefolder", label=str(tmp_path / "labels.CSV"))
    opened = ImageFolder(str(done.path))
    assert [(Path(path).name, opened.classes[label]) for path, label in opened.samples] == [
        ("sample-000001-end.png", "a newt, or two"), ("sample-000000-end.png", "dog"),
    ]  # fmt: skip
    assert "9 samples left out: no label." in done.notes


@pytest.mark.parametrize("to", ["imagefolder", "parquet", "datasets", "fiftyone", "label-studio"])
def test_hostile_names_of_classes_stay_inside_the_folder_and_keep_their_samples(tmp_path: Path, to: str) -> None:
    from torchvision.datasets import ImageFolder

    run = made(tmp_path / "run", HOSTILE, count=28, samples=14)
    folder = tmp_path / "inside" / "out"
    export(run, to, folder)
    assert {path.name for path in tmp_path.iterdir()} <= {"run", "inside", "cache"}
    assert [path.name for path in (tmp_path / "inside").iterdir()] == ["out"]
    if to == "imagefolder":
        opened = ImageFolder(str(folder))
        assert len(opened.classes) == len(HOSTILE)
        told = pd.read_csv(folder / "metadata.csv", keep_default_na=False).set_index("file_name")
        for path, _ in opened.samples:
            line = told.loc[Path(path).relative_to(folder).as_posix()]
            assert line["label"] == HOSTILE[line["index"] % len(HOSTILE)].replace("\0", "")
    if to == "label-studio":
        offered = [choice.get("value") for choice in ElementTree.parse(folder / "config.xml").iter("Choice")]
        tasks = json.loads((folder / "tasks.json").read_text())
        assert len(tasks) == 27
        assert set(map(visible, HOSTILE)) <= set(offered)


@given(st.lists(st.text(max_size=300), unique=True, max_size=20))
def test_folders_of_classes_are_names_that_any_file_system_takes_and_differ(names: list[str]) -> None:
    found = folder_names(names)
    assert list(found) == names
    assert len({name.casefold() for name in found.values()}) == len(names)
    for name in found.values():
        assert 0 < len(name.encode()) <= 255
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert name[0] not in "._ "
        assert name[-1] not in ". "
        assert name.isprintable()


def test_of_two_classes_with_one_name_each_keeps_its_own_samples(tmp_path: Path) -> None:
    cranes = [{"name": "crane", "id": "n02012849"}, {"name": "crane", "id": "n03126707"}, {"name": "owl", "id": "n01621127"}]
    run = made(tmp_path / "run", ["crane"], count=0)
    models = run.record["models"] | {side: {"labels": cranes} for side in ("first", "second")}
    run = replace(run, record=run.record | {"models": models})
    rows = [row(i, ["crane"]) | {"condition_id": cranes[i]["id"], "condition_name": cranes[i]["name"]} for i in range(3)]
    for each, label in zip(rows, cranes, strict=True):
        each["first_end"] = predicted(label["name"], label["id"])
    run.append(rows)
    expected = ["crane (n02012849)", "crane (n03126707)", "owl"]
    for label in ("condition", "first"):
        table = pd.read_parquet(export(run, "parquet", tmp_path / label, label=label).path)
        assert table["label"].tolist() == expected
        assert table["first_end"].tolist() == expected


@pytest.mark.parametrize(
    ("where", "query"),
    [
        (["order=forward"], "order == 'forward'"),
        (["divergence_end>=4", "survives_storage=true"], "divergence_end >= 4 and survives_storage"),
        (["divergence_end<4", "order != forward"], "divergence_end < 4 and order != 'forward'"),
        (["survives_storage=no"], "not survives_storage"),
        (["condition = 1"], "condition == 1"),
        (["first_end=dog"], "first_top == 'dog'"),
        (["index>8"], "index > 8"),
    ],
)
def test_filters_leave_what_pandas_would_leave(run: Run, where: list[str], query: str) -> None:
    rows = (
        good(run).assign(first_top=lambda rows: [tops[0]["name"] for tops in rows["first_end"]]).astype({"survives_storage": bool})
    )
    expected = rows.query(query)["index"].tolist()
    assert 0 < len(expected) < 11
    assert pd.read_parquet(export(run, "parquet", where=where).path)["index"].tolist() == expected


def test_a_value_that_is_not_known_passes_no_filter(run: Run) -> None:
    for text in ("typicality_end<1", "typicality_end>=1", "typicality_end!=1"):
        with pytest.raises(SpecError, match="No sample passes the filters"):
            export(run, "parquet", where=[text])


def test_the_top_samples_are_those_with_the_largest_divergence(run: Run) -> None:
    done = export(run, "parquet", top=4)
    assert set(pd.read_parquet(done.path)["index"]) == set(good(run).nlargest(4, "divergence_end")["index"])
    assert done.notes[:2] == (
        "1 sample left out: the search failed.",
        "7 samples with a smaller divergence left out.",
    )


def test_samples_are_chosen_by_index_and_both_pictures_lie_side_by_side(run: Run) -> None:
    table = pd.read_parquet(export(run, "parquet", samples=[7, 2], pictures="both").path)
    assert list(zip(table["index"], table["stage"], strict=True)) == [(2, "start"), (2, "end"), (7, "start"), (7, "end")]
    assert [each["bytes"] for each in table["image"]] == [stored(n)["bytes"] for n in (2, 1002, 7, 1007)]


def test_most_probable_disagreements_are_exported_of_samples_that_have_one(tmp_path: Path) -> None:
    rows = [row(index, ANIMALS) | {"probable_differs": False} for index in range(2)]
    rows[0] |= {"probable_differs": True, "picture_probable": stored(99)}
    rows[0] |= {"first_probable": predicted("eel"), "second_probable": predicted("dog")}
    run = made(tmp_path / "run", count=0)
    run.append(rows)
    done = export(run, "parquet", pictures="probable", label="second")
    table = pd.read_parquet(done.path)
    assert table[["index", "stage", "label", "first_probable"]].to_numpy().tolist() == [[0, "probable", "dog", "eel"]]
    assert table["image"][0]["bytes"] == stored(99)["bytes"]
    assert any("no most probable disagreement was sought or reached" in note for note in done.notes)


def test_labels_are_what_they_are_called(run: Run, tmp_path: Path) -> None:
    rows = good(run)
    expected = {
        "condition": rows["condition_name"].tolist(),
        "first": [tops[0]["name"] for tops in rows["first_end"]],
        "second": [tops[0]["name"] for tops in rows["second_end"]],
        "agreed": [tops[0]["name"] for tops in rows["first_start"]],
    }
    for label, names in expected.items():
        assert pd.read_parquet(export(run, "parquet", tmp_path / label, label=label).path)["label"].tolist() == names
    said = export(run, "parquet", tmp_path / "said", label={3: "eel", 8: "newt"}).path
    assert pd.read_parquet(said)["label"].tolist() == ["eel", "newt"]


def test_without_conditions_the_answer_says_which_labels_there_are(tmp_path: Path) -> None:
    run = made(tmp_path / "run", asked=False)
    with pytest.raises(SpecError, match=r"takes no class\. Choose another label: agreed"):
        export(run, "imagefolder")
    assert not (run.folder / "exports" / "imagefolder").exists()
    assert export(run, "imagefolder", label="agreed").samples == 11


def test_conditions_that_are_no_classes_are_told(tmp_path: Path) -> None:
    run = made(tmp_path / "run", count=0)
    run.append([row(i, ANIMALS) | {"target_classes": [], "condition_name": f"photo {i}"} for i in range(3)])
    assert any("not classes of the classifiers" in note for note in export(run, "imagefolder").notes)


def test_a_sample_without_its_picture_is_named(tmp_path: Path) -> None:
    run = made(tmp_path / "run", count=0)
    run.append([row(0, ANIMALS), row(1, ANIMALS) | {"picture_end": None}])
    for to in ("imagefolder", "parquet"):
        with pytest.raises(DataError, match="picture of sample 1 is missing"):
            export(run, to)
    with pytest.raises(DataError, match="is missing"):
        Comparison(run).best(2)


def test_a_folder_that_holds_files_is_left_as_it_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="already holds files"):
        export(run, "imagefolder", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert export(run, "imagefolder", tmp_path / "empty").path == tmp_path / "empty"
    with pytest.raises(RunFolderError, match="already holds files"):
        export(run, "imagefolder", tmp_path / "empty")


def test_an_export_that_breaks_off_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = Run.tables

    def broken(self: Run, columns: Any = None) -> Iterator[Any]:
        for table in tables(self, columns):
            pictured = "picture_end" in table.column_names
            yield table.slice(0, 8) if pictured else table
            if pictured:
                raise KeyboardInterrupt

    monkeypatch.setattr(Run, "tables", broken)
    for to in OF_PICTURES:
        with pytest.raises(KeyboardInterrupt):
            export(run, to, tmp_path / "exports" / to)
    assert list((tmp_path / "exports").iterdir()) == []


@pytest.mark.slow
def test_a_killed_export_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    run = made(tmp_path / "run", count=600, samples=300)
    out = run.folder / "exports" / "out"
    code = (
        "from pathlib import Path; from gevaldi.exports import export; from gevaldi.runs.store.run import Run\n"
        f"export(Run.open(Path({str(run.folder)!r})), 'imagefolder', Path({str(out)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    while process.poll() is None and not list(run.folder.glob("exports/.out.*.unfinished/*/*.png")):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = [path.name for path in out.parent.iterdir()]
    assert left == ["out"] or all(name.startswith(".out.") and name.endswith(".unfinished") for name in left)
    if out.exists():
        assert len(list(out.rglob("*.png"))) == 599
    else:
        run.tidy()  # as a resumed run does
        assert export(run, "imagefolder", out).pictures == 599


def test_the_same_run_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    for to in OF_PICTURES:
        found = []
        for place in ("one", "other"):
            export(run, to, tmp_path / place / to)
            files = sorted(path for path in (tmp_path / place / to).rglob("*") if path.is_file())
            found.append({path.relative_to(tmp_path / place): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
        assert found[0] == found[1]
        assert len(found[0]) >= 2


def test_rows_of_older_runs_are_exported_with_what_they_have(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run = made(tmp_path / "run")
    for part in (run.folder / "samples").iterdir():
        table = pq.read_table(part)
        written_again(part, table.drop_columns(["survives_storage", "target_classes", "set_distance_1_end"]))
    table = pd.read_parquet(export(run, "parquet").path)
    assert len(table) == 11
    assert table["survives_storage"].isna().all()


def test_every_export_says_what_it_is_and_what_its_columns_hold(run: Run) -> None:
    for to in OF_PICTURES:
        done = export(run, to)
        page = (run.folder / "exports" / to / "README.md").read_text(encoding="utf-8")
        assert "the first classifier, `old`" in page
        assert "| divergence_end | D after the search, at step_end |" in page
        assert registry.documentation(to) in page
        assert done.samples == 11


def test_hostile_words_in_the_page_of_an_export_are_words_in_code(tmp_path: Path) -> None:
    run = made(tmp_path / "run", count=3)
    hostile = "object:`\u202e</x>" + "y" * 10_000
    for side in ("first", "second", "generator"):
        run.record["models"][side]["name"] = hostile
    run.record["command"] = hostile
    for to in OF_PICTURES:
        export(run, to)
        page = (run.folder / "exports" / to / "README.md").read_text(encoding="utf-8")
        assert "\u202e" not in page
        assert page.count("`'</x>yy") == 3  # without what says that it was an object
        assert "y" * 600 not in page


def test_a_sample_whose_divergence_is_not_known_is_not_among_the_top(tmp_path: Path) -> None:
    run = made(tmp_path / "run", count=0)
    run.append([row(i, ANIMALS) | {"divergence_end": end} for i, end in enumerate([float("nan"), 1.0, None, 3.0, 2.0])])
    assert pd.read_parquet(export(run, "parquet", top=2).path)["index"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("chosen", "answer"),
    [
        ({"to": "image-folder"}, "'imagefolder'"),
        ({"pictures": "ends"}, "Did you mean 'end'"),
        ({"where": ["order"]}, "expected COLUMN=VALUE"),
        ({"where": ["divergense_end>1"]}, "Did you mean 'divergence_end'"),
        ({"where": ["divergence_end>much"]}, "divergence_end is a number, and 'much' is not"),
        ({"where": ["survives_storage=1"]}, "survives_storage is true or false"),
        ({"where": ["steps=1.5"]}, "steps is a whole number"),
        ({"where": ["label=dog"]}, "no column to filter by named 'label'"),
        ({"where": ["status=failed"]}, "1 sample left out: the search failed"),
        ({"label": "conditions"}, "Did you mean 'condition'"),
        ({"label": "nowhere.csv"}, "cannot be read: No such file"),
        ({"samples": [3, 400]}, r"has no samples \[400\]"),
        ({"samples": [5]}, "1 sample left out: the search failed"),
        ({"top": 0}, "top=0 is invalid"),
        ({"label": {3: "eel", 400: "dog", 401: "dog"}}, "samples 400, 401, which the run in .* Do they belong to another run"),
    ],
)
def test_what_cannot_be_exported_is_answered_with_what_can(run: Run, chosen: dict[str, Any], answer: str) -> None:
    with pytest.raises(GevaldiError, match=answer):
        export(run, **{"to": "parquet", **chosen})
    assert not (run.folder / "exports").exists()


def test_a_file_that_holds_no_labels_is_answered_with_what_was_expected(run: Run, tmp_path: Path) -> None:
    for text in ("number,class\n1,dog\n", "index,label\none,dog\n", "\xff\xfe"):
        (tmp_path / "labels.csv").write_bytes(text.encode("latin-1"))
        with pytest.raises(SpecError, match="columns index and label"):
            export(run, "imagefolder", label=tmp_path / "labels.csv")


def test_labels_of_another_run_and_labels_that_contradict_each_other_are_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    for text, answer in (
        ("1,dog\n100,dog\n101,eel\n102,eel\n103,eel\n104,eel\n", r"samples 100, 101, 102 and 2 more, .* 12 of 12 rows\. Do they"),
        ("1,dog\n1,eel\n", "labels sample 1 both 'dog' and 'eel'"),
    ):
        path.write_text("index,label\n" + text)
        with pytest.raises(SpecError, match=answer):
            export(run, "parquet", label=path)
    path.write_text("index,label,stage\n1,dog,end\n1,eel,end\n")
    with pytest.raises(SpecError, match=r"sample 1 \(end\) both"):
        export(run, "parquet", label=path)
    path.write_text("index,label,stage\n1,dog,end\n1,dog,end\n1,eel,start\n1,,end\n")
    assert pd.read_parquet(export(run, "parquet", label=path, pictures="both").path)["label"].tolist() == ["eel", "dog"]


def test_the_command_says_where_the_export_is_and_what_is_missing(run: Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["export", str(run.folder), "--to", "imagefolder", "--samples", "0,1,5", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert f"imagefolder: {tmp_path / 'out'} (2 pictures)" in done.stdout
    assert "1 sample left out: the search failed" in done.stderr
    unfinished = made(tmp_path / "half", samples=50)
    assert "not complete: 12 of 100 rows" in CliRunner().invoke(app, ["export", str(unfinished.folder), "--to", "parquet"]).stderr
    wrong = CliRunner().invoke(app, ["export", str(run.folder), "--to", "parquet", "--samples", "1,x"])
    assert "indices of samples were expected" in str(wrong.exception)


def test_a_comparison_exports_itself(run: Run, tmp_path: Path) -> None:
    path = Comparison(run).export("parquet", tmp_path / "out", where=["order=forward"], pictures="start")
    assert pd.read_parquet(path)["stage"].tolist() == ["start"] * 6


@pytest.mark.slow
def test_an_export_needs_no_torch_and_not_the_package_it_is_for(run: Run) -> None:
    code = (
        "import sys; from pathlib import Path; from gevaldi.comparison import Comparison; from gevaldi.exports import registry\n"
        f"for to in {OF_PICTURES}: Comparison.open({str(run.folder)!r}).export(to)\n"
        "print([name for name in ('torch', 'torchvision', 'datasets', 'fiftyone', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "[]"


def test_the_progress_is_of_samples_and_reaches_its_end(run: Run) -> None:
    from gevaldi.exports._selection import select_samples

    begun: list[tuple[int, int]] = []
    assert len(list(select_samples(run, "both", (), 3, None, "condition").each(lambda *now: begun.append(now)))) == 6
    assert begun == [(1, 3), (2, 3), (3, 3)]


FORMULAS = [
    "=1+1",
    "+1+1",
    "-1-1",
    "@sum(1)",
    "＝1",
    "'=1",
    "''-x",
    "-1",
    "+.5e3",
    "'quoted'",
    "a=b",
    "\t=1",
    " =1",
    "-",
    "\r=1",
    "-inf",
]


def cells_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_class_that_begins_like_a_formula_is_text_in_a_spreadsheet_and_comes_back_by_its_name(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    run = made(tmp_path / "run", FORMULAS, count=len(FORMULAS), samples=len(FORMULAS) // 2)
    folder = export(run, "imagefolder").path
    cells = cells_of(folder / "metadata.csv")
    for text in (text for row in cells for text in row.values()):
        assert not text.startswith(("=", "@", "＝", "\t", "\r"))
        assert not text.startswith(("+", "-")) or float(text) is not None  # a number
    labels = {int(row["index"]): row["label"] for row in cells}
    names = {i: name for i, name in enumerate(FORMULAS) if i != 5}  # which failed
    assert {labels[i] for i in names if labels[i] == names[i]} == {"-1", "+.5e3", "'quoted'", "a=b", " =1", "-inf"}
    again = export(run, "parquet", tmp_path / "again", label=folder / "metadata.csv").path
    assert pd.read_parquet(again).set_index("index")["label"].to_dict() == names
    assert len(ImageFolder(str(folder)).classes) == len(names)
    assert all(path.name[0] not in "=+-@＝" for path in folder.iterdir())


def test_datasets_finds_the_pictures_of_classes_that_begin_like_formulas(tmp_path: Path) -> None:
    from datasets import load_dataset

    names = ["=1+1", "@x", "cat"]
    folder = export(made(tmp_path / "run", names), "imagefolder").path
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        opened = load_dataset(str(folder), split="train")
        gc.collect()
    assert {each["label"] for each in opened} == {"'=1+1", "'@x", "cat"}
    assert opened[0]["image"].size == (8, 8)
    exact = load_dataset(str(export(made(tmp_path / "other", names), "datasets").path), split="train")
    assert exact.features["label"].names == names


def test_numbers_of_a_table_stay_numbers(run: Run) -> None:
    cells = pd.read_csv(export(run, "imagefolder").path / "metadata.csv")
    assert cells["log_prior_end"].dtype == float
    assert (cells["log_prior_end"] < 0).any()


def test_a_surrogate_in_a_label_does_not_keep_the_table_from_being_written(run: Run) -> None:
    folder = export(run, "imagefolder", label={0: "half\ud800", 1: "=x"}).path
    assert [row["label"] for row in cells_of(folder / "metadata.csv")] == ["half?", "'=x"]
