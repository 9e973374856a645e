"""Names with commas, brackets, quotes and the like, and numbers that are names: in double quotes each is one name, everywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import gevaldi
from conftest import called
from gevaldi.bundled.digits import real_digits
from gevaldi.calls import Call
from gevaldi.classifiers import load_classifier
from gevaldi.divergences import divergence
from gevaldi.errors import SpecError
from gevaldi.generators import load_generator
from gevaldi.names import told_apart
from gevaldi.pictures import sources
from gevaldi.quoting import split_unquoted, unquoted
from gevaldi.spec import Spec, overridden, spec_from
from gevaldi.sweeps.spec import short_names

NAMES = [
    *("a, b", "a,b=c", "a=b", "a (1", "a) b", "a (1, 2)", "[a", "{a}", 'a "b", c', '"a"', "Bob's", "c++, 2", " a ", "a:b", "ü, ñ"),
    *("1.5", "007", "1e5", "true", "null", "NaN", "12", "-0", "no"),
]
MODELS = """
import torch
from torch import nn
import gevaldi

def make(name=""):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    return gevaldi.classifier(net, labels=10, name=str(name))

def own(log_p, log_q):
    return (log_p - log_q).square().sum(-1)

class Halves(nn.Module):
    def encode(self, x):
        return nn.functional.avg_pool2d(x, 2)
    def decode(self, z):
        return nn.functional.interpolate(z, scale_factor=2)
"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pictures_in(folder: Path) -> None:
    """Digits, of which some lie in another one's folder."""
    pictures, labels = real_digits()
    for i in range(0, 1000, 25):
        place = folder / str((int(labels[i]) + (i % 200 == 0)) % 10)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pictures[i, 0] * 255).byte().numpy()).save(place / f"{i}.png")


USES: dict[str, Callable[[str, str], Any]] = {
    "a folder": lambda file, folder: sources.load(f"folder:{folder}"),
    "a list of classes": lambda file, folder: sources.load(f"folder:{folder},classes=none"),
    "a file of Python": lambda file, folder: load_classifier(f"python:{file}:make"),
    "an option of one": lambda file, folder: load_classifier(f"python:{file}:make,name={folder}"),
    "a copy": lambda file, folder: load_classifier(f"pruned:python:{file}:make,amount=0.5"),
    "a copy in brackets": lambda file, folder: load_classifier(f"pruned:(python:{file}:make,name={folder}),amount=0.5"),
    "copies of copies": lambda file, folder: load_classifier(f"half:pruned:(python:{file}:make),amount=0.5"),
    "an ensemble": lambda file, folder: load_classifier(f"ensemble:python:{file}:make+(python:{file}:make,name={folder})"),
    "pictures of a copy": lambda file, folder: load_classifier(
        f"quantised:python:{file}:make,pictures=folder:{folder},pictures_size=28,pictures_count=2"
    ),
    "pictures in brackets": lambda file, folder: load_classifier(f"calibrated:(bundled:mnist-strided),pictures=(folder:{folder})"),
    "a divergence": lambda file, folder: divergence(f"python:{file}:own", 10),
    "an autoencoder": lambda file, folder: load_generator(
        f"autoencoder:python:{file}:Halves,pictures=folder:{folder},count=2,size=28"
    ),
    "options of its pictures": lambda file, folder: load_generator(
        f"autoencoder:python:{file}:Halves,pictures=(folder:{folder},classes=none),count=2,size=28"
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_name_is_one_in_every_place_of_a_model_string(here: Path, name: str, use: str) -> None:
    (here / f"{name}.py").write_text(MODELS)
    pictures_in(here / name)
    assert USES[use](quoted(f"{name}.py"), quoted(name)) is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_option_is_text_and_reaches_a_function_as_it_is(here: Path, name: str) -> None:
    (here / "models.py").write_text(MODELS)
    assert load_classifier(f"python:models.py:make,name={quoted(name)}").name == name
    assert Call.parse(f"x,a={quoted(name)} , b=1") == Call("x", {"a": name, "b": 1})


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_names_come_back_from_between_any_others(names: list[str]) -> None:
    text = ",".join(quoted(name) for name in names)
    assert [unquoted(part) for part in split_unquoted(text, ",")] == names
    assert Call.parse("x," + ",".join(f"k{i}={quoted(name)}" for i, name in enumerate(names))).options == {
        f"k{i}": name for i, name in enumerate(names)
    }


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('a"b,c"d', ['a"b', 'c"d']),  # in a word quotes are letters
        ('"a,b', ['"a', "b"]),  # and where they do not end
        ('a="b,c"d,e', ['a="b', 'c"d', "e"]),
        ('a=["b,c", "d"],e', ['a=["b,c", "d"]', "e"]),
        ('a=["]"],e', ['a=["]"]', "e"]),
        ('(a,b="c)"),d', ['(a,b="c)")', "d"]),
        ('a(b,c="d,e"', ["a(b", 'c="d,e"']),
        (' "a,b" ,c', [' "a,b" ', "c"]),
        ('""', ['""']),
        ("", [""]),
    ],
)
def test_quotes_begin_and_end_where_names_do(text: str, parts: list[str]) -> None:
    assert split_unquoted(text, ",") == parts


