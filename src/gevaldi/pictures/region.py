"""Real pictures of one region of disagreement."""

import json
from shlex import quote
from typing import TYPE_CHECKING, Any

from gevaldi.errors import DataError
from gevaldi.storage import location, read, reason

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

RECORD = "regions/regions.json"  # in the folder of a run


class Region:
    """The real pictures of a region: `region:RUN,number=1`, for a verdict on pictures like these.

    They are those of the pool of `gevaldi regions RUN --pool POOL` that fall under the rule of the region, whether or not the two
    classifiers differ on them. The rule was found without their labels, so that labels of them stand for the region, in any order
    that a verdict gives.
    """

    def names(self) -> list[str]:
        """None: runs are folders of the user."""
        return []

    def load(self, name: str, /, *, number: int = 1) -> "RealPictures":
        """The pictures, under the ids that they have in the pool.

        Raises:
            DataError: the run has no regions with real pictures, or no such region, or no picture is in it.
        """
        from dataclasses import replace

        from gevaldi.pictures import sources

        record = _record(name)
        regions: list[Any] = record["regions"]
        if record["real"] is None:
            raise DataError(
                f"The regions of {name} are without real pictures. Add some: gevaldi regions {quote(name)} --pool folder:DIR"
            )
        if not 1 <= number <= len(regions):
            raise DataError(f"The region {number} of {name} was named; it has {len(regions)} regions, counted from 1.")
        places = regions[number - 1]["places"]
        if not places:
            raise DataError(f"No picture of {record['real']['name']} is in the region {number} of {name}.")
        pool: RealPictures = sources.load(record["real"]["name"])
        if len(pool.pictures) != record["real"]["pictures"]:
            raise DataError(
                f"{record['real']['name']} has {len(pool.pictures):,} pictures, and had {record['real']['pictures']:,} when the "
                f"regions were found. Find them again: gevaldi regions {quote(name)}"
            )
        found = pool.at(places)
        return found if found.ids else replace(found, ids=[str(place) for place in places])


def _record(run: str) -> dict[str, Any]:
    """The record of a run's regions.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    path = location(run) / RECORD
    try:
        record = json.loads(read(path, 2**28))
        record = {"real": record["real"], "regions": [{"places": one["places"]} for one in record["regions"]]}
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{run} has no regions: there is no {path}. Find them: gevaldi regions {quote(run)}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.") from None
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not the record of regions: {error}. Find them again: gevaldi regions {quote(run)}") from None
    return record
