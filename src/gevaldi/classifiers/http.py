"""Classifiers that a server computes."""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Http:
    """A served model: `http://HOST:PORT/v1/models/NAME:predict`, or `http:https://HOST/PATH`. Gives probabilities.

    Sends {"instances": [...]} and reads {"predictions": [...]}, one list of numbers a picture, as TensorFlow Serving and KServe do;
    with `protocol=v2` the Open Inference Protocol (Triton, OpenVINO, MLServer), whose input is called `input`. Pictures are in
    [0, 1], (channels, height, width), or with `layout=nhwc` (height, width, channels); other options (`labels`, `size`, `mean`,
    `std`, `scale`, `output`) are those of `onnx:`. `batch` is the most pictures a request, `parallel` the most requests at once,
    `timeout` the most seconds for an answer. A server that is down or busy is asked again `retries` times, with longer and longer
    pauses. What was answered once is not asked again in a run. Needs `pip install 'gevaldi[http]'`.
    """

    prefix = "http:"

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(
        self,
        name: str,
        /,
        *,
        protocol: Literal["v1", "v2"] = "v1",
        input: str = "input",
        batch: int = 32,
        parallel: int = 4,
        timeout: float = 30.0,
        retries: int = 5,
        **options: Any,
    ) -> "Classifier":
        """The served model as a classifier, if it answers random pictures.

        Raises:
            MissingExtra: urllib3 or orjson is not installed.
            ServiceError: it does not answer, or answers with something else than predictions.
            SpecError: an option is impossible, or it refuses pictures of all sizes that are tried.
        """
        from gevaldi.classifiers._black_box import black_box
        from gevaldi.classifiers._service import Service

        url = f"{self.prefix}{name}" if name.startswith("//") else name
        service = Service(url, protocol, input, batch, parallel, timeout, retries)
        return black_box(service, url, options, url.encode())
