"""A response of a person; it is defined where verdicts read it."""

from gevaldi.verdicts.responses import Response, read_responses

__all__ = ["Response", "read_responses"]
