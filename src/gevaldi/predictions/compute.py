"""Computes the predictions of one classifier on a pool, picture by picture, and stores them as they come."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from filelock import FileLock
from jaxtyping import Float

from gevaldi.classifiers._official import officially
from gevaldi.contract import check_classifier, check_mode, on_device
from gevaldi.errors import ContractError, DataError, GevaldiError, SpecError, describe_error
from gevaldi.fingerprints import describe_network, settings_of, versions
from gevaldi.models import Classifier
from gevaldi.pictures.base import Encoded, Picture, RealPictures, brought_to_network, fitted, spread
from gevaldi.predictions.ranking import most_probable
from gevaldi.predictions.store import Stored, key_of
from gevaldi.runs.session import device_of
from gevaldi.steps import steps_in_words
from gevaldi.storage import ahead

BATCH = 64  # pictures classified together
ROWS, SECONDS = 4096, 30.0  # most pictures of a part, and most seconds after which it is written
LOOKED_AT = 8  # pictures whose size is compared
SIDES = (224, 64, 32, 28)  # sizes tried where pictures differ in size and the classifier says none

LogP = Float[np.ndarray, "pictures classes"]
Classify = Callable[[Sequence[Picture]], LogP]


@dataclass(frozen=True)
class Read:
    """A picture as it was read, with the SHA-256 of its bytes; or why it could not be."""

    picture: Picture | None
    sha256: bytes | None
    error: str | None = None


def read(real: RealPictures, place: int) -> Read:
    """Read and decode a picture, whatever happens."""
    content: bytes | None = None
    try:
        content = content_of(real, place)
        pictures = real.pictures
        picture = pictures.decode(content, pictures.name(place)) if isinstance(pictures, Encoded) else pictures[place]
    except Exception as error:  # whatever decoders raise
        why = str(error) if isinstance(error, GevaldiError) else describe_error(error)
        return Read(None, None if content is None else hashlib.sha256(content).digest(), why)
    return Read(picture, hashlib.sha256(content).digest())


def content_of(real: RealPictures, place: int) -> bytes:
    """The bytes of a picture as it is stored, or of the numbers of one in memory with their shape.

    Raises:
        DataError: it cannot be read.
    """
    if isinstance(real.pictures, Encoded):
        return real.pictures.content(place)
    picture: Picture = real.pictures[place]
    return str(tuple(picture.shape)).encode() + picture.contiguous().numpy().tobytes()


def hash_of(real: RealPictures, place: int) -> bytes:
    """The SHA-256 of a picture, which is not decoded for it; zeros if it cannot be read."""
    try:
        return hashlib.sha256(content_of(real, place)).digest()
    except DataError:
        return bytes(32)


def network_key(classifier: Classifier) -> str:
    """A hash that tells a classifier from any other: weights, settings, architecture, classes and the source files of its code."""
    described = describe_network(classifier, "")
    return key_of(
        [
            {key: described[key] for key in ("parameters", "sha256", "settings")},
            re.sub(r" at 0x[0-9a-f]+", "", str(classifier)),
            [(label.name, label.id) for label in classifier.labels],
            sorted(digest for path, digest in classifier.files.items() if path.endswith(".py")),
        ]
    )


def record_of(classifier: Classifier, name: str, state: str, count: int, network: str) -> dict[str, Any]:
    """What the store keeps of a classifier and a pool."""
    return {
        "name": name,
        "network": network,
        "pool": state,
        "pictures": count,
        "classes": [(label.name, label.id) for label in classifier.labels],
        "files": dict(classifier.files),
        "official": classifier.official is not None,
        "steps": steps_in_words(settings_of(classifier)),
        "note": classifier.note,
        "versions": versions(),
    }


def compute(
    classifier: Classifier,
    real: RealPictures,
    ids: pa.Array,
    stored: Stored,
    *,
    device: str = "auto",
    batch_size: int | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Classify the pictures of a pool that have no predictions yet.

    A classifier sees them by the pipeline of its own package where it has one, as in a comparison. Otherwise they are brought to
    the size that it is cut to by its own settings, or to their own where the first ones are alike. A picture that cannot be read,
    or on which a network gives NaN, is a row without an answer and with the error.

    Args:
        classifier: in evaluation mode.
        real: the pictures.
        ids: of the pictures.
        stored: where the predictions go.
        device: to compute on.
        batch_size: pictures classified together.
        on_progress: is called after every batch with the number of pictures in it.

    Raises:
        ContractError: the network fails, or gives no log-probabilities.
        SpecError: there is no such device, or the network takes no pictures of their size.
        DataError: the predictions cannot be stored, or no picture can be read.
    """
    check_mode(classifier, "classifier")
    at = device_of(device)
    size = batch_size or BATCH
    with FileLock(stored.folder / ".lock"):
        for left in stored.folder.glob(".*.partial"):
            left.unlink(missing_ok=True)
        missing = stored.missing()
        if not missing:
            return
        classify = _official(classifier) if classifier.official else _by_network(classifier, _shape(classifier, real), at)
        with torch.no_grad(), on_device(classifier, device=at):
            for places in missing:
                _fill(places, real, ids, stored, classify, size, len(classifier.labels), on_progress)


