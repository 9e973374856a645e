"""A served classifier that takes 50 ms a request: how many pictures a second a search asks of it, of those that it allows.

Allowed is what a client gets that only asks: full requests, as many at once as the source sends. The search's rate is that of the
middle three fifths of its pictures, since a run begins with checks and ends with fewer samples than the service takes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

SECONDS, CLASSES, SIDE = 0.05, 10, 28


def serve() -> None:
    """Print the port, answer until the standard input ends, and then print when how many pictures were answered."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    import orjson

    weights = np.random.default_rng(1).normal(size=(SIDE * SIDE, CLASSES)).astype(np.float32) / 4
    answered: list[tuple[float, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            begin = time.monotonic()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            pictures = np.array(orjson.loads(body)["instances"], dtype=np.float32)
            fits = pictures.shape[1:] == (1, SIDE, SIDE)
            scores = pictures.reshape(len(pictures), -1) @ weights if fits else np.zeros((1, CLASSES))
            scores = np.exp(scores - scores.max(1, keepdims=True))
            whole = {"predictions": scores / scores.sum(1, keepdims=True)} if fits else {"error": "shape"}
            answer = orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)
            time.sleep(max(0.0, SECONDS - (time.monotonic() - begin)))
            self.send_response(200 if fits else 400)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            answered.append((time.monotonic(), len(pictures)))

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    print(json.dumps(answered), flush=True)


class Server:
    """The server as another process."""

    def __init__(self) -> None:
        """Starts it."""
        command = [sys.executable, __file__, "--serve"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1/models/m:predict"

    def end(self) -> list[tuple[float, int]]:
        """When it answered how many pictures."""
        return json.loads(self._process.communicate()[0])  # type: ignore[no-any-return]


def rate(answered: list[tuple[float, int]]) -> float:
    """Pictures a second, without the first and the last fifth."""
    times, counts = (np.array(column) for column in zip(*sorted(answered), strict=True))
    done = counts.cumsum() / counts.sum()
    first, last = (int(np.searchsorted(done, share)) for share in (0.2, 0.8))
    return float(counts[first + 1 : last + 1].sum() / (times[last] - times[first]))


def allowed(batch: int, parallel: int, requests: int = 400) -> float:
    """The rate of a client that only asks, several requests at once."""
    import urllib3

    server = Server()
    pool = urllib3.PoolManager(maxsize=parallel, block=True)
    body = json.dumps({"instances": np.zeros((batch, 1, SIDE, SIDE)).tolist()}).encode()
    with ThreadPoolExecutor(parallel) as threads:
        list(threads.map(lambda _: pool.request("POST", server.url, body=body), range(requests)))
    return rate(server.end())


def searched(rows: int, steps: int, options: str) -> float:
    """The rate of a comparison of the served model with a bundled one."""
    import gevaldi

    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        gevaldi.compare(
            f"{server.url},size={SIDE},{options}",
            "bundled:mnist-pooled",
            "bundled:mnist-vae",
            samples=rows // 2,
            steps=steps,
            goal="most divergent",
            audited=20,
            out=Path(folder) / "run",
            device="cpu",
            progress=False,
        )
    return rate(server.end())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="be the server")
    parser.add_argument("--rows", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32, help="pictures in a request")
    parser.add_argument("--parallel", type=int, default=4, help="requests at once")
    chosen = parser.parse_args()
    if chosen.serve:
        serve()
        return
    most = allowed(chosen.batch, chosen.parallel)
    limit = chosen.batch * chosen.parallel / SECONDS
    print(f"allowed: {most:,.0f} pictures a second ({limit:,.0f} by its 50 ms alone)\n", flush=True)
    print("| rows | pictures a second | of what is allowed |\n|---|---|---|", flush=True)
    for rows in chosen.rows:
        got = searched(rows, chosen.steps, f"batch={chosen.batch},parallel={chosen.parallel}")
        print(f"| {rows} | {got:,.0f} | {got / most:.0%} |", flush=True)


if __name__ == "__main__":
    main()
