"""What the pages share: how templates are filled, and how a page is written."""

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from gevaldi.errors import RunFolderError
from gevaldi.names import escaped, plain
from gevaldi.places import Place, reason, remedy, remove_unfinished, write
from gevaldi.reports.numbers import level, mean_of_levels, number, percent, signed, typicality, whole_percent

if TYPE_CHECKING:
    from jinja2 import Environment

P = TypeVar("P", bound=Place)
LONGEST_PROSE = 1000  # characters of a text that a user wrote


def environment() -> "Environment":
    """Templates in which what comes from users is escaped, and what is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("gevaldi.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(
        number=number, percent=percent, share=whole_percent, mean_of_levels=mean_of_levels, level=level, signed=signed,
        typicality=typicality, plain=partial(plain, longest=LONGEST_PROSE), escaped=escaped,
    )  # fmt: skip
    return made


def written(path: P, text: str) -> P:
    """Write a page, or a table that goes with it, whole.

    Raises:
        RunFolderError: it cannot be written.
    """
    try:
        remove_unfinished(path)
        write(path, text.encode())
    except OSError as error:
        raise RunFolderError(f"The report {path} cannot be written: {reason(error)}. {remedy(path, error)}") from error
    return path
