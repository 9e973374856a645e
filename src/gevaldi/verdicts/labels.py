"""Which pictures of a pool labels are about, and which of its classes they name."""

import difflib
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from gevaldi.errors import DataError, SpecError, UnknownName
from gevaldi.names import listed, plain
from gevaldi.predictions.base import Pool
from gevaldi.predictions.matching import fold, in_other_spelling, places_among
from gevaldi.tables import is_number
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, WITHDRAWN, Answer
from gevaldi.verdicts.evidence import FOREIGN, UNKNOWN, Truth
from gevaldi.verdicts.scores import place_of

WORDS = (NEITHER, CANNOT_TELL)
MISSING = "nan"  # what a program writes for an answer that is not there
ALL_ALIKE = 100  # labels that a classifier, if all are its answers, more probably wrote than got right
SHOWN, SOME = 3, 12  # names of classes in a sentence: examples, and those that exist
BLIND = re.compile("p[0-9a-f]{15}")


def blind_name(picture: str) -> str:
    """What a labeller sees instead of the id of a picture, whose folder may be its class."""
    return "p" + sha256(picture.encode(errors="surrogatepass")).hexdigest()[:15]


def _with_ids(pool: Pool, answers: Sequence[Answer]) -> Sequence[Answer]:
    """Answers under the pool's ids if they are under blind names."""
    if not any(BLIND.fullmatch(one.picture) for one in answers):
        return answers
    ids = {blind_name(text): text for text in pool.ids.to_pylist()}
    return [replace(one, picture=ids.get(one.picture, one.picture)) for one in answers]


def refuse_reserved(pool: Pool) -> None:
    """Refuse classes that are called as an answer that is no class.

    Raises:
        SpecError: there is one.
    """
    for label in pool.classes:
        if label.name.casefold() in WORDS:
            raise SpecError(f"A class is called {label.name!r}, which is an answer that names no class. Give it another name.")


def known_ids(pool: Pool, pictures: Sequence[str], disputed: Container[str] = ()) -> dict[str, str]:
    """The pool's ids of pictures by what labels call them: the same id, or the only one that is the end of the other's path.

    Paths of Windows match those with slashes.
    """
    texts = list(dict.fromkeys(pictures))
    if all(text in disputed for text in texts):
        return {text: text for text in texts}
    found = pool.ids.take(places_among(pa.array(texts, pa.string()), pool.ids.cast(pa.string()))).to_pylist()
    return {text: own for text, own in zip(texts, found, strict=True) if own is not None}


def labels_of_pool(
    pool: Pool, disputed: Container[str], answers: Sequence[Answer], source: str, is_file: bool = False
) -> tuple[list[Answer], list[str]]:
    """Labels under the pool's ids and the names of its classes, and sentences on those that are of other pictures or classes.

    Raises:
        DataError: none is of a picture of the pool, two are of the same picture, a class is unknown, or no label of a whole file
            names a class that is known.
    """
    answers = _with_ids(pool, answers)
    ids = known_ids(pool, [one.picture for one in answers], disputed)
    elsewhere = [one.picture for one in answers if one.picture not in ids]
    if answers and len(elsewhere) == len(answers):
        raise DataError(
            f"None of the {len(answers):,} labels in {source} is of a picture in the pool {pool.name}: they are of pictures such "
            f"as {elsewhere[0]!r}, and the pool has pictures such as {pool.ids[0].as_py()!r}."
        )
    of_pool = [one for one in answers if one.picture in ids]
    names = {text: _class(pool, one, source) for text, one in {one.answer: one for one in reversed(of_pool)}.items()}
    found = [replace(one, picture=ids[one.picture], answer=names[one.answer]) for one in of_pool]
    refuse_two_answers(found, source)
    notes = [*_about_classes(pool, found, source, is_file), *_answers_of_a_classifier(pool, found, source)]
    spelled = {text: name for text, name in names.items() if name not in (text, *WORDS)}
    if spelled:
        notes.append(f"{sum(one.answer in spelled for one in of_pool):,} labels in {source} {in_other_spelling(spelled)}")
    if elsewhere:
        notes.append(f"{len(elsewhere):,} labels in {source} are of pictures that are not in the pool, such as {elsewhere[0]!r}.")
    by_name = sum(ids[one.picture] != one.picture for one in of_pool)
    if by_name:
        notes.append(f"{by_name:,} labels in {source} are matched to pictures by the end of their path.")
    return found, notes


