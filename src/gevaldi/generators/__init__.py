"""Where generators come from: a source a file, named `SOURCE:NAME` on the command line and in specs."""

from typing import TYPE_CHECKING

from gevaldi.errors import SpecError
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.models import Generator

sources = Sources(Registry("generator source", "gevaldi.generators"), "generator")


def load_generator(text: str) -> "Generator":
    """The generator that a user names: `bundled:mnist-vae`, `python:package.module:factory`.

    Raises:
        UnknownName, SpecError: there is none of that name, or what was found is not a generator.
        WeightsError: its weights cannot be read.
    """
    from gevaldi.models import Generator

    found = sources.load(text)
    if not isinstance(found, Generator):
        raise SpecError(
            f"{text!r} gave a {type(found).__name__}, but a gevaldi.Generator was expected. "
            "Wrap a module in one line: return gevaldi.generator(module, latent=20)"
        )
    return found.eval()
