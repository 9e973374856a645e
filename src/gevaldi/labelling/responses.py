"""A response of a person; it is defined where verdicts read it."""

from gevaldi.verdicts.responses import Response

__all__ = ["Response"]