def _about_classes(pool: Pool, answers: Sequence[Answer], source: str, is_file: bool) -> list[str]:
    """Sentences on classes that no classifier predicts.

    Raises:
        DataError: all labels of a file name such classes.
    """
    known = {text for label in pool.classes for text in (label.name, label.id)}
    named = [one.answer for one in answers if one.answer not in (*WORDS, WITHDRAWN)]
    foreign = [name for name in named if name not in known]
    if not foreign:
        return []
    examples = listed([plain(name) for name in dict.fromkeys(foreign)], SHOWN)
    if is_file and len(foreign) == len(named):
        raise DataError(
            f"None of the {len(named):,} labels in {source} names a class that a classifier predicts: they name {examples}, and "
            f"the classes are {_class_names(pool)}. Write the classes as the classifiers do, or {NEITHER!r} if a picture shows "
            "none of them. Nothing was taken."
        )
    count = "1 label" if len(foreign) == 1 else f"{len(foreign):,} labels"
    return [f"{count} in {source} name{'s' if len(foreign) == 1 else ''} classes that no classifier predicts: {examples}."]


def _answers_of_a_classifier(pool: Pool, answers: Sequence[Answer], source: str) -> list[str]:
    """A sentence if labels are the answers of a classifier, picture by picture, as where its table was given in their place."""
    names = {text: i for i, label in enumerate(pool.classes) for text in (label.name, label.id) if text}
    named = [one for one in answers if one.answer in names]
    if len(named) < ALL_ALIKE:
        return []
    places = pc.index_in(pa.array([one.picture for one in named], pa.string()), value_set=pool.ids.cast(pa.string()))
    rows, classes = places.to_numpy(), [names[one.answer] for one in named]
    same = [one.name for one in pool.predictions if (one.top[rows, 0] == classes).all()]
    return (
        [f"All {len(named):,} labels in {source} are what {same[0]} answers. Are they labels, or its predictions?"] if same else []
    )


def _class_names(pool: Pool) -> str:
    return listed([plain(label.name) for label in pool.classes], SOME)


def refuse_two_answers(answers: Iterable[Answer], source: str) -> None:
    """Refuse two different answers by one person about one picture.

    Raises:
        DataError: there are two.
    """
    once: dict[tuple[str, str], Answer] = {}
    for one in answers:
        known = once.setdefault((one.picture, one.by), one)
        if known.answer != one.answer:
            who = f" by {one.person}" if one.person else ""
            raise DataError(
                f"{source} gives the picture {one.picture} two answers{who}: {known.answer} and {one.answer}. Keep one of them; "
                "nothing was taken from it. Answers of different people need a column person."
            )


def _class(pool: Pool, one: Answer, source: str) -> str:
    """An answer as the pool names it.

    Raises:
        DataError: it names a class that is not known, and that is not new to tables either, of which more classes may exist.
    """
    folded = fold(one.answer)
    if one.answer == WITHDRAWN or folded in WORDS:
        return folded
    try:
        place_of(one.answer, pool.classes)
    except UnknownName as error:
        names = [label.name for label in pool.classes]
        same = [name for name in names if fold(name) == folded]
        if len(same) == 1:
            return same[0]
        is_like_them = any(is_number(name) == is_number(one.answer) for name in names) and folded != MISSING
        if is_open(pool) and is_like_them and not difflib.get_close_matches(one.answer.lower(), names, n=1, cutoff=0.6):
            return one.answer
        hint = str(error) if is_like_them else f"The classes are {_class_names(pool)}."
        hint += " If the labels are numbers of classes, say of which: FILE,classes=NAMES." if is_number(one.answer) else ""
        raise DataError(
            f"{source} says that {one.picture} shows {one.answer!r}, which no classifier knows. {hint} Write {NEITHER!r} if it "
            f"shows another class, and {CANNOT_TELL!r} if that is unclear. Nothing was taken."
        ) from None
    return one.answer


def is_open(pool: Pool) -> bool:
    """Whether pictures may show classes that nobody listed, because a table has only those classes that occur in it."""
    return not all(own.source.get("closed", True) for own in pool.predictions)


def truth_of(answer: Answer, places: Mapping[str, int]) -> Truth:
    """What a picture shows, by an answer that counts; `places` has the classes by name and by taxonomy id.

    A "neither" of which nobody knows the classes excludes none.
    """
    if answer.answer == CANNOT_TELL:
        return Truth(UNKNOWN)
    if answer.answer == NEITHER:
        return Truth(UNKNOWN, frozenset(places[name] for name in answer.named if name in places))
    return Truth(places.get(answer.answer, FOREIGN))
