"""What the commands share: where they speak, and names that complete."""

import sys
from collections.abc import Sequence
from typing import Any


def say(text: str) -> None:
    """To the user, beside the results."""
    print(text, file=sys.stderr)  # noqa: T201


def tell(text: str) -> None:
    """A result."""
    print(text)  # noqa: T201


def check_text(words: Sequence[str]) -> None:
    """Refuse what no record and no page could hold.

    Raises:
        SpecError: one of the words has bytes that are no UTF-8, as the name of a file may have.
    """
    from gevaldi.errors import SpecError

    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise SpecError(f"{word!a} is no text in UTF-8. Rename the file, or call the command in its folder.") from None


def complete(kind: str) -> Any:
    """Names that complete in the shell, listed without importing what bears them."""

    def names(incomplete: str) -> list[str]:
        from gevaldi.cli.catalogue import names_of

        return [name for name in names_of(kind) if name.startswith(incomplete)]

    return names
