"""What the commands share: where they speak, and names that complete."""

import sys
from typing import Any


def say(text: str) -> None:
    """To the user, beside the results."""
    print(text, file=sys.stderr)  # noqa: T201


def tell(text: str) -> None:
    """A result."""
    print(text)  # noqa: T201


def complete(kind: str) -> Any:
    """Names that complete in the shell, listed without importing what bears them."""

    def names(incomplete: str) -> list[str]:
        from gevaldi.cli.catalogue import names_of

        return [name for name in names_of(kind) if name.startswith(incomplete)]

    return names
