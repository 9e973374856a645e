"""Folders of pictures as people have them: classes are those of torchvision's ImageFolder, or the layout is refused in a sentence."""

# ruff: noqa: E501  a line a case

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn
from torchvision.datasets import ImageFolder

import gevaldi
from conftest import called
from gevaldi.errors import DataError
from gevaldi.pictures import sources
from gevaldi.pictures._unknown import unknown_classes

Make = Callable[[Path], None]


def put(*paths: str) -> Make:
    """Pictures at these paths."""

    def make(root: Path) -> None:
        for i, path in enumerate(paths):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4, 3), 10 * i, np.uint8)).save(root / path)

    return make


def with_text(make: Make, **texts: str) -> Make:
    def both(root: Path) -> None:
        make(root)
        for name, text in texts.items():
            (root / name.replace("_dot_", ".")).write_text(text)

    return both


def links_to_classes(root: Path) -> None:
    put("store/1/x.png", "store/2/y.png")(root.parent / "elsewhere")
    root.mkdir(exist_ok=True)
    (root / "cat").symlink_to(root.parent / "elsewhere" / "store" / "1")
    (root / "dog").symlink_to(root.parent / "elsewhere" / "store" / "2")


def link_to_a_picture(root: Path) -> None:
    put("cat/x.png", "dog/y.png")(root)
    (root / "dog" / "z.png").symlink_to(root / "cat" / "x.png")


AS_IMAGEFOLDER: dict[str, Make] = {
    "a folder for each class": put("cat/x.png", "dog/y.png"),
    "tiny-imagenet": put("n01443537/images/n01443537_0.JPEG", "n01629819/images/n01629819_0.JPEG"),
    "boxes beside pictures": with_text(put("n01443537/images/a.png", "n02012849/images/b.png"), boxes_dot_txt="a.png 1 2 3 4"),
    "groups within classes": put("cat/tabby/x.png", "cat/persian/y.png", "dog/z.png"),
    "groups of groups": put("animals/dogs/pug/x.png", "animals/cats/y.png", "tools/saws/z.png"),
    "one class": put("cat/x.png", "cat/y.png"),
    "one class with some in a folder": put("cat/x.png", "cat/more/y.png"),
    "one class as tiny-imagenet has it": put("cat/images/x.png", "cat/images/y.png"),
    "a class called train among others": put("bus/x.png", "car/y.png", "train/z.png"),
    "classes of a split": put("train/x.png", "bus/train/y.png", "bus/z.png"),
    "numbers": put("0/x.png", "1/y.png", "10/z.png", "2/w.png"),
    "numbers with zeros": put("000/x.png", "001/y.png"),
    "spaces and other letters": put("great white shark/x.png", "käse, 2/y.png"),
    "links to classes": links_to_classes,
    "a link to a picture": link_to_a_picture,
    "endings in capitals": put("cat/x.PNG", "dog/y.JPG", "dog/z.JPEG", "dog/w.WEBP", "dog/v.BMP"),
    "other files": with_text(put("cat/x.png", "dog/y.png"), README_dot_md="x", Thumbs_dot_db="x", labels_dot_csv="x.png,dog"),
}


