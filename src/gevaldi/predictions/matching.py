"""One set of classes and one order of pictures for the predictions of several classifiers. Needs no torch.

Classes are the same by taxonomy id where both have one, otherwise by name, as in a comparison. Unlike there, a class that only one
classifier knows stays: on a picture it is an answer like any other.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int32

from gevaldi.errors import DataError, SpecError
from gevaldi.labels import Label
from gevaldi.names import plain
from gevaldi.predictions.base import NO_ANSWER, Predictions
from gevaldi.predictions.checks import some
from gevaldi.predictions.ranking import digest_of
from gevaldi.taxonomy.keys import WORDNET, keys_of
from gevaldi.taxonomy.labels import Named, are_only_numbers

SHOWN = 3
MOST_FOLDERS = 2048  # in a path, as long as Linux allows it
WHOLE = 1000  # characters of a name that a user has to write


def join(predictions: Sequence[Predictions], ids: pa.Array, known: bool) -> tuple[list[Predictions], list[str]]:
    """The predictions on the same pictures in the same order, and sentences on rows that are about none of them.

    Args:
        predictions: of each classifier.
        ids: of the pictures.
        known: whether `ids` are those of a pool of pictures, which may have fewer than a table.

    Raises:
        DataError: a picture is missing in one, or, where only tables are known, in another; the first ones are named.
    """
    notes: list[str] = []
    return [_joined(one, ids, known, notes) for one in predictions], notes


def _joined(one: Predictions, ids: pa.Array, known: bool, notes: list[str]) -> Predictions:
    if one.ids.equals(ids):
        return one
    places = places_among(ids, one.ids, once=True)
    missing = places.null_count
    if missing == len(ids):
        raise DataError(_nothing(one, ids[0], "the pool" if known else "the first table"))
    if missing and not one.source.get("partial"):
        raise DataError(_missing(one, ids.filter(places.is_null()), known))
    rows = pc.fill_null(places, len(one)).to_numpy(zero_copy_only=False)
    extra = len(one) - (len(ids) - missing)
    if extra and not known:
        others = one.ids.filter(pa.array(_without(len(one), rows)))
        raise DataError(
            f"{extra:,} pictures of {one.name} are not in the first table: {some(others)}. Give tables about the same pictures, "
            "or the pool that they are about; or, if some could not be classified, write partial=true after each table: pictures "
            "that one of them lacks count as no answer."
        )
    renamed = pc.fill_null(pc.not_equal(one.ids.take(places), ids), False)
    if count := pc.sum(renamed).as_py():
        pair = next(zip(one.ids.take(places).filter(renamed), ids.filter(renamed), strict=True))
        notes.append(
            f"{count:,} rows of {one.name} are matched to pictures by the end of their path, such as {plain(pair[0], WHOLE)} to "
            f"{plain(pair[1], WHOLE)}."
        )
    if extra:
        notes.append(f"{extra:,} rows of {one.name} are about no picture of the pool, and are left out.")
    if missing:
        notes.append(f"{missing:,} of {len(ids):,} pictures are missing in {one.name}, and count as no answer.")
    top = _taken(one.top, rows, NO_ANSWER)
    probability = None if one.probability is None else _taken(one.probability, rows, 0)
    return replace(one, ids=ids, top=top, probability=probability, digest="")


def union(predictions: Sequence[Predictions]) -> pa.Array:
    """The pictures of all tables, those of the first one first.

    Raises:
        DataError: a table has no picture in common with those before it.
    """
    ids = predictions[0].ids
    for one in predictions[1:]:
        places = places_among(ids, one.ids, once=True)
        if places.null_count == len(ids):
            raise DataError(_nothing(one, ids[0], "the first table"))
        rows = pc.fill_null(places, len(one)).to_numpy(zero_copy_only=False)
        ids = pa.concat_arrays([ids, one.ids.filter(pa.array(_without(len(one), rows)))])
    return ids


def _without(count: int, rows: np.ndarray) -> np.ndarray:
    """Which of some rows are not among others, of which `count` stands for none."""
    found = np.ones(count + 1, bool)
    found[rows] = False
    return found[:count]


def places_among(names: pa.Array, known: pa.Array, once: bool = False) -> pa.Array:
    """Where pictures are among known ones, null for those that are not.

    One that is not there by its name is the only one that is the end of the other's path, if there is one. Paths of Windows match
    those with slashes.

    Args:
        names: of pictures.
        known: names, each once.
        once: whether a known picture may be that of one name only.
    """
    places = pc.index_in(names, value_set=known)
    if not places.null_count:
        return places
    lost = np.flatnonzero(places.is_null().to_numpy(zero_copy_only=False))
    found = _by_end(*(pc.replace_substring(paths, "\\", "/") for paths in (names.take(pa.array(lost)), known)))
    result = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).copy()
    result[lost] = found
    if once:
        several = np.bincount(result[result >= 0], minlength=len(known)) > 1
        result[lost[(found >= 0) & several[found]]] = -1
    return pa.array(result, pa.int32(), mask=result < 0)


def _by_end(wanted: pa.Array, known: pa.Array) -> np.ndarray:
    """For each path the place of the known one that is equal, or of the only one such that one is the end of the other; or -1."""
    texts, codes = _distinct(wanted)
    file_names = [pc.replace_substring_regex(paths, "(?s)^.*/", "") for paths in (texts, known)]
    rows = np.flatnonzero(pc.is_in(file_names[1], value_set=file_names[0]).to_numpy(zero_copy_only=False))
    candidates = known.take(pa.array(rows))
    equal, ends = np.zeros((2, len(texts)), np.int64)  # how many known ones are equal, and how many are ends or have one
    place = np.full((2, len(texts)), -1)
    for depth, (at, paths) in enumerate(_ends(candidates)):
        own = pc.fill_null(pc.index_in(paths, value_set=texts), -1).to_numpy(zero_copy_only=False)
        count, where = (ends, place[1]) if depth else (equal, place[0])
        np.add.at(count, own[own >= 0], 1)
        where[own[own >= 0]] = rows[at[own >= 0]]
    short, owners = _distinct(candidates)
    copies, last = np.bincount(owners, minlength=len(short)), np.zeros(len(short), int)
    last[owners] = rows
    for depth, (at, paths) in enumerate(_ends(texts)):
        if depth:
            own = pc.fill_null(pc.index_in(paths, value_set=short), -1).to_numpy(zero_copy_only=False)
            ends[at[own >= 0]] += copies[own[own >= 0]]
            place[1][at[own >= 0]] = last[own[own >= 0]]
    found = np.where(equal == 1, place[0], np.where((equal == 0) & (ends == 1), place[1], -1))
    return np.asarray(found[codes])


def _distinct(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Each text once, and which of these each was."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)


def _ends(paths: pa.Array) -> Iterator[tuple[np.ndarray, pa.Array]]:
    """Paths, then without their first folder, without their first two, and so on, with the places of those that are left."""
    places = np.arange(len(paths))
    for _ in range(MOST_FOLDERS):
        if not len(paths):
            return
        yield places, paths
        longer = pc.match_substring(paths, "/")
        places, paths = places[longer.to_numpy(zero_copy_only=False)], paths.filter(longer)
        paths = pc.replace_substring_regex(paths, "^[^/]*/", "")


def _taken(values: np.ndarray, rows: np.ndarray, missing: int) -> np.ndarray:
    """Some rows of an array; the one past its end is `missing`."""
    found = np.array(values[np.minimum(rows, len(values) - 1)])
    found[rows == len(values)] = missing
    return found


def _nothing(one: Predictions, name: pa.Scalar, where: str) -> str:
    return (
        f"{one.name} and {where} have no picture in common: {plain(one.ids[0], WHOLE)!r} is one there, and {plain(name, WHOLE)!r} "
        f"is one of {where}. Name the pictures alike, at least by the end of their path; id=COLUMN says which column names them."
    )


def _missing(one: Predictions, lost: pa.Array, known: bool) -> str:
    there = f"it has pictures such as {plain(one.ids[0])}"
    where = "the pool" if known else "the first table"
    spelling = plain(one.source.get("name", one.name), WHOLE)
    return (
        f"{one.name} has no row for {len(lost):,} pictures of {where}: {some(lost)}; {there}. Name the pictures "
        f"alike, or, if these could not be classified, write {spelling},partial=true: they count as "
        "no answer."
    )


def over_all_classes(predictions: Sequence[Predictions]) -> tuple[tuple[Label, ...], list[Predictions], list[str]]:
    """The classes of all classifiers together, the predictions over these, and sentences on classes that not all have.

    Raises:
        SpecError: nothing says which classes are the same: numbers beside names, numbers in another order, no class in common, or
            a name that several classes bear.
    """
    first, *others = sorted(predictions, key=lambda one: not any(label.id not in (None, label.name) for label in one.classes))
    classes = [*first.classes]  # of one that knows both names and ids, so that others may know either
    notes: list[str] = []
    places = {id(first): [*range(len(classes))]} | {id(one): _merge(classes, one, first, notes) for one in others}
    found, ordered = tuple(classes), [places[id(one)] for one in predictions]
    moved = [_moved(one, own, found) for one, own in zip(predictions, ordered, strict=True)]
    return found, moved, notes + _notes(predictions, ordered, found)


def _merge(classes: list[Label], one: Predictions, first: Predictions, notes: list[str]) -> list[int]:
    """Where the classes of a classifier are among those of the ones before, to which new ones are added."""
    before, own = _named(classes), _named(one.classes)
    if before == own:
        return [*range(len(own))]
    _refuse_numbers(classes, one, first)
    try:
        theirs, mine = keys_of(before, {}, own, None, {}), keys_of(own, {}, before, None, {})
    except SpecError as error:
        reason = str(error).rpartition(" Map them")[0]
        raise SpecError(f"The classes of {one.name} and {first.name} cannot be matched by name. {reason} Give both ids.") from None
    known = {key: i for i, key in reversed([*enumerate(theirs)])}
    shared = {*theirs} & {*mine}
    rest, free = ([i for i, key in enumerate(keys) if key not in shared] for keys in (mine, theirs))
    mine_at, theirs_at = {own[i][0]: i for i in rest}, {before[k][0]: k for k in free}
    spelled = {}
    for name, other in alike([own[i][0] for i in rest], [before[k][0] for k in free]).items():
        i, k = mine_at[name], theirs_at[other]
        if not (own[i][1] and before[k][1]):  # otherwise they are two classes of a taxonomy
            mine[i], spelled[name] = theirs[k], other
    if spelled:
        notes.append(f"{len(spelled):,} classes of {one.name} {in_other_spelling(spelled)}")
    if not known.keys() & set(mine):
        raise SpecError(
            f"{first.name} and {one.name} have no class in common: {_classes(first.classes)}; {_classes(one.classes)}. Give the "
            "labels ids of one taxonomy or the same names; for a table, classes=FILE holds the names in the order of its numbers."
        )
    found = []
    for key, label in zip(mine, one.classes, strict=True):
        if key not in known:
            known[key] = len(classes)
            classes.append(label)
        elif label.id and not classes[known[key]].id:
            classes[known[key]] = label
        found.append(known[key])
    return found


def fold(name: str) -> str:
    """A name without regard to case, and to spaces beside the single ones between words."""
    return " ".join(name.split()).casefold()


def alike(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Names that are others but for case and spaces, where this is one of each."""
    mine, theirs = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for by_fold, side in ((mine, names), (theirs, others)):
        for name in side:
            by_fold[fold(name)].append(name)
    return {own[0]: theirs[key][0] for key, own in mine.items() if len(own) == len(theirs.get(key, ())) == 1}


