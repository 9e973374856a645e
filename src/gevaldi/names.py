"""Names of a user's models and classes that cannot disturb a page or a figure."""

import unicodedata
from typing import Any

LONGEST = 40  # characters


def plain(text: Any, longest: int = LONGEST) -> str:
    """A name without control or direction marks, shortened."""
    kept = "".join(c for c in str(text) if unicodedata.category(c) not in ("Cc", "Cf"))
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"
