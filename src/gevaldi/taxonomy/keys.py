"""How labels of two classifiers are matched: by the user's mapping, an id, a node, or an equal name."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from gevaldi.errors import SpecError, UnknownName
from gevaldi.taxonomy.base import Taxonomy, index_of
from gevaldi.taxonomy.labels import Named, over

WORDNET = re.compile(r"(?<![A-Za-z0-9])n\d{8}(?!\d)")  # also in a longer name, such as n02085620-Chihuahua


def keys_of(
    labels: Sequence[Named],
    said: Mapping[str, str | None],
    others: Sequence[Named],
    taxonomy: Taxonomy | None,
    said_of_others: Mapping[str, str | None],
) -> list[str | None]:
    """For every label, a key that equals the key of the same class of the other classifier; None for a label to leave out.

    The user's mapping comes first, then the id. If no label has an id, the taxonomy, if any, matches their names. A label still
    without a key takes that of the only label of the other classifier with the same name.

    Raises:
        SpecError, TaxonomyError, UnknownName: an entry of the mapping matches no label or class, or several, or two entries match
            one label; or several labels share the name by which they would be matched. The message lists all candidates.
    """
    keys = _keys_of(labels, said, others, taxonomy, set(said_of_others.values()))
    rest = [i for i in range(len(labels)) if i not in keys]
    if taxonomy is not None and rest and not any(own for _, own in labels):
        keys |= dict(zip(rest, over(taxonomy, [labels[i] for i in rest]).classes, strict=True))
        return [keys[i] for i in range(len(labels))]
    mine, theirs = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for i in rest:
        if not labels[i][1]:
            mine[labels[i][0]].append(i)
    for i, (name, _) in enumerate(others):
        theirs[name].append(i)
    keys |= {i: labels[i][1] or _key_of_name(labels[i][0], labels, others, mine, theirs) for i in rest}
    return [keys[i] for i in range(len(labels))]


def is_an_id(key: str, labels: Sequence[Named], taxonomy: Taxonomy | None) -> bool:
    """Whether a key is an id (of a label, a taxonomy or WordNet), not only a name."""
    return any(own == key for _, own in labels) or bool(taxonomy and key in taxonomy.hypernyms) or bool(WORDNET.fullmatch(key))


def _keys_of(
    labels: Sequence[Named],
    said: Mapping[str, str | None],
    others: Sequence[Named],
    taxonomy: Taxonomy | None,
    made_up: set[str | None],
) -> dict[int, str | None]:
    keys: dict[int, str | None] = {}
    for text, value in said.items():
        place = _place(text, labels)
        if place in keys:
            raise SpecError(f"The label {place}, {labels[place][0]!r}, is mapped twice; keep one entry.")
        keys[place] = None if value is None else _class_meant(value, others, taxonomy, made_up)
    return keys


def _place(text: str, labels: Sequence[Named]) -> int:
    """The label with this id, name or index."""
    found = [i for i, label in enumerate(labels) if text in label]
    if not found and (place := index_of(text, len(labels))) is not None:
        return place
    if not found:
        raise UnknownName("label", text, {name for name, _ in labels})
    return _only(found, text, labels)


def _class_meant(value: str, others: Sequence[Named], taxonomy: Taxonomy | None, made_up: set[str | None]) -> str:
    """The class that a user names: of the taxonomy or of the other classifier, or one invented for both."""
    if taxonomy is not None:
        return taxonomy.find(value, index=False)
    if any(own == value for _, own in others):
        return value
    found = [i for i, (name, _) in enumerate(others) if name == value]
    if found:
        return others[_only(found, value, others)][1] or value
    if value in made_up:
        return value
    known = {text for label in others for text in label if text} | {text for text in made_up if text}
    raise UnknownName("class of the other classifier", value, known)


def _key_of_name(
    name: str, labels: Sequence[Named], others: Sequence[Named], mine: Mapping[str, list[int]], theirs: Mapping[str, list[int]]
) -> str:
    """The key of a label without an id: that of the other classifier's label with the same name, or its own name."""
    if name not in theirs:
        return name
    _only(mine[name], name, labels)
    return others[_only(theirs[name], name, others)][1] or name


def _only(found: Sequence[int], name: str, labels: Sequence[Named]) -> int:
    """The only match.

    Raises:
        SpecError: there are several.
    """
    if len(found) > 1:
        candidates = "; ".join(f"{i} ({labels[i][1] or 'no id'})" for i in found)
        raise SpecError(
            f"{name!r} is the name of {len(found)} classes: {candidates}. Map them by id or index, in first_classes or "
            "second_classes."
        )
    return found[0]
