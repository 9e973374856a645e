"""Output, input checks and completion that all commands share."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any


def say(text: str) -> None:
    """Print a message to the user on stderr."""
    print(text, file=sys.stderr)  # noqa: T201


def tell(text: str) -> None:
    """Print a result on stdout."""
    print(text)  # noqa: T201


def say_warnings(warnings: Mapping[str, Sequence[str]]) -> None:
    """Print every distinct warning once, with the runs that have it."""
    from gevaldi.names import listed

    for text, names in warnings.items():
        say(f"gevaldi: warning ({listed(names)}): {text}")


def check_text(words: Sequence[str]) -> None:
    """Refuse words that are not valid UTF-8, as names of files may be.

    Raises:
        SpecError: a word is not valid UTF-8.
    """
    from gevaldi.errors import SpecError

    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise SpecError(f"{word!a} is not valid UTF-8. Rename the file, or run the command from its folder.") from None


def complete(kind: str) -> Any:
    """A function that completes names of a kind in the shell."""

    def names(incomplete: str) -> list[str]:
        from gevaldi.cli.catalogue import names_of

        return [name for name in names_of(kind) if name.startswith(incomplete)]

    return names
