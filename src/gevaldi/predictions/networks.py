"""The predictions of networks on a pool of pictures: those that are stored, and the others computed."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import pyarrow as pa

from gevaldi.classifiers import load_classifier
from gevaldi.errors import DataError, SpecError
from gevaldi.fingerprints import versions
from gevaldi.models import Classifier
from gevaldi.names import OBJECT, listed, plain
from gevaldi.pictures.base import Encoded, RealPictures, Some
from gevaldi.predictions.base import Predictions
from gevaldi.predictions.checks import check_ids
from gevaldi.predictions.compute import compute, hash_of, network_key, record_of
from gevaldi.predictions.progress import Watch
from gevaldi.predictions.ranking import digest_of_ids
from gevaldi.predictions.store import Stored, all_stored, cache_digest, digest_in_cache, digest_of_pictures, key_of
from gevaldi.provenance import sha256_of
from gevaldi.storage import ahead
from gevaldi.wrappers.listening import listening

CODE = ("python:", "function:", "http:", "https:")  # what answers under these names may change while no file in a record does
SHOWN = 3  # classes in a sentence


@dataclass(frozen=True)
class PoolOfPictures:
    """A pool of pictures, and where predictions on it are stored.

    Predictions are found by the classifier and by the *state* of the pool: the ids, and the sizes and times of its files (of
    pictures that are in memory, their content), for which no file is read. A file of the same size with its old time restored
    passes for the same; every other change is noticed. The digest of a pool is over the content of its pictures. It is computed
    while the first network reads them, and the predictions of a pool that was only copied or touched are found again by it.
    """

    real: RealPictures
    folder: Path
    device: str
    batch_size: int | None
    progress: Watch

    @cached_property
    def ids(self) -> pa.Array:
        """What tables call the pictures.

        Raises:
            DataError: there are none, or two have one id.
        """
        known = self.real.ids
        found = pa.array([str(i) for i in range(len(self.real.pictures))] if known is None else known, pa.string())
        if not len(found):
            raise DataError("The pool has no pictures.")
        if known is not None:
            check_ids(found, "The pool")
        return found

    @cached_property
    def state(self) -> str:
        """A hash of the pool for which no picture in a file is read."""
        pictures, places = self.real.pictures, None
        while isinstance(pictures, Some):
            places = pictures.places if places is None else [pictures.places[i] for i in places]
            pictures = pictures.pictures
        digest = hashlib.sha256("".join(self._identity).encode())
        if not isinstance(pictures, Encoded):
            return hashlib.sha256(digest.digest() + self._hashes().encode()).hexdigest()
        try:
            for path in pictures.files():
                found = path.stat()
                digest.update(f"{path.name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except OSError:  # it is reported when the picture is read
            digest.update(b"?")
        return digest.hexdigest()

    @property
    def _identity(self) -> list[str]:
        """What decides the pictures besides their files: their ids, and how recordings become pictures."""
        return [digest_of_ids(self.ids), *([repr(self.real.sound)] if self.real.sound else [])]

    def digest(self) -> str:
        """SHA-256 over the ids and the content of all pictures, which are read for it if nothing has read them before."""
        found = digest_in_cache(self.folder, self.state)
        if found is None:
            found = key_of([*self._identity, self._hashes()])
            cache_digest(self.folder, self.state, found)
        return found

    def _hashes(self) -> str:
        total, parts = len(self.ids), []
        self.progress.working("reading the pictures of the pool")
        each = partial(hash_of, self.real)
        for i, one in enumerate(ahead(each, range(total)) if isinstance(self.real.pictures, Encoded) else map(each, range(total))):
            parts.append(one)
            if i % 256 == 255:
                self.progress.rows(i + 1, total)
        return digest_of_pictures(pa.array(parts, pa.binary(32)))

    def predictions(self, given: "str | Classifier") -> Predictions:
        """The predictions of a classifier, stored before or computed now, under the classifier's own name if it has one.

        Raises:
            GevaldiError: it cannot be loaded, fails, or classifies no picture.
        """
        stored = self._by_name(given) if isinstance(given, str) else None
        name = str(given)
        if stored is None:
            classifier = listening(load_classifier(given), self.real.sound)
            if not isinstance(given, str) or given.startswith(CODE):
                name = classifier.name or (given if isinstance(given, str) else type(classifier).__name__)
            stored = self._by_network(classifier, name)
        found, hashes = stored.read()
        if hashes is not None and digest_in_cache(self.folder, self.state) is None:
            cache_digest(self.folder, self.state, key_of([*self._identity, hashes]))
        return replace(found, name=name)  # the same network may be stored under another

    def _by_name(self, name: str) -> Stored | None:
        """What is stored under this name, if the files that it named then are unchanged: no network is loaded for it."""
        if any(code in name for code in CODE) or name.startswith(OBJECT):
            return None
        here = versions()
        for one in all_stored(self.folder):
            record = one.record
            same = record["name"] == name and record["pool"] == self.state and record["versions"] == here and record["files"]
            if same and all(_is_unchanged(path, digest) for path, digest in record["files"].items()) and not one.missing():
                return one
        return None

    def _by_network(self, classifier: Classifier, name: str) -> Stored:
        network, total = network_key(classifier), len(self.ids)
        again = self._copied(network)
        if again is not None:
            return again
        self._refuse_numbers(classifier, name)
        stored = Stored.begin(self.folder, name, record_of(classifier, name, self.state, total, network))
        done = total - sum(map(len, stored.missing()))
        self.progress.working(f"classifying by {name}")

        def on_progress(count: int) -> None:
            nonlocal done
            done += count
            self.progress.rows(done, total)

        on_progress(0)
        options = {"device": self.device, "batch_size": self.batch_size}
        compute(classifier, self.real, self.ids, stored, on_progress=on_progress, **options)  # type: ignore[arg-type]
        return stored

    def _refuse_numbers(self, classifier: Classifier, name: str) -> None:
        """Refuse a network that numbers as many classes as the pool names, before it classifies all of it for nothing.

        Raises:
            SpecError: it does; nothing says which number is which class.
        """
        own, pool = [label.name for label in classifier.labels], sorted({one for one in self.real.classes or () if one})
        if len(own) == len(pool) and all(map(str.isdecimal, own)) and not any(map(str.isdecimal, pool)):
            raise SpecError(
                f"{name} numbers its {len(own):,} classes, and the pool names as many: {listed([*map(plain, pool)], SHOWN)}. Say "
                "which is which: labels=FILE, a file with a name a line in the order of the network's outputs."
            )

    def _copied(self, network: str) -> Stored | None:
        """Predictions on a pool of the same pictures whose files had other times, if there are any."""
        others = [one for one in all_stored(self.folder) if one.record["network"] == network and not one.missing()]
        if any(one.record["pool"] == self.state for one in others):
            return next(one for one in others if one.record["pool"] == self.state)
        alike = [
            one for one in others if one.record["pictures"] == len(self.ids) and digest_in_cache(self.folder, one.record["pool"])
        ]
        return next((one for one in alike if digest_in_cache(self.folder, one.record["pool"]) == self.digest()), None)


def _is_unchanged(path: str, digest: str) -> bool:
    try:
        return sha256_of(Path(path)) == digest
    except OSError:
        return False