def in_other_spelling(names: Mapping[str, str]) -> str:
    """The end of a sentence on names that are matched to others."""
    shown = [f"{plain(one)!r} is {plain(other)!r}" for one, other in [*names.items()][:SHOWN]]
    return f"are matched without regard to case and spaces: {', '.join(shown)}{', …' if len(names) > SHOWN else ''}."


def _refuse_numbers(classes: Sequence[Label], one: Predictions, first: Predictions) -> None:
    """Refuse numbers that may be nothing but places: beside names, or beside the same numbers in another order.

    Raises:
        SpecError: one side is only numbers; the message says how to name them.
    """
    sides = ((_named(classes), first), (_named(one.classes), one))
    numbers = [all(name.isdecimal() and own is None for name, own in side) for side, _ in sides]
    shared = {name for name, _ in sides[0][0]} & {name for name, _ in sides[1][0]}
    if numbers[0] != numbers[1] and not shared:
        (_, count), (_, names) = sides if numbers[0] else reversed(sides)
        raise SpecError(
            f"{count.name} numbers its classes ({_classes(count.classes)}) and {names.name} names them "
            f"({_classes(names.classes)}), and nothing says which is which. "
            f"Give the names in the order of the numbers: {_option(count)}=FILE."
        )
    plain_names = [[name for name, _ in side] for side, _ in sides]
    if all(numbers) and sorted(plain_names[0]) == sorted(plain_names[1]) and any(are_only_numbers(side) for side, _ in sides):
        raise SpecError(
            f"{first.name} and {one.name} have the same numbers as classes in another order; they may be places in other lists, "
            f"such as folders sorted as text. Give names: {_option(one)}=FILE."
        )


