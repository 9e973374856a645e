"""Where generators come from: a source a file, named `SOURCE:NAME` on the command line and in specs."""

from typing import TYPE_CHECKING

from gevaldi.provenance import record_files
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.models import Generator

sources = Sources(Registry("generator source", "gevaldi.generators"), "generator")


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
