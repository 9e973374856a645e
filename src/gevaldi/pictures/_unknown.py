"""Classes of pictures that no classifier knows: which, and what their names look like."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence

from gevaldi.alignment import Aligned, target_classes
from gevaldi.models import Classifier, Label
from gevaldi.names import plain
from gevaldi.taxonomy.keys import WORDNET

SHOWN = 5
MOST_COMPARED = 20_000  # labels, for the nearest name
REMEDY = "Name the folders, or the classes in a list, as the classifiers' labels or their ids are."


def unknown_classes(classes: Sequence[str | None], *classifiers: Classifier) -> str | None:
    """Sentences on the classes of pictures that none of the classifiers knows; None if there are none."""
    whole = [one.inner if isinstance(one, Aligned) else one for one in classifiers]
    counts = Counter(name for name in classes if name is not None)
    lost = [name for name in sorted(counts) if not any(target_classes((name, name), one) for one in (*classifiers, *whole))]
    if not lost:
        return None
    pictures = sum(counts[name] for name in lost)
    return (
        f"{len(lost):,} of the {len(counts):,} classes of the real pictures are not known to "
        f"{'the classifier' if len(classifiers) == 1 else 'any of the classifiers'}: {_some(lost)}. "
        f"{pictures:,} of {len(classes):,} pictures are of these, and cannot be counted as right or wrong. "
        f"{_look(lost, [label for one in whole for label in one.labels])} {REMEDY}"
    )


def _look(lost: Sequence[str], labels: Sequence[Label]) -> str:
    """What the names look like, in a sentence, beside some labels."""
    names = dict.fromkeys(label.name for label in labels)
    own = f"the labels are such as {_some(list(names), 3)}"
    if all(name.isdecimal() for name in lost):
        return f"They look like indices, and {own}: which list the indices count is not known."
    if all(WORDNET.search(name) for name in lost):
        ids = [label.id for label in labels if label.id]
        theirs = f"those of the labels are such as {_some(ids, 3)}" if ids else "the labels have no ids"
        return f"They look like WordNet ids, and {theirs}."
    if all(re.fullmatch(r"/m/\w+|[A-Za-z/]{0,8}[-_. /]?\d+", name) for name in lost):
        return f"They look like ids of another list, and {own}."
    loose = {_loose(name): name for name in names}
    pairs = [(name, loose[_loose(name)]) for name in lost if _loose(name) in loose]
    if pairs:
        return f"Some differ from a label only in how they are written: {pairs[0][0]!r} and {pairs[0][1]!r}."
    near = difflib.get_close_matches(lost[0], list(names)[:MOST_COMPARED], n=1, cutoff=0.7)
    return f"Does {plain(lost[0])!r} mean {plain(near[0])!r}?" if near else f"{own[0].upper()}{own[1:]}."


def _loose(name: str) -> str:
    """A name by its letters and digits alone, without what often numbers it."""
    return re.sub(r"^\d+[-_. ]+|[\W_]", "", name.casefold())


def _some(names: Sequence[str], most: int = SHOWN) -> str:
    return ", ".join(plain(name) for name in names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