def _option(one: Predictions) -> str:
    return "classes" if one.name.startswith("table:") or "closed" in one.source else "labels"


def _named(classes: Sequence[Label]) -> list[Named]:
    return [(label.name, label.id) for label in classes]


def _classes(classes: Sequence[Label]) -> str:
    return ", ".join(plain(label.name) for label in classes[:SHOWN]) + (", …" if len(classes) > SHOWN else "")


def _moved(one: Predictions, places: Sequence[int], classes: tuple[Label, ...]) -> Predictions:
    """Predictions over other classes."""
    table = np.array([*places, NO_ANSWER], np.int32)
    top = one.top if [*places] == [*range(len(places))] else table[one.top]
    same = one.digest and top is one.top and classes == one.classes
    return replace(one, classes=classes, top=top, digest=one.digest if same else digest_of(one.ids, classes, top))


def _notes(predictions: Sequence[Predictions], places: Sequence[Sequence[int]], classes: Sequence[Label]) -> list[str]:
    """Classes that only some classifiers have; those of tables are only the ones that occur, and may be other spellings."""
    closed = [i for i, one in enumerate(predictions) if one.source.get("closed", True)]
    everywhere = set.intersection(*(set(places[i]) for i in closed)) if closed else set()
    found = []
    for i, one in enumerate(predictions):
        own = [k for k, place in enumerate(places[i]) if place not in everywhere] if i in closed else []
        if own:
            labels = [one.classes[k] for k in own]
            found.append(f"{one.name} has {len(own):,} classes that not all others have: {_classes(labels)}.")
        tables = [k for k in range(len(predictions)) if k not in (i, *closed)]
        lost = sorted({place for k in tables for place in places[k]} - {*places[i]})
        if lost:
            whose = predictions[tables[0]].name if len(tables) == 1 else "other tables"
            found.append(
                f"{one.name} never predicts {len(lost):,} classes of {whose}: {_classes([classes[place] for place in lost])}. If "
                "these are other spellings of its classes, spell them alike."
            )
    return found


