"""Why a run shows nothing, where all of its samples failed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gevaldi.names import plain

SHOWN = 3  # errors
LONGEST = 300  # characters of one


def why_all_failed(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """The commonest errors in a sentence, from the status and error of every row; None if one did not fail, or there are none."""
    errors: Counter[str] = Counter()
    for row in rows:
        if row["status"] != "failed":
            return None
        errors[plain(" ".join(str(row["error"]).split()), LONGEST).rstrip(".")] += 1
    if not errors:
        return None
    shown = errors.most_common(SHOWN)
    reasons = shown[0][0] if len(errors) == 1 else "; ".join(f"{count:,} times {error}" for error, count in shown)
    more = f"; and {len(errors) - SHOWN:,} other errors" if len(errors) > SHOWN else ""
    return (
        f"All {errors.total():,} samples failed, so the run shows nothing: {reasons}{more}. Mend that, and make the run anew "
        "in another folder."
    )
