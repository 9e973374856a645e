"""Serves a study on this machine. Each result is on disk before its person is thanked."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevaldi.errors import DataError, MissingExtra, RunFolderError, SpecError
from gevaldi.labelling.store import refuse_network
from gevaldi.studies.export import FOLDER, STATIC
from gevaldi.studies.results import sessions_of
from gevaldi.studies.study import Study

if TYPE_CHECKING:
    from starlette.requests import Request

    from gevaldi.labelling.app import Guard

MOST_BYTES = 2**20  # of one person's result
HOSTS = frozenset({"127.0.0.1", "localhost"})
FULL = "The study has all the people it needs."
MESSAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Study</title><link rel="stylesheet" href="/study.css">'
    "<main><h1>{}</h1><p>{}</p></main></html>"
)


def application(study: Study) -> "Guard":
    """The study as a web application.

    `/` is the page of a new person, who gets the next number after agreeing; `/?person=…&number=…` is that person's page;
    `/?number=0` is a preview, which stores nothing.

    Raises:
        MissingExtra: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
        from starlette.routing import Mount, Route
        from starlette.staticfiles import StaticFiles

        from gevaldi.labelling.app import Guard
    except ModuleNotFoundError:
        raise MissingExtra("starlette", "Serving a study", "web") from None
    store, page, player = (
        study.store,
        (STATIC / "index.html").read_text("utf-8").replace("load.js", "player.js"),
        (STATIC / "player.js").read_bytes(),
    )

    def home(request: "Request") -> Response:
        query = request.query_params
        if "person" not in query and "number" not in query and store.count() >= study.plan.people:
            return HTMLResponse(MESSAGE.format("Thank you", FULL))
        person = query.get("person", "")
        if person and (store.number_of(person) is None or str(store.number_of(person)) != query.get("number")):
            text = "This link is not one of the study. Ask who sent you here for a new one."
            return HTMLResponse(MESSAGE.format("Not found", text), 404)
        if person and store.has(person):
            return HTMLResponse(MESSAGE.format("Thank you", "Your answers are stored."))
        return HTMLResponse(page)

    def script(request: "Request") -> Response:
        return PlainTextResponse(player, media_type="text/javascript")

    def begin(request: "Request") -> Response:
        if not _is_json(request):
            return PlainTextResponse("JSON was expected.", 415)
        if store.count() >= study.plan.people:
            return PlainTextResponse(FULL, 409)
        try:
            number, person = store.begin()
        except RunFolderError as error:
            return PlainTextResponse(str(error), 503)  # the page tries again
        return JSONResponse({"person": person, "number": number})

    async def results(request: "Request") -> Response:
        from starlette.concurrency import run_in_threadpool

        if not _is_json(request):
            return PlainTextResponse("JSON was expected.", 415)
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                return PlainTextResponse("These answers are too long.", 413)
        try:
            stored = await run_in_threadpool(_store, study, body)
        except DataError as error:
            return PlainTextResponse(str(error), 422)
        except RunFolderError as error:
            return PlainTextResponse(str(error), 503)  # the page tries again
        return JSONResponse({"stored": stored})

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/player.js", script),
            Route("/favicon.ico", lambda request: Response(status_code=204)),
            Route("/begin", begin, methods=["POST"]),
            Route("/results", results, methods=["POST"]),
            Mount("/", StaticFiles(directory=study.folder / FOLDER)),
        ]
    )
    return Guard(app, HOSTS)


def _is_json(request: "Request") -> bool:
    """Whether a request says that it sends JSON, which no form of another site can."""
    return request.headers.get("content-type", "").partition(";")[0] == "application/json"


def _store(study: Study, body: bytes) -> bool:
    """Store a posted result; False if its person has one.

    Raises:
        DataError: it is not the result of one person who began here.
    """
    try:
        rows = json.loads(body)
        sessions = sessions_of([row for row in rows if isinstance(row, dict)])
    except (ValueError, TypeError, RecursionError):
        raise DataError("These answers cannot be read.") from None
    if len(sessions) != 1:
        raise DataError("The answers of one person were expected.")
    person, number = (str(sessions[0][0][key]) for key in ("person", "number"))
    if str(study.store.number_of(person)) != number:
        raise DataError("Nobody began here with this link. Ask who sent you here for a new one.")
    return study.add(sessions[0], "served here")


def serve(study: Study, port: int, on_start: Callable[[], None] = lambda: None) -> None:
    """Serve a study on 127.0.0.1 until the process is interrupted; `on_start` is called once the port is its own.

    Raises:
        MissingExtra: Starlette or uvicorn is not installed.
        RunFolderError: the folder lies on a network disk.
        SpecError: the port is in use.
    """
    import socket

    try:
        import uvicorn
    except ModuleNotFoundError:
        raise MissingExtra("uvicorn", "Serving a study", "web") from None
    refuse_network(study.folder)
    app: Any = application(study)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:  # asyncio then sends at once
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()  # two processes may bind a port, and one listen
        except OSError as error:
            raise SpecError(f"Port {port} cannot be used: {error.strerror or error}. Give another one with --port.") from None
        on_start()
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")).run(sockets=[listener])