def true_classes(
    names: Sequence[str | None], classes: tuple[Label, ...], open_ended: bool
) -> tuple[Int32[np.ndarray, " pictures"] | None, tuple[Label, ...], list[str]]:
    """The place of each picture's class, the classes with those that are added, and sentences on names that fit none.

    A name is that of a class, its id, or holds its WordNet id.

    Args:
        names: of the class of each picture, None where it is unknown.
        classes: of the predictions.
        open_ended: whether classes are only those that tables mention; a true class that no table mentions is added to them.
    """
    unique = sorted({name for name in names if name is not None})
    if not unique:
        return None, classes, []
    found: dict[str | None, int] = {name: place for name in unique if (place := _place(name, classes)) is not None}
    free = [(label.name, i) for i, label in enumerate(classes) if i not in found.values()]
    spelled = alike([name for name in unique if name not in found], [name for name, _ in free])
    found |= {name: dict(free)[other] for name, other in spelled.items()}
    lost = [name for name in unique if name not in found]
    notes = [f"{len(spelled):,} classes of the pool {in_other_spelling(spelled)}"] if spelled else []
    if lost and open_ended and found:
        notes.append(f"{len(lost):,} of the {len(unique):,} classes of the pool are in no table: {_classes([*map(Label, lost)])}.")
        found |= {name: len(classes) + i for i, name in enumerate(lost)}
        classes = (*classes, *map(Label, lost))
    elif lost:
        shown = ", ".join(map(plain, lost[:SHOWN])) + (", …" if len(lost) > SHOWN else "")
        notes.append(
            f"{len(lost):,} of the {len(unique):,} classes of the pool are not known to the classifiers: {shown}. Their pictures "
            f"count as unlabelled. The classifiers' classes are such as {_classes(classes)}."
        )
    return np.array([found.get(name, NO_ANSWER) for name in names], np.int32), classes, notes


def _place(name: str, classes: Sequence[Label]) -> int | None:
    """The only class that a name stands for; None if there is none, or several."""
    ids: Mapping[str, None] = dict.fromkeys(WORDNET.findall(name))
    fits = {i for i, label in enumerate(classes) if name in (label.name, label.id)}
    fits = fits or {i for i, label in enumerate(classes) if label.id in ids and len(ids) == 1}
    return fits.pop() if len(fits) == 1 else None