def _fill(
    places: range,
    real: RealPictures,
    ids: pa.Array,
    stored: Stored,
    classify: Classify,
    size: int,
    classes: int,
    on_progress: Callable[[int], None],
) -> None:
    """Classify consecutive pictures and write a part now and then."""
    pictures: Iterator[Read] = ahead(partial(read, real), places)
    first, begun = places.start, time.monotonic()
    seen: list[Read] = []
    log_ps: list[LogP] = []
    for begin in range(places.start, places.stop, size):
        batch = [next(pictures) for _ in range(begin, min(begin + size, places.stop))]
        seen += [Read(None, one.sha256, one.error) for one in batch]
        log_ps.append(_log_p(batch, classify, classes))
        on_progress(len(batch))
        end = begin + len(batch)
        if end - first >= ROWS or time.monotonic() - begun > SECONDS or end == places.stop:
            _write(stored, first, ids[first:end], seen, np.concatenate(log_ps))
            first, begun, seen, log_ps = end, time.monotonic(), [], []


def _log_p(batch: Sequence[Read], classify: Classify, classes: int) -> LogP:
    """Log-probabilities of pictures, NaN for those that could not be read."""
    found = np.full((len(batch), classes), np.nan, np.float32)
    there = [i for i, one in enumerate(batch) if one.picture is not None]
    if there:
        found[there] = classify([one.picture for one in batch if one.picture is not None])
    return found


def _write(stored: Stored, first: int, ids: pa.Array, seen: Sequence[Read], log_p: LogP) -> None:
    top, values = most_probable(log_p)
    known = top[:, :1] >= 0
    probability = np.where(known, np.exp(values), 0).astype(np.float32)
    errors = [one.error or (None if ok else "The network gives NaN.") for one, ok in zip(seen, known[:, 0].tolist(), strict=True)]
    stored.append(first, ids, top, probability, [one.sha256 for one in seen], errors)


def _official(classifier: Classifier) -> Classify:
    def classify(pictures: Sequence[Picture]) -> LogP:
        found = officially(classifier, pictures, lambda: None)
        assert found is not None
        return found

    return classify


def _by_network(classifier: Classifier, shape: tuple[int, int, int], device: torch.device) -> Classify:
    checked = False

    def classify(pictures: Sequence[Picture]) -> LogP:
        nonlocal checked
        batch = torch.stack([fitted(picture, shape, "A picture of the pool") for picture in pictures]).to(device)
        try:
            log_p = classifier(batch)
        except Exception as error:  # whatever networks raise
            raise ContractError(
                f"{classifier.name or 'The network'} fails on pictures of shape {tuple(batch.shape)}. {describe_error(error)}"
            ) from error
        if not checked and bool(log_p.isfinite().any()):
            log_p, checked = check_classifier(classifier, batch, classifier.name or "classifier"), True
        return log_p.cpu().float().numpy()  # type: ignore[no-any-return]

    return classify


def _shape(classifier: Classifier, real: RealPictures) -> tuple[int, int, int]:
    """Channels, height and width at which a classifier without a pipeline of its own sees pictures.

    Raises:
        DataError: none of the first pictures can be read.
        SpecError: the network takes no size that was tried.
    """
    looked_at = {place: read(real, place) for place in spread(len(real.pictures), LOOKED_AT)}
    there = {place: one.picture for place, one in looked_at.items() if one.picture is not None}
    if not there:
        raise DataError(f"None of the first pictures can be read. {next(iter(looked_at.values())).error}")
    place, sizes = next(iter(there)), {tuple(picture.shape[-2:]) for picture in there.values()}
    crops = [tuple(part["crop"]) for part in settings_of(classifier).values() if part.get("crop")]
    own = [*sizes] if len(sizes) == 1 else []
    some, trouble = real.at([place]), None
    for height, width in [*crops, *own, *((side, side) for side in SIDES)]:
        try:
            shape = brought_to_network(some, (height, width), classifier, "Give pictures of the size that it takes.").shape
        except SpecError as error:
            trouble = trouble or error
        else:
            assert shape
            return shape
    assert trouble
    raise trouble
