"""The errors that a user meets: each says what was wrong, what was expected, and what to do.

All of them are `GevaldiError`s, so that the command line can print them without a traceback, and a program can catch invalid
input without catching bugs.
"""

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path

LONGEST = 200  # characters of a name
HERE = str(Path(__file__).parent)


class GevaldiError(Exception):
    """A problem with the input, the models, the run folder or the machine that the user can fix."""


class UnknownName(GevaldiError):
    """An unknown name; the message gives the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(set(known))
        short = [n for n in known if len(n) <= LONGEST] if len(name) <= LONGEST else []  # difflib's time is quadratic
        near = difflib.get_close_matches(name.lower(), short, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(repr(n) for n in near)}?" if near else f"Known names: {_some(known)}."
        super().__init__(f"There is no {kind} named {name!r}. {hint}")


def _some(names: list[str], most: int = 12) -> str:
    return (", ".join(names[:most]) or "none") + (f" and {len(names) - most:,} more" if len(names) > most else "")


class MissingExtra(GevaldiError):
    """An optional package is not installed; the message gives the command that installs it."""

    def __init__(self, package: str, purpose: str, extra: str | None = None) -> None:
        target = f"'gevaldi[{extra}]'" if extra else package
        super().__init__(f"{purpose} needs the package {package}, which is not installed. Install it with: pip install {target}")


class ContractError(GevaldiError):
    """A classifier or generator breaks the contract that all of them must keep."""


class SpecError(GevaldiError):
    """Invalid settings: an unknown key, an invalid value, or a latent that the prior does not support."""


class DeviceError(GevaldiError):
    """A device that has too little memory or has stopped working."""


class PathError(GevaldiError):
    """A path that cannot name a file, or that this process may not read."""


class ServiceError(GevaldiError):
    """A server of a model that does not answer, or whose answer is no prediction."""


class RunFolderError(GevaldiError):
    """A run folder that cannot be read, written or resumed."""


class WeightsError(GevaldiError):
    """A weights file that is missing, truncated, or for another architecture."""


class TaxonomyError(GevaldiError):
    """An invalid hierarchy of classes, or an ambiguous class name."""


class DataError(GevaldiError):
    """Data, on disk or to download, that is missing or invalid."""


def describe_error(error: BaseException) -> str:
    """An error in the user's code: its type, its message, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f
        for f in frames
        if "site-packages" not in f.filename and not f.filename.startswith("<") and not f.filename.startswith(HERE)
    ]
    shown = (own or frames)[-1:]
    place = "".join(f" ({frame.filename}, line {frame.lineno})" for frame in shown) if not isinstance(error, SyntaxError) else ""
    return f"{type(error).__name__}: {error}{place}"
