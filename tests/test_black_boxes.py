"""Classifiers that are only an answer, functions and servers, and the search without gradients."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import joblib
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.classifiers import load_classifier
from gevaldi.divergences import divergence
from gevaldi.engines.base import Job
from gevaldi.errors import GevaldiError, ServiceError, SpecError
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.generators import load_generator
from gevaldi.models import passes_gradients
from gevaldi.objective import Evaluation, MostProbable, Objective
from gevaldi.regions.start import default_draws
from gevaldi.runs.worker.merged import Stopped, merged
from gevaldi.runs.worker.setup import Models
from gevaldi.search import registry
from gevaldi.search.probable import most_probable
from gevaldi.spec import spec_from

BOXES = """
import numpy as np

weights = np.random.default_rng(0).normal(0, 1.5, (2, 64, 3))

def softmax(x):
    x = np.exp(x - x.max(1, keepdims=True))
    return x / x.sum(1, keepdims=True)

def first(pictures):
    return softmax((pictures.reshape(len(pictures), 64) - 0.5) @ weights[0])

def second(pictures):
    return softmax((pictures.reshape(len(pictures), 64) - 0.5) @ weights[1])

def colours_last(pictures):
    assert pictures.shape[1:] == (8, 8, 1)
    return first(pictures)

def logits(pictures):
    return np.log(first(pictures)) + 3

def changes_its_input(pictures):
    answer = first(pictures)
    pictures *= 0
    return answer

buffer = np.zeros((1000, 3))

def gives_its_own_buffer(pictures):
    buffer[: len(pictures)] = first(pictures)
    return buffer[: len(pictures)]

def gives_nan(pictures):
    return first(pictures) * np.nan

def gives_nothing(pictures):
    return None

def gives_one_row(pictures):
    return first(pictures)[0]

def gives_decisions(pictures):
    return np.eye(3)[first(pictures).argmax(1)]

def forgets_a_class(pictures):
    return first(pictures)[:, : 3 if len(pictures) < 4 else 2]

def raises(pictures):
    raise RuntimeError("the model is not here")

def takes_one(pictures):
    assert len(pictures) == 1
    return first(pictures)

Class = type("Class", (), {})
number = 7

import gevaldi, torch

def generator():
    torch.manual_seed(7)
    pixels = torch.nn.Linear(5, 64)
    return gevaldi.generator(torch.nn.Sequential(pixels, torch.nn.Sigmoid(), torch.nn.Unflatten(1, (1, 8, 8))), latent=5)

def network():
    torch.manual_seed(1)
    return gevaldi.classifier(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)), labels=3)
