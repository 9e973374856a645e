"""A generator made by your own function: `python:package.module:factory` or `python:file.py:factory`, options as arguments."""

from gevaldi.classifiers.python import Python

__all__ = ["Python"]
