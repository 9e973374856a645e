"""Generators of the user's own, by the name of the Python object."""

from gevaldi.classifiers.python import Python

__all__ = ["Python"]
