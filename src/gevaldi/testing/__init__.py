"""For tests, yours too: an assertion on two classifiers, and worlds in which the answer of a search is known in closed form."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gevaldi.models import Classifier
    from gevaldi.pictures.base import RealPictures
    from gevaldi.verdicts.verdict import Verdict

LISTED = 100  # pictures to label in queue.csv


def assert_not_worse(
    old: "str | Classifier",
    new: "str | Classifier",
    pool: "str | RealPictures | None" = None,
    margin: float | str = 0.0,
    **question: Any,
) -> "Verdict":
    """Fail unless it is certain that a classifier is not worse than another by more than a margin; returns the verdict.

    Undecided is not certain, so the assertion also fails while labels are missing; the message says how many.

    Args:
        old: the classifier in use, or its name; `table:FILE` has predictions alone.
        new: the one to replace it.
        pool: real pictures, such as "folder:DIR"; not needed for tables.
        margin: the largest difference that does not matter, such as 0.005 or "0.5%"; above 0.1 only as "20%".
        **question: other arguments of `gevaldi.verdict`, such as labels, score, out. In the folder `out`, queue.csv then lists the
            pictures to label; the next call reads the classes that people wrote into it.

    Raises:
        AssertionError: it is worse, or labels are missing.
        GevaldiError: classifiers, pool or labels cannot be read.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    from gevaldi.verdicts.gate import claim_in_words
    from gevaldi.verdicts.queue import read_queue, write_queue
    from gevaldi.verdicts.record import write_record
    from gevaldi.verdicts.sentences import sentences
    from gevaldi.verdicts.start import verdict

    found = verdict(old, new, pool, margin=margin, **question)
    queue = []
    if found.folder:
        read_queue(found, found.folder)
        write_record(found, found.folder)
        queue = [f"To label: {write_queue(found, found.folder, LISTED)}"] if found.left else []
    if found.state != "holds":
        raise AssertionError("\n".join([f"{claim_in_words(found)}: {found.state}.", *sentences(found), *queue]))
    return found
