"""Options of models, figures and the rest: each value has the type of its parameter, and only `true` and `false` are yes and no."""

import inspect
import itertools
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import gevaldi.classifiers
import gevaldi.figures
import gevaldi.generators
import gevaldi.pictures
from conftest import called
from gevaldi.classifiers import load_classifier
from gevaldi.engines import engine
from gevaldi.errors import GevaldiError, SpecError
from gevaldi.generators import load_generator
from hostile.options import SPELLINGS, Bomb

SOURCES = (gevaldi.classifiers.sources, gevaldi.generators.sources, gevaldi.pictures.sources)
YES_OR_NO = [
    (sources, source, name)
    for sources in SOURCES
    for source in sources.registry
    for name, parameter in inspect.signature(sources.registry.get(source)().load).parameters.items()
    if "bool" in str(parameter.annotation) or isinstance(parameter.default, bool)
]
FACTORIES = """
from __future__ import annotations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
import gevaldi
from torch import nn
if TYPE_CHECKING:
    from nowhere import Nothing

def kept(**options: Any) -> Nothing:
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    net.options = options
    return gevaldi.classifier(net, labels=10)

def make(name: str, taxonomy: str = "", log_p: int = 0, *, self: bool = False) -> gevaldi.Classifier:
    return kept(name=name, taxonomy=taxonomy, log_p=log_p, self=self)

def typed(path: Path = Path("x"), share: float = 0.5, sides: tuple[int, ...] = (), tag: str | None = None,
          mode: Literal["a", "b"] = "a", plain=False, odd: Nothing = False, anything: Any = None, nothing: Nothing = None):
    return kept(path=path, share=share, sides=sides, tag=tag, mode=mode, plain=plain, odd=odd, anything=anything, nothing=nothing)
"""


def test_every_source_of_pickles_and_every_other_option_of_yes_and_no_is_among_them() -> None:
    found = {f"{source}:{name}" for _, source, name in YES_OR_NO}
    pickles = {f"{source}:pickle" for source in ("biggan", "exported", "timm", "torchscript", "torchvision", "transformers")}
    assert found >= pickles | {"onnx:gradients", "diffusers:checkpointing"}


@pytest.mark.parametrize("spelling", sorted({*SPELLINGS, "TRUE", "tRue", "t", "y", "enable", "-1", "1.0", '"true"'} - {"False"}))
def test_only_true_and_false_are_yes_and_no_in_every_source(spelling: str) -> None:
    for sources, source, name in YES_OR_NO:
        with pytest.raises(SpecError, match=f"^{name}=.* was given to the {sources.kind} .*; true or false was expected"):
            sources.load(f"{source}:nothing,{name}={spelling}")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_but_true_runs_a_pickle_through_any_source(tmp_path: Path, spelling: str) -> None:
    canary = tmp_path / "canary"
    for suffix in ("pt", "pt2"):
        (tmp_path / f"bomb.{suffix}").write_bytes(pickle.dumps({"state_dict": Bomb(canary)}, protocol=2))
    for text in (
        "torchvision:squeezenet1_0,weights={0}.pt",
        "half:torchvision:squeezenet1_0,weights={0}.pt",
        "pruned:(torchvision:squeezenet1_0,weights={0}.pt),amount=0.5",
        "ensemble:bundled:mnist-pooled+(exported:{0}.pt2)",
        "exported:{0}.pt2",
    ):
        spec = text.format(tmp_path / "bomb")
        inside = f"{spec[:-1]},pickle={spelling})" if spec.endswith(")") else f"{spec},pickle={spelling}"
        with pytest.raises(GevaldiError):
            load_classifier(inside)
    with pytest.raises(GevaldiError):
        load_generator(f"biggan:biggan-deep-128,weights={tmp_path / 'bomb.pt'},pickle={spelling}")
    assert not canary.exists()


def test_true_and_false_are_taken_as_python_and_json_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    path.write_bytes(b"")
    for spelling in ("false", "False"):
        with pytest.raises(GevaldiError, match=r"say exported:.*pickle=true"):
            load_classifier(f"exported:{path},pickle={spelling}")
    for spelling in ("true", "True"):
        with pytest.raises(GevaldiError, match="not a whole exported program"):
            load_classifier(f"exported:{path},pickle={spelling}")


def test_options_of_figures_and_engines_are_typed_too() -> None:
    for build, text in ((partial(gevaldi.figures.figure_of, None), "samples,distinct=yes"), (engine, "ray,logs=yes")):
        with pytest.raises(SpecError, match=r'="yes" was given to the .*; true or false was expected'):
            build(text)


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("factories.py").write_text(FACTORIES)
    return "python:factories.py"


def taken(text: str) -> dict[str, Any]:
    found: Any = load_classifier(text)
    return dict(found.module.options)


def test_a_factory_may_call_its_parameters_as_it_likes(factories: str) -> None:
    assert taken(f"{factories}:make,name=7,taxonomy=x,log_p=3,self=true") == {
        "name": "7",
        "taxonomy": "x",
        "log_p": 3,
        "self": True,
    }
    with pytest.raises(SpecError, match=r"needs name\. It takes name, taxonomy='', log_p=0, self=False"):
        load_classifier(f"{factories}:make")


def test_values_are_of_the_type_that_a_factory_states(factories: str) -> None:
    found = taken(f"{factories}:typed,path=5,share=1,sides=[3,4],tag=123,mode=b,plain=true,anything=[1],nothing=no")
    assert found == {
        "path": Path("5"),
        "share": 1.0,
        "sides": (3, 4),
        "tag": "123",
        "mode": "b",
        "plain": True,
        "odd": False,
        "anything": [1],
        "nothing": "no",
    }
    for option, expected in (
        ("share=half", "a number"),
        ("share=true", "a number"),
        ("sides=3", "a list"),
        ("sides=[true]", "a list"),
        ("tag=true", "text"),
        ("tag=1.5", "text"),
        ("mode=c", "a or b"),
        ("plain=no", "true or false"),
        ("odd=no", "true or false"),
    ):
        with pytest.raises(SpecError, match=f"was given to the function .*; {expected} was expected"):
            load_classifier(f"{factories}:typed,{option}")


def test_values_too_long_or_too_deep_for_python_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for value, option in itertools.product(("9" * 5000, "[" * 5000 + "]" * 5000, "1" * 400), ("gradients", "size")):
        done = called(tmp_path, "compare", f"onnx:x.onnx,{option}={value}", "bundled:mnist-pooled", "-g", "bundled:mnist-vae")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert len(done.stderr) < 2000
