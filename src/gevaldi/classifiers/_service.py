"""A served model as a function of NumPy arrays: requests, retries, and what was answered before."""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np

from gevaldi.errors import MissingExtra, ServiceError, SpecError

BUSY = (429, 502, 503, 504)  # asked again
WRONG_INPUT = (400, 413, 415, 422, 500)  # what servers say of pictures that the model does not take
LONGEST_PAUSE = 60  # seconds before a server is asked again, whatever it says in Retry-After
MOST_BYTES = 2**28  # of answers that are remembered
SHOWN = 200  # characters of an answer that is no prediction


class Service:
    """A server that is asked in batches, several at once, and never twice for the same picture while its answer is remembered."""

    def __init__(self, url: str, protocol: str, input: str, batch: int, parallel: int, timeout: float, retries: int) -> None:
        """Asks nothing yet.

        Raises:
            MissingExtra: urllib3 or orjson is not installed.
            SpecError: the address or a number is impossible.
        """
        for package in ("urllib3", "orjson"):
            if find_spec(package) is None:
                raise MissingExtra(package, url, "http")
        from urllib3 import PoolManager, Retry
        from urllib3.exceptions import LocationParseError
        from urllib3.util import parse_url

        try:
            parts = parse_url(url)
        except LocationParseError:
            parts = parse_url("")
        if parts.scheme not in ("http", "https") or not parts.host:
            raise SpecError(f"{url!r} was given; an address such as http://localhost:8501/v1/models/NAME:predict was expected.")
        if protocol not in ("v1", "v2"):
            raise SpecError(
                f"protocol={protocol} was given; v1 ('instances' and 'predictions') or v2 (Open Inference) was expected."
            )
        if min(batch, parallel) < 1 or timeout <= 0 or retries < 0:
            raise SpecError(f"batch={batch}, parallel={parallel}, timeout={timeout} and retries={retries} must be positive.")
        self.url, self.protocol, self.input, self.batch, self.parallel = url, protocol, input, batch, parallel
        self.known: dict[bytes, np.ndarray] = {}
        self.classes: int | None = None
        retry = Retry(
            retries,
            redirect=False,
            status_forcelist=BUSY,
            allowed_methods=None,
            backoff_factor=0.5,
            backoff_max=LONGEST_PAUSE,
            retry_after_max=LONGEST_PAUSE,
            raise_on_status=False,
        )
        self._http = PoolManager(maxsize=parallel, block=True, timeout=timeout, retries=retry)
        self._pool, self._lock = ThreadPoolExecutor(parallel), Lock()

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Predictions, asked for where they are not known."""
        keys = [hashlib.sha256(picture.tobytes() + str(picture.shape).encode()).digest() for picture in pictures]
        with self._lock:
            here = {key: self.known[key] for key in keys if key in self.known}
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in here}
        order = list(new)
        parts = [order[i : i + self.batch] for i in range(0, len(order), self.batch)]
        for part, rows in zip(parts, self._pool.map(lambda part: self.ask(np.stack([new[k] for k in part])), parts), strict=True):
            here |= zip(part, rows, strict=True)
        with self._lock:
            self.known |= {key: here[key] for key in order}
            while self.known and len(self.known) * next(iter(self.known.values())).nbytes > MOST_BYTES:
                self.known.pop(next(iter(self.known)))
        return np.stack([here[key] for key in keys])

    def ask(self, pictures: np.ndarray) -> np.ndarray:
        """One request for some pictures.

        Raises:
            ServiceError: the server is down, or what it answers is no prediction.
            ValueError: it refuses these pictures.
        """
        import orjson
        from urllib3.exceptions import HTTPError

        # 1 ms for 32 pictures of 28 x 28; json takes 50.
        body = orjson.dumps(self._question(pictures), option=orjson.OPT_SERIALIZE_NUMPY)
        try:
            answer = self._http.request("POST", self.url, body=body, headers={"Content-Type": "application/json"})
        except HTTPError as error:
            raise self._down(str(error)) from error
        if answer.status in BUSY:
            raise self._down(f"it is busy ({answer.status}): {_beginning(answer.data)}")
        if answer.status in WRONG_INPUT:
            raise ValueError(f"it refuses pictures of shape {pictures.shape} ({answer.status}): {_beginning(answer.data)}")
        if answer.status != 200:
            raise self._unusable(f"answers {answer.status}", answer.data, "Is it the address of predictions, and are you allowed?")
        try:
            rows = np.array(self._rows(json.loads(answer.data), len(pictures)), dtype=np.float32)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise self._unusable("answers with something else than predictions", answer.data, self._expected()) from error
        if rows.ndim != 2 or len(rows) != len(pictures):
            what = f"answers with numbers of shape {rows.shape} for {len(pictures)} pictures"
            raise self._unusable(what, answer.data, self._expected())
        if np.isnan(rows).any():
            raise self._unusable("answers with NaN", answer.data, "Does the model expect pictures of another range? See scale=255.")
        self.classes = self.classes or rows.shape[1]
        if rows.shape[1] != self.classes:
            what = f"answers with {rows.shape[1]} classes, and before with {self.classes}"
            raise self._unusable(what, answer.data, "Was the model replaced?")
        return rows

    def _question(self, pictures: np.ndarray) -> dict[str, Any]:
        if self.protocol == "v1":
            return {"instances": pictures}
        data = {"shape": pictures.shape, "datatype": "FP32", "data": pictures.ravel()}
        return {"inputs": [{"name": self.input, **data}]}

    def _rows(self, answer: Any, count: int) -> Iterable[Any]:
        """The rows in an answer, whatever they are; an error if it has none."""
        if self.protocol == "v1":
            return answer["predictions"]  # type: ignore[no-any-return]
        (output,) = answer["outputs"]
        return np.array(output["data"], dtype=np.float32).reshape(count, -1)

    def _expected(self) -> str:
        if self.protocol == "v1":
            return 'Expected {"predictions": [[...], ...]}, a list of numbers for each picture; protocol=v2 is Open Inference.'
        return 'Expected {"outputs": [{"shape": [...], "data": [...]}]} with one output; the default is protocol=v1.'

    def _down(self, why: str) -> ServiceError:
        return ServiceError(
            f"{self.url} does not answer: {why}. Is it running, and is the address right? Finished rows are safe: the same command "
            "goes on with them. timeout=SECONDS and retries=N wait longer."
        )

    def _unusable(self, what: str, data: bytes, remedy: str) -> ServiceError:
        return ServiceError(f"{self.url} {what}. It begins: {_beginning(data)}. {remedy}")


def _beginning(data: bytes) -> str:
    """The first characters of an answer on one line."""
    return ascii(" ".join(data[: 2 * SHOWN].decode(errors="replace").split())[:SHOWN])
