"""A method's regions in a JSON file, for whoever runs a method of their own on the benchmark."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from gevaldi.bundled.plants import GENERATORS, PAIRS, Pair, pair_named
from gevaldi.calls import explain_validation_error
from gevaldi.documents import TextFile
from gevaldi.errors import SpecError, UnknownName
from gevaldi.plants.score import EXEMPLARS, PairScore, Reported, score_pair
from gevaldi.plants.words import classes_of
from gevaldi.spec import Spec
from gevaldi.storage import Location

FILE = TextFile("The file of regions", SpecError, "docs/plants.md describes it.")
MOST = 1_000  # regions of a pair, and pictures of a region


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Region(_Strict):
    """A region: its pictures by number, the ones that show it best first, and what the method calls it."""

    exemplars: Annotated[list[StrictInt], Field(max_length=MOST)]
    first: StrictInt | StrictStr | None = None
    second: StrictInt | StrictStr | None = None
    property: StrictStr | None = None
    above: StrictBool | None = None


class RegionsOfPairs(_Strict):
    """The regions of pairs.

    Attributes:
        pairs: for each pair by name, the regions in order of importance; none if the method sees no systematic difference.
        pictures: which pictures the numbers of a world mean, such as mnist:test; without a name, the draws of its generator.
    """

    pairs: dict[str, Annotated[list[Region], Field(max_length=MOST)]]
    pictures: dict[str, str] = {}


def read_regions(path: Location) -> RegionsOfPairs:
    """A method's regions.

    Raises:
        SpecError: the file cannot be read, or is not as documented.
    """
    try:
        return RegionsOfPairs.model_validate(FILE.values(path))
    except ValidationError as error:
        raise SpecError(f"{FILE.name} {path}: {explain_validation_error(error)} {FILE.hint}") from None


def pair_of(spec: Spec) -> Pair | None:
    """The pair of the benchmark that a run compares; None if it is none, or draws other pictures."""
    same = (pair for pair in PAIRS.values() if (pair.first, pair.second) == (spec.first, spec.second))
    pair = next(same, None)
    drawn = pair and spec.generator == GENERATORS[pair.world] and spec.seed == 0 and spec.conditions is None
    return pair if drawn else None


def answer_of(records: Mapping[str, Mapping[str, Any]]) -> RegionsOfPairs:
    """The systematic regions of `gevaldi regions` as a method's answer, from the record of each pair by name."""
    return RegionsOfPairs(
        pairs={name: [_region(one) for one in own["regions"] if one["systematic"]] for name, own in records.items()}
    )


def _region(entry: Mapping[str, Any]) -> Region:
    bound = next(iter(entry["rule"]["bounds"]), None)
    return Region(
        exemplars=entry["exemplars"],
        first=entry["first_class"],
        second=entry["second_class"],
        property=bound["property"] if bound else None,
        above=bound["above"] if bound else None,
    )


def score(regions: RegionsOfPairs) -> list[PairScore]:
    """The score of a method on each pair that it was run on, in the benchmark's order.

    Raises:
        UnknownName, SpecError: a pair, a class, a source of pictures or a picture does not exist.
    """
    for name in regions.pairs:
        pair_named(name)
    return [_score(pair, regions) for name, pair in PAIRS.items() if name in regions.pairs]


def _score(pair: Pair, regions: RegionsOfPairs) -> PairScore:
    from gevaldi.plants.data import carried, pictures_at

    own = regions.pairs[pair.name]
    places = sorted({place for region in own for place in region.exemplars[:EXEMPLARS]})
    pictures = pictures_at(regions.pictures.get(pair.world), pair.world, places) if places else None
    carries = {} if pictures is None else dict(zip(places, carried(pair, pictures).tolist(), strict=True))
    return score_pair(pair, [_reported(region, pair, carries) for region in own])


def _reported(region: Region, pair: Pair, carries: dict[int, bool]) -> Reported:
    classes = classes_of(pair.world)
    return Reported(
        carried=[carries[place] for place in region.exemplars[:EXEMPLARS]],
        first=_class(region.first, classes),
        second=_class(region.second, classes),
        property=region.property,
        above=region.above,
    )


def _class(given: int | str | None, classes: list[str]) -> int | None:
    if isinstance(given, str):
        if given not in classes:
            raise UnknownName("class", given, classes)
        return classes.index(given)
    if given is not None and not 0 <= given < len(classes):
        raise SpecError(f"The class {given} was named; numbers from 0 to {len(classes) - 1}, or names were expected.")
    return given
