"""Fetching from a network: said in one line beforehand, and refused where only what is on this machine may be used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_allowed: ContextVar[bool] = ContextVar("fetching is allowed", default=True)


@contextmanager
def only_at_hand() -> Iterator[None]:
    """Within it nothing is fetched: what is not on this machine is an error, which says where it was looked for."""
    before = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(before)


def announce(what: str, instead: str) -> None:
    """Say what is about to be fetched, and how to do without.

    Args:
        what: with where it comes from and, where that is known, where it goes to.
        instead: what a user without a network does.

    Raises:
        OSError: nothing may be fetched now.
    """
    if not _allowed.get():
        raise OSError("only what is on this machine is used now")
    sys.stderr.write(f"gevaldi: fetching {what}; to do without a network, {instead}\n")
