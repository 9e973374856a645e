"""Where generators come from: a source a file, named `SOURCE:NAME` on the command line and in specs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.provenance import record_files
from gevaldi.quoting import quote_name
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.models import Generator


def name_path(path: Path) -> str:
    """How a file or a folder becomes a generator."""
    name = quote_name(str(path))
    if path.suffix == ".py":
        return f"Name a function in it that returns one: python:{name}:FUNCTION."
    if os.path.isdir(path):
        return f"A folder saved by diffusers is diffusers:{name}; gevaldi list generators shows the other sources."
    return (
        f"Weights belong to a network: biggan:biggan-deep-256,weights={name}, or python:FILE.py:FUNCTION for a network of your own."
    )


sources = Sources(Registry("generator source", "gevaldi.generators"), "generator", name_path)


def load_generator(given: "str | Generator") -> "Generator":
    """The generator that a user names (`bundled:mnist-vae`, `python:package.module:factory`) or gives.

    Raises:
        UnknownName, SpecError: there is none of that name, or what was found is not a generator.
        WeightsError: its weights cannot be read.
    """
    from gevaldi.models import Generator

    with record_files() as files:
        found: Generator = sources.resolve(given, Generator, "Wrap a module in one line: gevaldi.generator(module, latent=20)")
    if not isinstance(given, str):
        return found
    found.files = files
    return found.eval()
