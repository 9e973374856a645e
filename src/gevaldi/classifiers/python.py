"""Classifiers of the user's own, by the name of the Python object."""

from typing import Any

from gevaldi.calls import Call, options_for
from gevaldi.errors import GevaldiError, SpecError, describe_error
from gevaldi.registry import resolve_reference


class Python:
    """A classifier made by your own function: `python:package.module:factory` or `python:file.py:factory`, options as arguments."""

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, **options: Any) -> Any:
        """Call the factory, or take the object as it is if it is a network already.

        Raises:
            SpecError: there is no such function, it does not take these options, or it raised an error.
        """
        from torch import nn

        found = resolve_reference(name)
        if isinstance(found, nn.Module):
            return found
        if not callable(found):
            raise SpecError(f"{name!r} is of type {type(found).__name__}; a function that makes the network was expected.")
        taken = options_for(found, Call(f"python:{name}", options), "function")
        try:
            return found(**taken)
        except GevaldiError:
            raise
        except Exception as error:
            raise SpecError(f"{name!r} failed. {describe_error(error)}") from error
