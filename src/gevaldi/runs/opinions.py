"""Reads a third classifier's opinion of a run from `referee.json`. Needs no torch."""

import json

from gevaldi.errors import RunFolderError
from gevaldi.measures.referee import Opinion
from gevaldi.runs.store.run import Run
from gevaldi.storage import read, reason

OPINION = "referee.json"


def opinion_of(run: Run) -> Opinion | None:
    """The opinion stored beside the record of a run, or None.

    Raises:
        RunFolderError: the file cannot be read, holds no valid opinion, or belongs to another run.
    """
    if not run.has(OPINION):
        return None
    path = run.folder / OPINION
    again = f"Delete it, and ask again: gevaldi referee {run.folder} NAME"
    try:
        content = json.loads(read(path, 2**20))
        opinion, digest = Opinion.from_json(content), content["run"]
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {reason(error)}.") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise RunFolderError(f"{path} does not hold a referee's opinion: {error}. {again}") from None
    if digest != run.digest:
        raise RunFolderError(f"{path} belongs to another run. {again}")
    return opinion
