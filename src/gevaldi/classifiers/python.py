"""Classifiers of the user's own, by the name of the Python object."""

from typing import Any

from gevaldi.registry import referred


class Python:
    """A classifier made by your own function: `python:package.module:factory` or `python:file.py:factory`, options as arguments."""

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, **options: Any) -> Any:
        """Call the factory, or take the object as it is if it is a classifier already."""
        from torch import nn

        found = referred(name)
        return found if isinstance(found, nn.Module) else found(**options)