def test_a_comma_without_quotes_is_answered_with_them(here: Path) -> None:
    for text in ("folder:a, b", "python:a, b.py:make", "quantised:python:m.py:make,pictures=folder:a,b"):
        with pytest.raises(SpecError, match="stands in double quotes, as in 'folder:\"a, b\"'"):
            (sources.load if text.startswith("folder") else load_classifier)(text)


@pytest.mark.parametrize("value", ["1.50", "1e5", "true", "NaN"])
def test_a_number_where_text_is_expected_is_answered_with_quotes(here: Path, value: str) -> None:
    (here / "models.py").write_text(MODELS.replace('name=""', "name: str"))
    with pytest.raises(SpecError, match=r"text was expected\. To give it as text, write name=\"") as caught:
        load_classifier(f"python:models.py:make,name={value}")
    remedy = str(caught.value).rpartition("write ")[2].rstrip(".")
    assert load_classifier(f"python:models.py:make,{remedy}").name


LABELS = ("St. Bernard", "a=b", "corn, maize", "crane (bird)", '"x"', "7", "007", "no", "1.10", "plain")


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("meant", [*LABELS, None])
def test_labels_of_any_name_are_said_on_the_command_line_and_in_a_spec(label: str, meant: str | None) -> None:
    settings: dict[str, Any] = {}
    overridden(
        settings,
        f"first_classes.{quoted(label)}={'null' if meant is None else json.dumps(meant) if meant[0] == chr(34) else meant}",
    )
    assert settings == {"first_classes": {label: meant}}
    models = {"first": "a:b", "second": "a:c", "generator": "a:d"}
    spec = spec_from({**models, **settings})
    assert spec.first_classes == {label: meant}
    again = yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json")))
    assert Spec.model_validate(again) == spec


@pytest.mark.parametrize(
    "settings",
    [
        {"first_classes": {False: "a"}},
        {"first_classes": {"a": True}},
        {"first_classes": {1.1: "a"}},
        {"conditions": [True]},
        {"conditions": False},
    ],
)
def test_a_name_that_yaml_takes_for_yes_or_a_fraction_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="in quotes"):
        spec_from({"first": "a:b", "second": "a:c", "generator": "a:d", **settings})


def test_short_names_are_cut_at_commas_outside_quotes() -> None:
    names = ('torchvision:resnet50,weights="a, b.pth"', 'python:"a, b.py":make,seed=1', 'python:"a, b.py":make,seed=2')
    assert short_names(names)[0] == "resnet50"
    assert told_apart(names[1], names[2]) == ("make,seed=1", "make,seed=2")


@pytest.mark.slow
def test_names_with_commas_are_taken_by_the_commands_and_come_back_from_a_run(tmp_path: Path) -> None:
    (tmp_path / "my, models (1.py").write_text(MODELS)
    pictures_in(tmp_path / "real, a=b")
    first, real = 'python:"my, models (1.py":make,name="a, b"', 'folder:"real, a=b"'
    more = ("--set", "search.steps=2", "--set", "audited=2", "--set", "search.goal=most divergent")
    pair = (first, "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "--real", real, "-n", "1", *more)
    done = called(tmp_path, "compare", *pair, "--out", "run, 1")
    assert done.returncode == 0, done.stderr
    run = gevaldi.Comparison.open(tmp_path / "run, 1")
    assert run.run.spec.first == first
    assert run.run.record["models"]["first"]["name"] == "a, b"
    assert run.run.record["command"] == "gevaldi compare --spec 'run, 1/spec.yaml' --out NEW_FOLDER"
    for words in (
        ("resume", "run, 1"),
        ("compare", "--spec", "run, 1/spec.yaml", "--out", "again"),
        ("referee", "run, 1", f"pruned:({first}),amount=0.5"),
        ("cluster", first, "--pictures", real),
        ("sweep", first, "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "-n", "1", *more, "--out", "sweep"),
    ):
        done = called(tmp_path, *words)
        assert done.returncode == 0, (words, done.stderr)
