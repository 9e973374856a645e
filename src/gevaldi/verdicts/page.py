"""The page of a verdict: the decision, the interval as it narrows, the pictures behind it, and what to label next."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gevaldi.names import plain
from gevaldi.reports.environment import Script, environment, written
from gevaldi.reports.sounds import Listening, addresses, listening
from gevaldi.statistics.words import percentage
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.by_class import by_class
from gevaldi.verdicts.evidence import FOREIGN, Evidence, Truth
from gevaldi.verdicts.gate import claim_in_words, rows, share
from gevaldi.verdicts.people import Overview, classes_of_controls, overview, responses_of
from gevaldi.verdicts.pictures import SMALL, address_of, picture_of, sound_of
from gevaldi.verdicts.ranks import pair_table, rank_table
from gevaldi.verdicts.record import old_labels, read_record, record_of
from gevaldi.verdicts.sentences import (
    LISTED,
    amount,
    caution,
    guess,
    headline,
    operands,
    origins,
    quantity,
    sentences,
    short_names,
    signed,
    span,
)
from gevaldi.verdicts.settings import Settings

if TYPE_CHECKING:
    from gevaldi.storage import Location

SHOWN = 24  # pictures of each kind
PAIRS = 12  # pairs of classes in the table
SHORT = 24  # characters of a name that is a heading of a column
WIDTH, HEIGHT = 720, 240  # of the plot


def write_page(verdict: Assessment, path: "Location") -> "Location":
    """Write the page and return its path.

    Raises:
        RunFolderError: it cannot be written.
    """
    return written(path, render(verdict))


def render(verdict: Assessment) -> str:
    """The page as HTML."""
    two = len(verdict.names) == 2
    flips, queue = (
        _flips(verdict) if two else {},
        [_card(verdict, item.id, item.place, item.choices) for item in verdict.next(SHOWN)],
    )
    return (
        environment()
        .get_template("verdict.html")
        .render(
            title=_title(verdict),
            headline=headline(verdict),
            tiles=_tiles(verdict) if two else [],
            reasons=[one for one in sentences(verdict)[1:] if one != caution(verdict) and one not in guess(verdict)],
            caution=caution(verdict),
            notes=verdict.notes,
            guess=guess(verdict),
            claim=claim_in_words(verdict),
            state=verdict.state,
            names=short_names(verdict),
            plot=_plot(verdict.main, verdict.margin, short_names(verdict)) if two else None,
            table=rows(verdict),
            ranks=None if two else rank_table(verdict),
            pairs=None if two else pair_table(verdict),
            together=percentage(verdict.settings.confidence),
            flips=flips,
            flipped={kind: len(places) for kind, places in verdict.main.flipped().items()} if two else {},
            classes=_pairs_of_classes(verdict) if two else [],
            shown=by_class(verdict)[:PAIRS] if two else [],
            pairs_of_classes=_count_of_pairs(verdict) if two else (0, 0),
            newer=second if len(second := short_names(verdict)[1]) <= SHORT else "the second",
            queue=queue,
            listening=_embed_sounds(verdict, [card for some in (*flips.values(), queue) for card in some]),
            player=Script("sound.js"),
            medium=verdict.pool.medium,
            people=people_of(verdict),
            discuss_at_most=SHOWN,
            left=verdict.left,
            record=record_of(verdict),
            origins=origins(verdict),
            history=_history(verdict),
            command=_command(verdict),
            folder=str(verdict.folder) if verdict.folder else None,
        )
    )


def _title(verdict: Assessment) -> str:
    """The names as a question; beyond five, how many more there are."""
    names, more = short_names(verdict)[:LISTED], len(verdict.names) - LISTED
    *first, last = [*names, f"{more} more"] if more > 0 else names
    return f"{', '.join(first)} or {last}?"


def _embed_sounds(verdict: Assessment, cards: Sequence[dict[str, Any]]) -> Listening | None:
    """Put the recordings of a pool on cards, as far as the page has room; return what they are, None if they are none."""
    if not verdict.pool.sound or not cards:
        return None
    sounds = [sound_of(verdict.pool, card["place"]) for card in cards]
    for card, address in zip(cards, addresses(sounds), strict=True):
        card["sound"] = address
    about = listening(sounds)
    return about and replace(about, top=verdict.pool.sound.rate // 2)


def people_of(verdict: Assessment) -> Overview | None:
    """Who answered what; None if one person did, without controls."""
    answers = verdict.answers.all()
    responses = responses_of(answers, verdict.folder)
    found = overview(responses, classes_of_controls(verdict.pool, responses), verdict.settings.several)
    return None if found.is_empty else found


def _history(verdict: Assessment) -> list[str]:
    """What a reader of the record has to know: questions that were asked before this one, and labels that are older than it."""
    if verdict.folder is None or (record := read_record(verdict.folder)) is None:
        return []
    asked = [
        f"{one['time'][:10]}, after {one['labels']:,} labels: margin {one['question']['margin']:g}, {one['question']['claim']}"
        for one in record["questions"]
    ]
    old = old_labels(verdict, verdict.folder)
    older = f"{old:,} answers are older than this verdict, whose question was asked when they were known."
    return [*(asked if len(asked) > 1 else []), *([older] if old else [])]


def as_html(verdict: Assessment) -> str:
    """The verdict in a notebook: the decision, the table and the first pictures to label."""
    queue = [_card(verdict, item.id, item.place, item.choices) for item in verdict.next(6)]
    template = environment().get_template("verdict_notebook.html")
    return template.render(sentences=sentences(verdict), table=rows(verdict), queue=queue)


def _tiles(verdict: Assessment) -> list[dict[str, str]]:
    own, flips, score = verdict.main, verdict.flips, verdict.questions[0].score
    difference = own.difference()
    (first, second), real = short_names(verdict), verdict.pool.medium.real
    minuend, subtrahend = operands(score, first, second)
    value, _, unit = signed(difference.value, score, own.size).partition(" ")
    tiles = [
        {
            "title": f"{real}s with {'different answers' if score.name == 'accuracy' else 'scores that can differ'}",
            "value": f"{own.disputed:,} of {own.size:,}",
            "beside": f"{len(own.labelled):,} of them labelled",
        },
        {
            "title": f"{unit}: {quantity(score)} of {minuend} minus that of {subtrahend}",
            "value": "unknown" if difference.value != difference.value else value,
            "beside": span(difference, score, own.size),
        },
    ]
    for name, flip in (("worse", flips.negative), ("better", flips.positive)):
        value, ends = share(flip, own.size)
        tiles.append({"title": f"of all {real}s: {second} is {name}", "value": value, "beside": ends})
    return tiles


def _plot(own: Evidence, margin: float, names: Sequence[str]) -> dict[str, Any] | None:
    """The interval against the number of labels, in coordinates of the drawing; None before the first label."""
    path = own.path()
    most = path[-1][0]
    if not most:
        return None
    top = max(abs(end) for _, *ends in path[: max(2, len(path) // 12)] for end in ends) or 1.0

    def x(labels: float) -> float:
        return round(WIDTH * labels / most, 1)

    def y(difference: float) -> float:
        return round(HEIGHT / 2 - HEIGHT / 2 * max(-1.0, min(1.0, difference / top)), 1)

    in_order = path[:-1] if own.waiting else path
    upper = [f"{x(labels)},{y(high)}" for labels, _, high in in_order]
    lower = [f"{x(labels)},{y(low)}" for labels, low, _ in reversed(in_order)]
    decided = next((labels for labels, low, high in in_order if low > 0 or high < 0), None)
    return {
        "band": " ".join(upper + lower),
        "zero": y(0.0),
        "margins": [y(margin), y(-margin)] if margin else [],
        "decided": decided,
        "decided_x": None if decided is None else x(decided),
        "top": signed(top, own.score, own.size).partition(" ")[0],
        "bottom": signed(-top, own.score, own.size).partition(" ")[0],
        "unit": signed(top, own.score, own.size).partition(" ")[2],
        "quantity": quantity(own.score),
        "operands": operands(own.score, *names),
        "better": names[1],
        "most": f"{most:,}",
        "waiting": own.waiting,
        "last": (y(path[-1][2]), max(2.0, y(path[-1][1]) - y(path[-1][2]))),
        "width": WIDTH,
        "height": HEIGHT,
        "words": f"from {amount(path[0][2], own.score, own.size)} either way without labels to "
        f"{signed(path[-1][1], own.score, own.size)} to {signed(path[-1][2], own.score, own.size)} after {most:,}",
    }


def _flips(verdict: Assessment) -> dict[str, list[dict[str, Any]]]:
    """Labelled pictures on which the new classifier is worse, and better."""
    return {
        kind: [_card(verdict, text, place) for text, place in _with_ids(verdict, places[:SHOWN])]
        for kind, places in verdict.main.flipped().items()
    }


def _with_ids(verdict: Assessment, places: np.ndarray) -> list[tuple[str, int]]:
    return list(zip(verdict.ids_at(places), places.tolist(), strict=True))


def _card(verdict: Assessment, text: str, place: int, choices: Sequence[str] = ()) -> dict[str, Any]:
    """A picture with what it shows and both answers; with the choices alone, and not whose they are, if it is to be labelled."""
    picture = picture_of(verdict.pool, place)
    truth = verdict.truths.get(place)
    classes = verdict.pool.classes
    return {
        "id": plain(text),
        "place": place,
        "sound": None,
        "address": address_of(picture) if picture else None,
        "small": bool(picture and max(picture.size) <= SMALL),
        "class": None if truth is None or choices else truth_in_words(truth, classes),
        "choices": choices,
        "answers": [] if choices else [answer_in_words(int(own.top[place, 0]), classes) for own in verdict.pool.predictions[:2]],
    }


def truth_in_words(truth: Truth, classes: Sequence[Any]) -> str:
    """What a picture shows."""
    if truth.place >= 0:
        return str(classes[truth.place].name)
    return "another class" if truth.place == FOREIGN or truth.excluded else "something unclear"


def answer_in_words(top: int, classes: Sequence[Any]) -> str:
    """What a classifier says."""
    return str(classes[top].name) if top >= 0 else "no answer"


def _pairs_of_classes(verdict: Assessment) -> list[dict[str, Any]]:
    """How often the first answers a and the second b, and which is right where labels say so; the most frequent pairs."""
    own = verdict.main
    tops = [predictions.top[own.places, 0].tolist() for predictions in verdict.pool.predictions[:2]]
    both = list(zip(*tops, strict=True))
    middle = (own.low + own.high) / 2  # of an unclear one, neither is right
    labelled = Counter((both[i], float(middle[i])) for i in own.labelled.tolist())
    return [
        {
            "first": answer_in_words(pair[0], verdict.pool.classes),
            "second": answer_in_words(pair[1], verdict.pool.classes),
            "count": count,
            "labelled": sum(number for (key, _), number in labelled.items() if key == pair),
            "worse": sum(number for (key, value), number in labelled.items() if key == pair and value < 0.5),
            "better": sum(number for (key, value), number in labelled.items() if key == pair and value > 0.5),
        }
        for pair, count in Counter(both).most_common(PAIRS)
    ]


def _count_of_pairs(verdict: Assessment) -> tuple[int, int]:
    """How many pairs of classes there are, and of how many pictures."""
    places = verdict.main.places
    tops = np.stack([predictions.top[places, 0] for predictions in verdict.pool.predictions[:2]])
    return len(np.unique(tops, axis=1).T), len(places)


def _command(verdict: Assessment) -> str:
    """The command that goes on with the verdict, as far as names tell."""
    settings = verdict.settings
    words = ["gevaldi", "verdict", *(str(own.source.get("name", own.name)) for own in verdict.pool.predictions)]
    words += ["--pool", verdict.pool.name] if verdict.pool.pictures is not None else []
    margin = f"{settings.margin:g}" if verdict.questions[0].score.unit else f"{100 * settings.margin:g}%"
    words += ["--margin", margin] if settings.margin else []
    words += [word for file in verdict.label_files for word in ("--labels", file)]
    words += [word for question in verdict.questions if not question.where for word in ("--score", question.score.name)]
    words += [word for question in verdict.questions if question.where for word in ("--where", question.where)]
    words += ["--require", settings.claim] if settings.claim != "not-worse" else []
    words += ["--confidence", f"{settings.confidence:g}"] if settings.confidence != Settings.confidence else []
    words += ["--budget", str(settings.budget)] if settings.budget else []
    words += ["--seed", str(settings.seed)] if settings.seed else []
    words += [] if settings.use_truth else ["--no-truth"]
    words += ["--several", settings.several] if settings.several != Settings.several else []
    words += ["--label-error", f"{settings.label_error}"] if settings.label_error is not None else []
    words += ["--out", str(verdict.folder)] if verdict.folder else []
    return shlex.join(words)