"""


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    path = tmp_path / "boxes.py"
    path.write_text(BOXES)
    return path


def expected(pictures: torch.Tensor, which: int = 0) -> torch.Tensor:
    weights = np.random.default_rng(0).normal(0, 1.5, (2, 64, 3))
    return ((pictures.double().flatten(1) - 0.5) @ torch.from_numpy(weights[which])).log_softmax(-1)


PICTURES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    "name",
    ["first", "colours_last,layout=nhwc", "logits,output=logits", "changes_its_input", "gives_its_own_buffer", "takes_one,batch=1"],
)
def test_a_function_is_a_classifier_whatever_it_does_with_its_arrays(boxes: Path, name: str) -> None:
    found = load_classifier(f"function:{boxes}:{name},size=8")
    before = PICTURES.clone()
    one, two = found(PICTURES), found(PICTURES.flip(0)).flip(0)
    assert torch.equal(PICTURES, before)
    assert torch.allclose(one.double(), expected(PICTURES), atol=1e-4)
    assert torch.allclose(one, two)
    assert not passes_gradients(found)
    assert len(found.labels) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gives_nan,size=8", "NaN or infinity"),
        ("gives_nothing,size=8", "fails on all pictures"),
        ("gives_one_row,size=8", "an answer|shape"),
        ("forgets_a_class,size=8", r"shape \(8, 2\) for 8 pictures; \(8, 3\)"),
        ("raises,size=8", "the model is not here"),
        ("takes_one,size=8", "batch=1"),
        ("first", "size=SIDE"),
        ("first,size=8,labels=4", "gives 3 classes, but there are 4 labels"),
        ("Class", "is a class"),
        ("number", "of type int"),
        ("frist", "first"),
        ("first,size=8,outputs=logits", "output"),
    ],
)
def test_what_is_no_classifier_is_refused_with_what_to_do(boxes: Path, name: str, words: str) -> None:
    with pytest.raises(GevaldiError, match=words):
        load_classifier(f"function:{boxes}:{name}")


def test_decisions_instead_of_probabilities_are_refused(boxes: Path) -> None:
    with pytest.raises(GevaldiError, match="decisions"):
        compared(boxes, "gives_decisions", "second")


def named(boxes: Path, function: str) -> str:
    return f"function:{boxes}:{function},size=8"


def compared(boxes: Path, first: str, second: str, **settings: Any) -> gevaldi.Comparison:
    names = [name if ":" in name else named(boxes, name) for name in (first, second)]
    settings = {"samples": 3, "audited": 20, "progress": False, "steps": 60, "goal": "most divergent"} | settings
    return gevaldi.compare(*names, f"python:{boxes}:generator", **settings)


def test_two_functions_are_compared_by_cma_es(boxes: Path) -> None:
    done = compared(boxes, "first", "second")
    rows = done.rows()
    assert done.run.spec.search.algorithm == "cma-es"
    assert (rows.divergence_end > rows.divergence_start + 0.1).all()
    assert rows.status.eq("out of steps").all()
    assert any("No gradient passes through" in warning and "cma-es" in warning for warning in done.warnings)
    assert "No gradient passes through" in done.report().read_text()


def test_a_function_is_compared_with_a_network_that_has_gradients(boxes: Path) -> None:
    rows = compared(boxes, "first", f"python:{boxes}:network").rows()
    assert (rows.divergence_end > rows.divergence_start).all()


def test_the_gradient_beside_a_black_box_is_that_of_the_other_classifier(boxes: Path) -> None:
    """By finite differences, with the answer of the black box held as it is."""
    black, network = load_classifier(named(boxes, "first")).double(), small_classifier(1).double()
    generator = small_generator().double()
    z, condition = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)), torch.arange(3)
    for pair, swapped in (((black, network), False), ((network, black), False), ((black, network), True)):
        objective = Objective(*pair, generator, divergence("kl"), 0.0)
        turned = torch.full((3,), swapped)
        now = objective(z, condition, turned)
        black_is_first = (pair[0] is black) != swapped

        def value(at: torch.Tensor, fixed: Evaluation = now, first: bool = black_is_first) -> torch.Tensor:
            known = network(generator(at, condition))
            return divergence("kl")(fixed.log_p, known) if first else divergence("kl")(known, fixed.log_q)

        for i in range(5):
            nudge = torch.zeros_like(z)
            nudge[:, i] = 1e-5
            slope = (value(z + nudge) - value(z - nudge)) / 2e-5
            assert torch.allclose(now.gradient[:, i], slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("second", ["network", "second"])
def test_the_hybrid_search_takes_the_gradients_that_there_are(boxes: Path, tmp_path: Path, second: str) -> None:
    other = f"python:{boxes}:network" if second == "network" else second
    settings = {"algorithm": "hybrid,ascent=20", "samples": 2, "goal": "most divergent"}
    done = compared(boxes, "first", other, **settings)
    rows = done.rows().sort_values("index")
    assert (rows.divergence_end > rows.divergence_start).all()
    alone = compared(boxes, "first", other, batch_size=1, **settings).rows().sort_values("index")
    assert rows.divergence_end.tolist() == alone.divergence_end.tolist()


@pytest.mark.slow
def test_rows_do_not_depend_on_the_batch_size_and_survive_an_interruption(
    boxes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gevaldi.search.probable.STEPS_WITHOUT_GRADIENT", 60)
    whole = compared(boxes, "first", "second", goal="both", batch_size=64, out=tmp_path / "a").rows()
    compared(boxes, "first", "second", goal="both", batch_size=1, samples=1, out=tmp_path / "b")
    other = compared(boxes, "first", "second", goal="both", batch_size=2, samples=3, out=tmp_path / "b").rows()
    keys = ["index", "divergence_end", "typicality_end", "log_prior_probable"]
    assert whole.sort_values("index")[keys].reset_index(drop=True).equals(other.sort_values("index")[keys].reset_index(drop=True))


def test_an_algorithm_that_needs_gradients_is_refused_for_a_black_box(boxes: Path) -> None:
    with pytest.raises(SpecError, match=r"search.algorithm=adam needs gradients.*cma-es"):
        compared(boxes, "first", "second", algorithm="adam")


def test_the_names_of_classifiers_decide_the_default_search() -> None:
    def algorithm(first: str, **search: Any) -> tuple[str, int]:
        found = spec_from({"first": first, "second": "b:c", "generator": "d:e", "search": search}).search
        return found.algorithm, found.steps

    assert algorithm("function:a.py:b") == ("cma-es", 500)
    assert algorithm("tempered:(function:a.py:b),temperature=2") == ("cma-es", 500)
    assert algorithm("onnx:a.onnx,gradients=false") == ("cma-es", 500)
    assert algorithm("http://a/b", steps=700) == ("cma-es", 700)
    assert algorithm("surrogate:(function:a.py:b)+(b:c)") == ("adam", 200)
    assert algorithm("python:a.py:function") == ("adam", 200)
    assert algorithm("function:a.py:b", algorithm="sgd") == ("sgd", 200)


def test_objects_without_gradients_are_searched_without(boxes: Path) -> None:
    first, second = (load_classifier(named(boxes, name)) for name in ("first", "second"))
    run = gevaldi.compare(
        first, second, small_generator(0), samples=1, audited=20, steps=5, goal="most divergent", progress=False
    ).run
    assert run.spec.search.algorithm == "cma-es"


@pytest.mark.slow
def test_regions_are_found_between_black_boxes(boxes: Path) -> None:
    regions = compared(boxes, "first", "second", samples=1, steps=5).regions(draws=400, progress=False)
    assert len(regions) > 0
    assert regions.pictures(1, "probable")


def test_a_verdict_is_given_on_black_boxes_and_on_what_they_are_now(boxes: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    for i, picture in enumerate(np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)):
        Image.fromarray(picture).save(pool / f"{i}.png")

    def differing(second: str) -> int:
        names = named(boxes, "first"), named(boxes, second)
        found = gevaldi.verdict(
            *names, f"folder:{pool},classes=none", predictions=tmp_path / "stored", progress=False, use_truth=False
        )
        return len(found.next(20))

    assert differing("second") > 0
    boxes.write_text(BOXES.replace("weights[1]", "weights[0]").replace("def second", "name = 0\ndef second"))
    assert differing("second") == 0


def test_a_sweep_takes_black_boxes_beside_networks(boxes: Path, tmp_path: Path) -> None:
    names = {"a": named(boxes, "first"), "b": named(boxes, "second"), "c": f"python:{boxes}:network"}
    settings = {"samples": 1, "audited": 20, "search": {"steps": 12}, "out": tmp_path / "sweep", "progress": False}
    for _ in range(2):
        done = gevaldi.sweep(names, f"python:{boxes}:generator", **settings)
        assert (len(done.runs), dict(done.failed), dict(done.before.failed)) == (3, {}, {})


@pytest.mark.parametrize("has_gradient", [True, False])
def test_the_most_probable_disagreement_is_found_without_gradients_too(has_gradient: bool) -> None:
    objective = Objective(small_classifier(0), small_classifier(1), small_generator(), divergence("kl"), 0.0, has_gradient)
    z, condition = objective.generator.prior.sample(range(4)) * 2, torch.arange(4) % 3
    found = most_probable(MostProbable(objective, 0.2), z, condition, None, has_gradient)
    assert (found.log_p.argmax(1) != found.log_q.argmax(1)).all()
    assert (objective.generator.prior.log_prob(found.z) > -10).all()


Handle = Callable[[BaseHTTPRequestHandler, dict[str, Any]], Any]


class Server:
    """A server whose answers a test decides. `seen` are the sizes of the requests."""

    def __init__(self, handle: Handle) -> None:
        self.seen: list[int] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.append(len(question["instances"]) if "instances" in question else question["inputs"][0]["shape"][0])
                status, body, *headers = handle(self, question)
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for key, value in headers:
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    @property
    def name(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/v1/models/m:predict,size=8"


def answer(pictures: Sequence[Any], which: int = 0) -> list[list[float]]:
    return expected(torch.tensor(pictures), which).exp().tolist()  # type: ignore[no-any-return]


def v1(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> Any:
    if np.shape(question["instances"])[1:] != (1, 8, 8):
        return 400, {"error": "shape"}
    return 200, {"predictions": answer(question["instances"])}


def slow(seconds: float) -> tuple[Any, list[int]]:
    """A server that takes its time, and the largest number of requests that it had at once."""
    together, most, lock = [0], [0], threading.Lock()

    def handle(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> Any:
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        time.sleep(seconds)
        with lock:
            together[0] -= 1
        return v1(handler, question)

    return handle, most


def v2(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> Any:
    (given,) = question["inputs"]
    if given["shape"][1:] != [1, 8, 8] or given["datatype"] != "FP32" or given["name"] != "x":
        return 400, {"error": "shape"}
    rows = answer(np.reshape(given["data"], given["shape"]))
    return 200, {"outputs": [{"name": "y", "shape": [len(rows), 3], "datatype": "FP32", "data": np.ravel(rows).tolist()}]}


@pytest.fixture
def served() -> Iterator[Server]:
    with Server(v1) as server:
        yield server


def test_a_served_model_is_a_classifier_and_nothing_is_asked_twice(served: Server) -> None:
    found = load_classifier(served.name)
    first = found(PICTURES)
    asked = sum(served.seen)
    assert torch.allclose(first.double(), expected(PICTURES), atol=1e-4)
    assert torch.equal(found(PICTURES.flip(0)).flip(0), first)
    assert sum(served.seen) == asked


def test_open_inference_is_spoken_too() -> None:
    with Server(v2) as server:
        found = load_classifier(server.name + ",protocol=v2,input=x")
        assert torch.allclose(found(PICTURES).double(), expected(PICTURES), atol=1e-4)


def test_batches_are_split_among_requests_at_once() -> None:
    handle, most = slow(0.1)
    with Server(handle) as server:
        found = load_classifier(server.name + ",batch=4,parallel=3")
        server.seen.clear()
        found(torch.rand(12, 1, 8, 8))
        assert server.seen == [4, 4, 4]
        assert 1 < most[0] <= 3


def test_a_busy_server_is_asked_again() -> None:
    busy = [2]

    def handle(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> Any:
        if busy[0] > 0:
            busy[0] -= 1
            return 503, b"later", ("Retry-After", "0")
        return v1(handler, question)

    with Server(handle) as server:
        assert len(load_classifier(server.name).labels) == 3


def test_a_server_that_is_down_is_said_to_be() -> None:
    with Server(v1) as server:
        name = server.name
    with pytest.raises(ServiceError, match=r"does not answer.*Is it running"):
        load_classifier(name + ",retries=0")


def test_a_server_that_is_too_slow_is_said_to_be() -> None:
    def handle(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> Any:
        time.sleep(0.6)
        return 200, {}

    with Server(handle) as server, pytest.raises(ServiceError, match=r"does not answer.*timeout=SECONDS"):
        load_classifier(server.name + ",retries=0,timeout=0.2")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html><body>Sign in</body></html>", "<html><body>Sign in"),
        (200, b"\x00\xff\x00 garbage", "something else than predictions"),
        (200, b'{"predictions": ', "something else than predictions"),
        (200, b"[" * 100_000, "something else than predictions"),
        (200, {"outputs": [[0.5, 0.5]]}, "protocol=v2"),
        (200, {"predictions": [[0.5, 0.5], [0.5]]}, "something else than predictions"),
        (200, {"predictions": ["cat"]}, "something else than predictions"),
        (200, {"predictions": [[0.1, 0.9]] * 3}, r"shape \(3, 2\) for 1 pictures"),
        (200, b'{"predictions": [[NaN, 0.5, 0.5]]}', "answers with NaN"),
        (401, b"who are you?", "answers 401.*who are you"),
        (404, b"no such model", "answers 404.*no such model"),
        (302, b"", "answers 302"),
        (500, b"out of memory", "fails on all pictures.*out of memory"),
    ],
)
def test_answers_that_are_no_predictions_are_refused_and_shown(status: int, body: Any, words: str) -> None:
    with Server(lambda handler, question: (status, body)) as server, pytest.raises(GevaldiError, match=words):
        load_classifier(server.name)


def test_another_number_of_classes_later_is_refused() -> None:
    count = [3]

    def handle(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> Any:
        status, body = v1(handler, question)
        return status, {"predictions": [row[: count[0]] for row in body["predictions"]]} if status == 200 else body

    with Server(handle) as server:
        found = load_classifier(server.name)
        count[0] = 2
        with pytest.raises(ServiceError, match="2 classes, and before with 3"):
            found(PICTURES)


@pytest.mark.parametrize(
    "name", ["http:ftp://x/y", "http:nowhere", "http://,size=8", "http://x/y,parallel=0", "http://x/y,protocol=v3"]
)
def test_impossible_addresses_and_options_are_refused(name: str) -> None:
    with pytest.raises(SpecError):
        load_classifier(name)


def test_a_served_model_is_compared_with_a_function(served: Server, boxes: Path) -> None:
    rows = compared(boxes, served.name, "second", samples=1, steps=20).rows()
    assert (rows.divergence_end >= rows.divergence_start).all()


@pytest.mark.slow
def test_a_service_has_several_requests_at_once_and_the_rows_are_those_of_one_at_a_time(boxes: Path) -> None:
    handle, most = slow(0.01)
    with Server(handle) as server:
        settings = {"samples": 20, "steps": 10, "goal": "most divergent", "audited": 4}  # more than a block in both orders
        network = f"python:{boxes}:network"
        one = compared(boxes, server.name, network, batch_size=32, **settings).rows()
        assert most == [1]
        several = compared(boxes, server.name, network, **settings).rows()
        assert most[0] > 1
    assert several["index"].tolist() == one["index"].tolist()
    assert np.allclose(several["divergence_end"], one["divergence_end"], rtol=1e-4)


def until_it_is_stopped(stop: threading.Event, first: int) -> Iterator[int]:
    for number in itertools.count(first):
        yield number
        if stop.wait(0.001):
            raise Stopped


def test_searches_end_when_nobody_needs_their_results_and_when_one_of_them_fails() -> None:
    stop = threading.Event()
    both = merged([until_it_is_stopped(stop, 0), until_it_is_stopped(stop, 10**6)], stop)
    found = {next(both) >= 10**6 for _ in range(1000)}
    both.close()
    assert stop.is_set()
    assert found == {False, True}

    def fails() -> Iterator[int]:
        yield 7
        raise ServiceError("down")

    stop = threading.Event()
    with pytest.raises(ServiceError, match="down"):
        list(merged([until_it_is_stopped(stop, 0), fails()], stop))
    assert stop.is_set()


def test_all_results_of_searches_arrive() -> None:
    assert sorted(merged([range(5), range(5, 9), []], threading.Event())) == list(range(9))


@pytest.mark.parametrize(
    ("first", "small", "draws"), [("network", True, 200_000), ("served", True, 20_000), ("served", False, 2_000)]
)
def test_regions_draw_fewer_pictures_for_a_service_and_say_so(
    served: Server, boxes: Path, first: str, small: bool, draws: int
) -> None:
    notices: list[str] = []
    network = load_classifier(f"python:{boxes}:network")
    chosen = load_classifier(served.name) if first == "served" else network
    plan, generator = ExecutionPlan(small=small), load_generator(f"python:{boxes}:generator")
    models = Models(chosen, network, generator, divergence("kl"), registry.build("cma-es"), torch.device("cpu"), plan)
    job = Mock(spec=Job, models=models, progress=Mock(notice=notices.append))
    assert default_draws(job) == draws
    assert notices == (
        [f"{draws:,} pictures are sent to the service; --draws N sends more, for narrower intervals."] if draws == 20_000 else []
    )


@pytest.mark.slow
def test_a_run_whose_server_goes_down_goes_on_when_it_is_up_again(boxes: Path, tmp_path: Path) -> None:
    left = [70]

    def handle(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> Any:
        left[0] -= 1
        return v1(handler, question) if left[0] > 0 else (503, b"down for the night")

    with Server(handle) as server:
        settings = {
            "samples": 4,
            "steps": 20,
            "goal": "most divergent",
            "orders": "forward",
            "batch_size": 1,
            "out": tmp_path / "run",
        }
        with pytest.raises(ServiceError, match=r"busy \(503\): 'down for the night'.*Finished rows are safe"):
            compared(boxes, server.name + ",retries=0", "second", **settings)
        left[0] = 10**6
        rows = compared(boxes, server.name + ",retries=0", "second", **settings).rows()
    assert len(rows) == 4
    assert rows.error.isna().all()


def test_a_model_of_scikit_learn_is_a_classifier_under_its_own_labels(tmp_path: Path) -> None:
    io = pytest.importorskip("skops.io")
    pixels, labels = PICTURES.flatten(1).numpy(), ["cat", "dog", "cow", "dog", "cat"]
    model = LogisticRegression().fit(pixels, labels)
    io.dump(model, tmp_path / "model.skops")
    found = load_classifier(f"sklearn:{tmp_path / 'model.skops'}")
    assert [label.name for label in found.labels] == ["cat", "cow", "dog"]
    assert np.allclose(found(PICTURES).exp().numpy(), model.predict_proba(pixels), atol=1e-5)
    assert not passes_gradients(found)


def test_files_of_scikit_learn_that_are_none_are_refused(tmp_path: Path) -> None:
    io = pytest.importorskip("skops.io")
    pixels, labels = PICTURES.flatten(1).numpy(), [0, 1, 0, 1, 1]
    joblib.dump(LogisticRegression().fit(pixels, labels), tmp_path / "model.joblib")
    io.dump(LinearSVC().fit(pixels, labels), tmp_path / "svc.skops")
    io.dump(LogisticRegression().fit(pixels[:, :50], labels), tmp_path / "wrong.skops")
    (tmp_path / "garbage.skops").write_bytes(b"PK garbage")
    for file, words in {
        "model.joblib": "pickle=true",
        "svc.skops": "without predict_proba",
        "wrong.skops": "takes any x 50",
        "garbage.skops": "not a whole",
        "missing.skops": "no file",
    }.items():
        with pytest.raises(GevaldiError, match=words):
            load_classifier(f"sklearn:{tmp_path / file}")
    assert len(load_classifier(f"sklearn:{tmp_path / 'model.joblib'},pickle=true").labels) == 2


def test_an_onnx_file_in_integers_is_compared_without_a_surrogate(boxes: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    h, weights = onnx.helper, np.random.default_rng(2).normal(size=(64, 3)).astype(np.float32)
    nodes = [
        h.make_node("Flatten", ["x"], ["flat"]),
        h.make_node("QuantizeLinear", ["flat", "scale", "zero"], ["q"]),
        h.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        h.make_node("MatMul", ["d", "w"], ["y"]),
    ]
    arrays = {"scale": np.float32(1 / 255), "zero": np.uint8(0), "w": weights}
    graph = h.make_graph(
        nodes,
        "int8",
        [h.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 1, 8, 8])],
        [h.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 3])],
        [onnx.numpy_helper.from_array(np.array(value), name) for name, value in arrays.items()],
    )
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), tmp_path / "int8.onnx")
    done = compared(boxes, f"onnx:{tmp_path / 'int8.onnx'},gradients=false", "second")
    assert done.run.spec.search.algorithm == "cma-es"
    assert (done.rows().divergence_end > done.rows().divergence_start).all()
