"""The command `gevaldi doctor`: checks the installation, or describes a model."""

import os
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Annotated

import typer

from gevaldi.cli.words import complete, tell
from gevaldi.errors import ContractError, GevaldiError

PACKAGES = ("gevaldi", "torch", "torchvision", "numpy", "pyarrow", "pydantic", "safetensors", "matplotlib")


def doctor(
    model: Annotated[
        str | None,
        typer.Argument(help="a classifier, a generator or pictures to load and describe", autocompletion=complete("everything")),
    ] = None,
    pictures: Annotated[
        str | None, typer.Option(help="pictures to show to the classifier, such as folder:DIR", show_default=False)
    ] = None,
    out: Annotated[str | None, typer.Option(help="where to write the pictures, as PNG", show_default=False, metavar="FILE")] = None,
) -> None:
    """Check this installation, or describe how GeValDi understands one model.

    Without a model: lists versions, devices and bundled weights. With a model: lists its files and their hashes, its classes, its
    preprocessing step by step, and its answers on four pictures, so that you can check that it is your model. Exit code 2 if a
    check fails. Examples:

    \b
      gevaldi doctor
      gevaldi doctor timm:resnet50.a1_in1k --pictures folder:DIR --out seen.png
      gevaldi doctor python:models.py:mine
      gevaldi doctor folder:DIR
    """
    if model is not None:
        description, fault = describe_model(model, pictures, out)
        tell(description)
        if fault:
            raise ContractError(fault)
        return
    lines, healthy = diagnose()
    tell("\n".join(lines))
    if not healthy:
        raise typer.Exit(2)


def diagnose() -> tuple[list[str], bool]:
    """Lines for the user, and whether everything works."""
    lines, healthy = [], True
    for package in PACKAGES:
        try:
            lines.append(f"ok    {package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"FAIL  {package} is not installed: pip install {package}")
            healthy = False
    lines += _extras()
    try:
        import torch
        import torchvision  # noqa: F401 a build that does not match torch fails here

        lines.append(f"ok    {os.cpu_count()} CPU cores, torch uses {torch.get_num_threads()} threads")
        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        lines.append(f"ok    GPUs: {', '.join(gpus) or 'none, everything runs on the CPU'}")
        lines += _weights()
        lines.append(f"ok    {_cache()}")
    except (ImportError, OSError, RuntimeError, GevaldiError) as error:
        lines.append(f"FAIL  {error}")
        healthy = False
    return lines, healthy


def describe_model(name: str, real: str | None, out: str | None) -> tuple[str, str]:
    """What is understood of a model, a line each, and what is wrong with it, if anything; its pictures are written to `out`."""
    from gevaldi.inspection import as_picture, inspect
    from gevaldi.storage import local_path

    found = inspect(name, real)
    room = max(len(what) for what, _ in found.lines)
    lines = [f"{what:{room}}  {value}" for what, value in found.lines]
    if out is not None:
        as_picture(found.strips).save(local_path(out), format="PNG")
        lines.append(f"{'written':{room}}  {out}: rows show {', then '.join(found.strips)}")
    return "\n".join(lines), found.fault


def _extras() -> list[str]:
    """Which extras are installed, and which are not."""
    needed: dict[str, list[str]] = {}
    for requirement in requires("gevaldi") or []:
        if found := re.match(r"([\w.-]+).*;.*extra == ['\"]([\w-]+)", requirement):
            needed.setdefault(found[2], []).append(found[1])
    needed.pop("test", None)
    there = [extra for extra, packages in needed.items() if all(map(_is_installed, packages))]
    lacking = [extra for extra in needed if extra not in there]
    lines = [f"ok    extras: {', '.join(there)}"] if there else []
    return lines + ([f"      not installed: pip install 'gevaldi[{','.join(lacking)}]'"] if lacking else [])


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _cache() -> str:
    """Where the cache of measurements is, and how many pairs it holds."""
    from gevaldi.execution.tuning import cache_folder

    try:
        folder = cache_folder()
        pairs = sum(1 for _ in (folder / "tuning").glob("*.json"))
    except (OSError, RuntimeError) as error:
        return f"no cache: {error}. Every run measures how to compute its pair fastest; GEVALDI_CACHE sets another folder."
    return f"cache {folder}: measurements of {pairs} pair{'s' * (pairs != 1)}"


def _weights() -> list[str]:
    from gevaldi.bundled import ladder
    from gevaldi.bundled.cards import count_parameters
    from gevaldi.bundled.store import load
    from gevaldi.bundled.worlds import WORLDS

    shipped = [name for world in WORLDS.values() for name in world.shipped]
    lines = [f"ok    bundled weights of {name}: {count_parameters(load(name)):,} parameters" for name in shipped]
    for name in ladder.FAMILIES:
        counts = [count_parameters(ladder.load(name, seed)) for seed in ladder.SEEDS]
        lines.append(f"ok    bundled weights of {name}: {counts[0]:,} parameters, seeds {', '.join(map(str, ladder.SEEDS))}")
    return lines