@pytest.mark.parametrize("name", AS_IMAGEFOLDER)
def test_classes_are_those_of_imagefolder(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    AS_IMAGEFOLDER[name](root)
    found, expected = sources.load(f"folder:{root}"), ImageFolder(root)
    theirs = {path: expected.classes[target] for path, target in expected.samples}
    assert {str(path): shown for path, shown in zip(found.pictures.paths, found.classes, strict=True)} == {
        str(path): theirs.get(str(path)) for path in found.pictures.paths
    }
    assert set(theirs) <= {str(path) for path in found.pictures.paths}


def loop(root: Path) -> None:
    put("cat/x.png", "dog/y.png")(root)
    (root / "cat" / "again").symlink_to(root)
    (root / "dog" / "other").symlink_to(root / "cat")


OTHERWISE: dict[str, tuple[Make, str, list[str | None]]] = {
    "hidden folders": (put("cat/x.png", ".ipynb_checkpoints/y.png", "__MACOSX/cat/x.png"), "", ["cat"]),
    "hidden files of a Mac": (with_text(put("cat/x.png"), **{"._y_dot_png": "no picture"}), "", ["cat"]),
    "WordNet ids in names": (put("n01443537_1.png", "ILSVRC2012_val_00000001_n01751748.png", "x.png"), "", ["n01751748", "n01443537", None]),
    "ids in names, not in folders": (put("a/n01443537_1.png", "b/x.png"), ",classes=names", ["n01443537", None]),
    "no classes": (put("a/x.png", "b/y.png"), ",classes=none", [None, None]),
    "splits for classes": (put("train/x.png", "val/y.png"), ",classes=folders", ["train", "val"]),
    "a container for a class": (put("images/x.png"), ",classes=folders", ["images"]),
    "one class in several folders": (put("cat/a/x.png", "cat/b/y.png"), ",classes=folders", ["cat", "cat"]),
    "a folder that links to itself": (loop, "", ["cat", "dog", "dog"]),
    "a list with a head": (with_text(put("x.png", "y.png"), l_dot_csv="image,label\nx.png,cat\ny.png,dog\n"), ",classes=l.csv", ["cat", "dog"]),
    "a list without a head": (with_text(put("x.png", "y.png"), l_dot_csv="x.png,cat\ny.png,dog\n"), ",classes=l.csv", ["cat", "dog"]),
    "a list by paths": (
        with_text(put("images/x.png", "images/y.png"), l_dot_csv="file,label\nimages/x.png,cat\n./images/y.png,dog"),
        ",classes=l.csv",
        ["cat", "dog"],
    ),
    "a list by paths from above": (
        with_text(put("a/x.png", "b/x.png"), l_dot_csv="root/a/x.png,cat\nroot/b/x.png,dog"),
        ",classes=l.csv",
        ["cat", "dog"],
    ),
    "a list by Windows paths": (with_text(put("a/x.png"), l_dot_csv="a\\x.png,cat"), ",classes=l.csv", ["cat"]),
    "a list by names without endings": (
        with_text(put("0a.jpg", "0b.jpg"), l_dot_csv="id,breed\n0a,pug\n0b,beagle"),
        ",classes=l.csv",
        ["pug", "beagle"],
    ),
    "a list of pandas": (
        with_text(put("x.png", "y.png"), l_dot_csv=",file,class\n0,x.png,cat\n1,y.png,dog"),
        ",classes=l.csv",
        ["cat", "dog"],
    ),
    "a list with numbers and names": (
        with_text(put("x.png", "y.png"), l_dot_csv="file,label,class_name\nx.png,0,cat\ny.png,1,dog"),
        ",classes=l.csv",
        ["cat", "dog"],
    ),
    "a list with commas in names": (
        with_text(put("x.png", "y, z.png"), l_dot_csv='file,label\nx.png,"corn, maize"\n"y, z.png",eel'),
        ",classes=l.csv",
        ["corn, maize", "eel"],
    ),
    "a list with semicolons": (with_text(put("x.png"), l_dot_csv="file;label\nx.png;cat"), ",classes=l.csv", ["cat"]),
    "a list with a mark of its encoding": (with_text(put("x.png"), l_dot_csv="\ufefffile,label\nx.png,cat"), ",classes=l.csv", ["cat"]),
    "tiny-imagenet's list": (
        with_text(put("images/val_0.JPEG", "images/val_1.JPEG"), l_dot_txt="val_0.JPEG\tn01443537\t0\t32\t44\t62\nval_1.JPEG\tn02012849\t1\t2\t3\t4"),
        ",classes=l.txt",
        ["n01443537", "n02012849"],
    ),
    "Caffe's list": (with_text(put("x.png", "y.png"), l_dot_txt="x.png 65\ny.png 970\n"), ",classes=l.txt", ["65", "970"]),
    "Kaggle's ImageNet list": (
        with_text(put("ILSVRC2012_val_1.JPEG"), l_dot_csv="ImageId,PredictionString\nILSVRC2012_val_1,n03995372 85 1 499 272 n1 2 3 4 5"),
        ",classes=l.csv",
        ["n03995372"],
    ),
    "a list in JSON": (with_text(put("x.png", "y.png"), l_dot_json='{"x.png": "cat", "y.png": 7}'), ",classes=l.json", ["cat", "7"]),
    "a list of more and of fewer": (
        with_text(put("x.png", "y.png"), l_dot_csv="file,label\nw.png,eel\nx.png,cat"),
        ",classes=l.csv",
        ["cat", None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_classes_are_where_people_put_them(tmp_path: Path, name: str) -> None:
    make, options, expected = OTHERWISE[name]
    root = tmp_path / "root"
    root.mkdir()
    make(root)
    assert sources.load(f"folder:{root}{options}").classes == expected


def closed(root: Path) -> None:
    put("cat/x.png", "dog/y.png")(root)
    (root / "dog").chmod(0)


REFUSED: dict[str, tuple[Make, str, str]] = {
    "splits of classes": (put("train/cat/x.png", "val/cat/y.png", "test/z.png"), "", r"are splits, not classes: test, train, val\. Name one of them: folder:.*val"),
    "splits called otherwise": (put("Training/cat/x.png", "Validation/cat/y.png"), "", "are splits, not classes"),
    "splits among others": (put("train/cat/x.png", "val/cat/y.png", "extra/z.png"), "", "are splits, not classes"),
    "one split": (put("val/cat/x.png", "val/dog/y.png"), "", "folder:.*/val"),
    "splits of every class": (put("cat/train/x.png", "cat/test/y.png", "dog/train/z.png"), "", r"splits of its own \(test, train\)"),
    "one container": (put("images/x.png", "images/y.png"), "", "The folder images .* would be a class.*folder:.*/images.*classes=FILE"),
    "tiny-imagenet's val": (
        with_text(put("images/val_0.JPEG"), val_annotations_dot_txt="val_0.JPEG\tn01443537\t0\t32\t44\t62"),
        "",
        r"The folder images .* classes=val_annotations\.txt",
    ),
    "a container of classes": (put("images/cat/x.png", "images/dog/y.png"), "", "folder:.*/images"),
    "pictures and masks": (put("images/x.png", "masks/x.png"), "", "The folder images"),
    "a folder around classes": (put("set/cat/x.png", "set/dog/y.png"), "", "set would be their only class. Name that folder: folder:.*/set"),
    "folders around classes": (put("set/v1/cat/x.png", "set/v1/dog/y.png"), "", "folder:.*/set/v1"),
    "a list that is not named": (
        with_text(put("x.png", "y.png"), labels_dot_csv="file,label\nx.png,cat\ny.png,dog"),
        "",
        r"Only labels\.csv says the classes .* classes=labels\.csv .* classes=none",
    ),
    "a list of other pictures": (with_text(put("x.png"), l_dot_csv="file,label\nz.png,cat"), ",classes=l.csv", "names none of the 1 pictures"),
    "a list in which a name is several's": (
        with_text(put("a/x.png", "b/x.png"), l_dot_csv="file,label\nx.png,cat"),
        ",classes=l.csv",
        "names none of the 2 pictures",
    ),
    "a list that says two things": (
        with_text(put("x.png"), l_dot_csv="file,label\nx.png,cat\nx.png,dog"),
        ",classes=l.csv",
        "says two things of .*x.png: cat and dog",
    ),
    "a list of one column": (with_text(put("x.png"), l_dot_csv="file\nx.png"), ",classes=l.csv", "not apparent which column"),
    "a list of ones and zeros": (
        with_text(put("x.png"), l_dot_csv="file,cat,dog\nx.png,1,0"),
        ",classes=l.csv",
        "it has file, cat, dog. Call it label",
    ),
    "no list": (put("x.png"), ",classes=nowhere.csv", "list of classes nowhere.csv cannot be read"),
    "an empty list": (with_text(put("x.png"), l_dot_csv=""), ",classes=l.csv", "names none"),
    "some pictures of another format": (put("cat/x.png", "cat/y.gif"), "", r"1 of the pictures .* formats that are not read, such as .*y\.gif"),
    "only pictures of another format": (put("cat/x.tif"), "", r"formats that are not read, such as .*x\.tif"),
    "other files only": (lambda root: (root / "x.npy").write_bytes(b""), "", r"no pictures in .* It holds files with \.npy"),
    "no files": (lambda root: None, "", "It holds no files"),
    "no folder": (lambda root: root.rmdir(), "", "It is no folder"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_names_no_classes_is_refused_with_what_to_name(tmp_path: Path, name: str) -> None:
    make, options, words = REFUSED[name]
    root = tmp_path / "root"
    root.mkdir()
    make(root)
    with pytest.raises(DataError, match=words):
        sources.load(f"folder:{root}{options}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    closed(tmp_path)
    try:
        with pytest.raises(DataError, match="dog cannot be listed: Permission denied"):
            sources.load(f"folder:{tmp_path}")
    finally:
        (tmp_path / "dog").chmod(0o700)


def network(*labels: str | gevaldi.Label) -> gevaldi.Classifier:
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(48, len(labels))), labels).eval()


GOLDFISH, CRANE = gevaldi.Label("goldfish", "n01443537"), gevaldi.Label("crane bird", "n02012849")
LOOKS = {
    ("0", "1", "10"): ((GOLDFISH, CRANE), "3 of the 3 classes .*: 0, 1, 10.* They look like indices, .* such as goldfish, crane bird"),
    ("n01443537", "n09999999"): ((GOLDFISH, CRANE), "1 of the 2 classes .*: n09999999.* WordNet ids, and those of the labels are such as n01443537"),
    ("n01443537",): (("goldfish", "crane"), "WordNet ids, and the labels have no ids"),
    ("/m/01yrx", "/m/0bt9lr"): (("cat", "dog"), r": /m/01yrx, /m/0bt9lr.* They look like ids of another list"),
    ("class_1", "class_2"): (("cat", "dog"), "ids of another list"),
    ("Crane_Bird", "goldfish"): ((GOLDFISH, CRANE), "differ from a label only in how they are written: 'Crane_Bird' and 'crane bird'"),
    ("001.Goldfish",): ((GOLDFISH, CRANE), "'001.Goldfish' and 'goldfish'"),
    ("goldfsh",): ((GOLDFISH, CRANE), "Does 'goldfsh' mean 'goldfish'"),
    ("spoon",): ((GOLDFISH, CRANE), "The labels are such as goldfish, crane bird. Name the folders"),
}  # fmt: skip


@pytest.mark.parametrize("classes", LOOKS)
def test_classes_that_nobody_knows_are_named_with_what_they_look_like(classes: tuple[str, ...]) -> None:
    labels, words = LOOKS[classes]
    sentences = unknown_classes(classes, network(*labels), network(*labels))
    assert sentences is not None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(sentences)


def test_classes_that_one_of_two_knows_are_known_also_by_an_id_in_a_longer_name() -> None:
    names = ["goldfish", "n02012849", "n02012849-crane", "eel", None]
    assert unknown_classes(names, network(GOLDFISH, CRANE), network("eel", "cod")) is None


def test_the_terminal_and_the_record_name_classes_that_neither_classifier_knows(tmp_path: Path) -> None:
    put(*(f"real/{name}/{i}.png" for name in ("3", "7", "seven") for i in range(2)))(tmp_path)
    pair = ("bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae")
    more = ("--real", "folder:real", "-n", "1", "--set", "search.steps=2", "--set", "audited=4", "--out", "run")
    done = called(tmp_path, "compare", *pair, *more)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "1 of the 3 classes of the real pictures are not known to any of the classifiers: seven." in said
    assert "2 of 6 pictures are of these" in said
    assert any("seven" in warning for warning in gevaldi.Comparison.open(tmp_path / "run").warnings)
