"""The errors that a user meets: what came, what was expected, and what to do.

Every one of them is a `GevaldiError`, so that the command line can print it as an answer instead of a traceback, and so that a
program can catch "something about my input" without catching bugs.
"""

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path

LONGEST = 200  # characters of a name
HERE = str(Path(__file__).parent)


class GevaldiError(Exception):
    """Something about the input, the models, the run folder or the machine that the user can mend."""


class UnknownName(GevaldiError):
    """A name that stands for nothing; the message gives the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(set(known))
        short = [n for n in known if len(n) <= LONGEST] if len(name) <= LONGEST else []  # difflib's time is quadratic
        near = difflib.get_close_matches(name.lower(), short, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(repr(n) for n in near)}?" if near else f"Known are: {_some(known)}."
        super().__init__(f"There is no {kind} named {name!r}. {hint}")


def _some(names: list[str], most: int = 12) -> str:
    return (", ".join(names[:most]) or "none") + (f" and {len(names) - most:,} more" if len(names) > most else "")


class MissingExtra(GevaldiError):
    """A package that only some users need is not installed; the message is the line that installs it."""

    def __init__(self, package: str, purpose: str, extra: str | None = None) -> None:
        target = f"'gevaldi[{extra}]'" if extra else package
        super().__init__(f"{purpose} needs the package {package}, which is not installed. Install it with: pip install {target}")


class ContractError(GevaldiError):
    """A classifier or generator does not do what every classifier or generator must."""


class SpecError(GevaldiError):
    """Settings that do not fit: an unknown key, an impossible value, or a latent that the prior does not know."""


class DeviceError(GevaldiError):
    """A device whose memory does not suffice, or that has stopped working."""


class PathError(GevaldiError):
    """A path under which no file can be, or none that this process may look at."""


class RunFolderError(GevaldiError):
    """A run folder that cannot be read, written or continued."""


class WeightsError(GevaldiError):
    """A weights file that is missing, truncated, or of another architecture."""


class TaxonomyError(GevaldiError):
    """A hierarchy of classes that is none, or a class whose name means several."""


class DataError(GevaldiError):
    """Data on disk, or to be downloaded, that is not there or not what it should be."""


def describe_error(error: BaseException) -> str:
    """An error of the user's own code: its kind, what it says, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f
        for f in frames
        if "site-packages" not in f.filename and not f.filename.startswith("<") and not f.filename.startswith(HERE)
    ]
    shown = (own or frames)[-1:]
    place = "".join(f" ({frame.filename}, line {frame.lineno})" for frame in shown) if not isinstance(error, SyntaxError) else ""
    return f"{type(error).__name__}: {error}{place}"
