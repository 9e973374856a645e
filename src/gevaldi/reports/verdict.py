"""The verdict on the two classifiers of a run, from its record in the run's folder. Needs no torch and no labels."""

import json
from dataclasses import dataclass

from gevaldi.errors import RunFolderError
from gevaldi.runs.store.run import Run
from gevaldi.storage import read, reason

FOLDER, RECORD, PAGE = "verdict", "verdict.json", "report.html"


@dataclass(frozen=True)
class RecordedVerdict:
    """A verdict as its record words it.

    Attributes:
        headline: the decision in one sentence.
        reasons: what it rests on, one sentence each.
        page: the address of its page, relative to that of the run.
    """

    headline: str
    reasons: tuple[str, ...]
    page: str = f"{FOLDER}/{PAGE}"


def verdict_of(run: Run) -> RecordedVerdict | None:
    """The verdict in the folder `verdict` of a run; None if there is none.

    Raises:
        RunFolderError: its record cannot be read.
    """
    path = run.folder / FOLDER / RECORD
    try:
        headline, *reasons = json.loads(read(path, 2**28))["sentences"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {reason(error)}.") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise RunFolderError(f"{path} is not the record of a verdict: {error}. Delete it, or make it again") from None
    return RecordedVerdict(str(headline), tuple(map(str, reasons)))
