"""The pages and their addresses. Whoever has a person's link is that person; whoever has the owner's link sees everything.

The token in the path is what protects against forged requests: another site does not know it. Nothing that would tell which
classifier a class comes from is ever sent to a person: neither names of classifiers, nor ids of pictures, nor kinds of tasks.
"""

import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from gevaldi.errors import DataError, MissingExtra
from gevaldi.labelling.assignment import Person
from gevaldi.labelling.exports import FORMATS
from gevaldi.labelling.media import picture_response, sound_response
from gevaldi.labelling.service import BadAnswer, Service, UnknownTask
from gevaldi.labelling.store import NotStored
from gevaldi.names import visible
from gevaldi.reports.environment import environment

try:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.datastructures import Headers, MutableHeaders
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
    from starlette.routing import Route
except ImportError:
    raise MissingExtra("starlette", "The labelling page", "web") from None

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TITLES = {"picture": "What do these pictures show?", "sound": "What are these sounds?"}
QUESTIONS = {"picture": "What does this picture show?", "sound": "What do you hear?"}
NOBODY = "Ask who sent you here for your own link."
MOST = 10  # tasks that a page fetches at once
BODY = 16_384  # most bytes of a request
DIGITS = 16  # of a number of milliseconds, at most
SMALL = 64  # pixels of the longer side up to which a picture is enlarged without smoothing
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
DATA = ("/next", "/classes")  # what the script of a page fetches
STATIC = {"label.css": "text/css", "label.js": "text/javascript", "owner.js": "text/javascript"}


OTHER_NAME = """This server is not called {0}. If another server is in front of this one, say its name when you begin:
gevaldi label FOLDER --name {0}
"""


class Guard:
    """Checks the host and adds headers to every response, whoever makes it.

    A server on the loopback answers only to names of this machine: another site can point its own name at 127.0.0.1, and would
    then pass for this one.

    Attributes:
        app: answers requests that pass.
        hosts: the names under which it may be called; None for all.
        name: that of a server in front of this one, from whose pages answers come, too.
    """

    def __init__(self, app: "ASGIApp", hosts: frozenset[str] | None, name: str = "") -> None:
        self.app, self.hosts, self.name = app, hosts, name

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        host = urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname
        is_known = self.hosts is None or (host or "") in self.hosts | (
            {urlsplit(f"//{self.name}").hostname} if self.name else set()
        )
        app = self.app if is_known else Response(OTHER_NAME.format(visible(str(host))[:100]), 421, media_type="text/plain")
        await app({**scope, "name": self.name}, receive, guarded)


def make_app(service: Service, hosts: frozenset[str] | None = None, guide: str = "", name: str = "") -> Guard:
    """The application.

    Args:
        service: hands out questions and stores answers.
        hosts: the names under which it may be called; None for all.
        guide: how to answer, as HTML that is safe.
        name: that of a server in front of this one.
    """
    pages = Pages(service, guide)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        await run_in_threadpool(service.stop)

    routes = [
        Route("/", pages.nobody),
        Route("/static/{name}", pages.static),
        Route("/p/{token}/", pages.of(pages.task)),
        Route("/p/{token}/next", pages.of(pages.next)),
        Route("/p/{token}/picture/{task}", pages.of(pages.picture)),
        Route("/p/{token}/sound/{task}", pages.of(pages.sound)),
        Route("/p/{token}/answer", pages.of(pages.answer), methods=["POST"]),
        Route("/p/{token}/undo", pages.of(pages.undo), methods=["POST"]),
        Route("/p/{token}/guide", pages.of(pages.guide)),
        Route("/p/{token}/example/{number:int}", pages.of(pages.example)),
        Route("/p/{token}/example/{number:int}/sound", pages.of(pages.sound_of_example)),
        Route("/p/{token}/classes", pages.of(pages.classes)),
        Route("/owner/{token}/", pages.owner),
        Route("/owner/{token}/picture/{place:int}", pages.owners_picture),
        Route("/owner/{token}/sound/{place:int}", pages.owners_sound),
        Route("/owner/{token}/{name}", pages.download),
    ]
    handlers: dict[Any, Any] = {HTTPException: pages.error_page, DataError: pages.unreadable}
    return Guard(Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers), hosts, name)


class Pages:
    """What is behind each address."""

    def __init__(self, service: Service, guide: str) -> None:
        self.service, self._guide = service, guide
        self.examples = [text for some in service.queue.examples.values() for text in some]

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A filled template."""
        from markupsafe import Markup

        thing = "sound" if self.service.queue.sound else "picture"
        colours = files("gevaldi.reports").joinpath("templates", "loudness.html").read_text() if thing == "sound" else ""
        named = {"title": TITLES[thing], "thing": thing, "loudness": Markup(colours)}
        return HTMLResponse(environment("gevaldi.labelling").get_template(template).render(**named, **context), status)

    def of(self, show: Callable[[Request, Person], Any]) -> Callable[[Request], Any]:
        """A page for the person whose token is in the address; for others there is nothing."""

        async def respond(request: Request) -> Response:
            person = self.service.by_token(request.path_params["token"])
            if person is None:
                raise HTTPException(404)
            found: Response = await show(request, person)
            return found

        return respond

    async def nobody(self, request: Request) -> Response:
        """For who has no link."""
        return self.page("nobody.html", message=NOBODY)

    async def error_page(self, request: Request, error: HTTPException) -> Response:
        """A request that cannot be met, in words; a wrong link is no different from none."""
        message = NOBODY if error.detail == "Not Found" else error.detail
        by_script = request.url.path.endswith(DATA)
        if _is_form(request) or (request.method in ("GET", "HEAD") and not by_script):
            return self.page("nobody.html", error.status_code, message=message)
        return JSONResponse({"error": message}, error.status_code)

    async def unreadable(self, request: Request, error: Exception) -> Response:
        """A picture that cannot be read."""
        return Response("This picture cannot be read.", 410)

    async def static(self, request: Request) -> Response:
        """Style and script."""
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(404)
        content = files("gevaldi.labelling").joinpath("templates", name).read_bytes()
        return Response(content, media_type=STATIC[name], headers={"Cache-Control": "no-cache"})

    async def task(self, request: Request, person: Person) -> Response:
        """The current question as a form."""
        tasks = await run_in_threadpool(self.service.next, person)
        progress = self.service.progress(person)
        shared: dict[str, Any] = {"progress": progress, "key": secrets.token_urlsafe(12)}
        if not tasks:
            return self.page("done.html", **shared)
        return self.page(
            "task.html",
            question=QUESTIONS["sound" if self.service.queue.sound else "picture"],
            **tasks[0],
            **shared,
            classes=[visible(name) for name in self.service.queue.classes],
            interval=progress.get("interval"),
            small=await run_in_threadpool(self._is_small, person, tasks[0]["task"]),
        )

    def _is_small(self, person: Person, task: str) -> bool:
        """Whether a picture is enlarged without smoothing. One that cannot be read may still be answered: cannot tell."""
        with contextlib.suppress(DataError):
            return max(self.service.queue.picture(self.service.item(person, task).id).size) <= SMALL
        return False

    async def next(self, request: Request, person: Person) -> Response:
        """The next questions."""
        count = request.query_params.get("count", "1")
        if not count.isascii() or not count.isdecimal() or not 0 < int(count[:9]) <= MOST:
            raise HTTPException(422, f"count is a number from 1 to {MOST}.")
        tasks = await run_in_threadpool(self.service.next, person, int(count))
        return JSONResponse({"tasks": tasks, "progress": self.service.progress(person)})

    async def picture(self, request: Request, person: Person) -> Response:
        """The picture of a question."""
        return await self._picture(self._id_of_task(request, person))

    async def sound(self, request: Request, person: Person) -> Response:
        """The sound of a question."""
        return await self._sound(request, self._id_of_task(request, person))

    def _id_of_task(self, request: Request, person: Person) -> str:
        """The id of a question's picture, which is asked for by its task."""
        try:
            return self.service.item(person, request.path_params["task"]).id
        except UnknownTask:
            raise HTTPException(404) from None

    async def _picture(self, text: str) -> Response:
        return await run_in_threadpool(lambda: picture_response(self.service.queue.picture(text)))

    async def _sound(self, request: Request, text: str) -> Response:
        """A sound, or the part of it that a player asks for."""
        find = self.service.queue.sound
        if find is None:
            raise HTTPException(404)
        return sound_response(await run_in_threadpool(find, text), request.headers.get("range", ""))

    async def answer(self, request: Request, person: Person) -> Response:
        """Store an answer; the reply comes once it is on disk."""
        sent = await _read_fields(request)
        shown = sent.get("shown_ms") or None
        if shown is not None and not (len(str(shown)) <= DIGITS and str(shown).isdecimal()):
            raise HTTPException(422, "shown_ms is a number of milliseconds.")
        task, answer, key = (_text(sent, name) for name in ("task", "answer", "key"))
        answer = answer.replace("\r\n", "\n")  # as forms send it
        return await self._store_or_refuse(
            request, lambda: self.service.answer(person, task, answer, key, _text(sent, "real") or None, shown and int(shown))
        )

    async def undo(self, request: Request, person: Person) -> Response:
        """Take back the last answer."""
        key = _text(await _read_fields(request), "key")
        return await self._store_or_refuse(request, lambda: self.service.undo(person, key))

    async def _store_or_refuse(self, request: Request, store: Callable[[], dict[str, Any]]) -> Response:
        try:
            found = await run_in_threadpool(store)
        except UnknownTask as error:
            raise HTTPException(404, str(error)) from None
        except BadAnswer as error:
            raise HTTPException(422, str(error)) from None
        except NotStored as error:
            raise HTTPException(error.status, _without_path(str(error), self.service)) from None
        return RedirectResponse("./", 303) if _is_form(request) else JSONResponse(found)

    async def guide(self, request: Request, person: Person) -> Response:
        """How to answer, with examples."""
        from markupsafe import Markup

        numbers = {text: number for number, text in enumerate(self.examples)}
        classes = [
            (visible(name), [f"example/{numbers[text]}" for text in some]) for name, some in self.service.queue.examples.items()
        ]
        drawn = any(item.drawn for item in self.service.queue.items)
        return self.page("guide.html", classes=classes, notes=Markup(self._guide), drawn=drawn)

    async def example(self, request: Request, person: Person) -> Response:
        """A picture of the guide."""
        return await self._picture(self._example(request))

    async def sound_of_example(self, request: Request, person: Person) -> Response:
        """A sound of the guide."""
        return await self._sound(request, self._example(request))

    def _example(self, request: Request) -> str:
        number: int = request.path_params["number"]
        if number >= len(self.examples):
            raise HTTPException(404)
        return self.examples[number]

    async def classes(self, request: Request, person: Person) -> Response:
        """The names of all classes."""
        return JSONResponse([visible(name) for name in self.service.queue.classes])

    def _check_owner(self, request: Request) -> None:
        if not self.service.is_owner(request.path_params["token"]):
            raise HTTPException(404)

    async def owner(self, request: Request) -> Response:
        """Everything, for who owns the question."""
        self._check_owner(request)
        name = request.scope["name"]
        base = f"https://{name}" if name else f"{request.url.scheme}://{request.headers.get('host', '')}"
        links = {person.name: f"{base}/p/{person.token}/" for person in self.service.people.values()}
        found = await run_in_threadpool(self.service.overview)
        return self.page(
            "owner.html",
            shows_interval=self.service.options.shows_interval,
            overview={**found, "links": links, "downloads": list(FORMATS)},
        )

    async def owners_picture(self, request: Request) -> Response:
        """A picture by its place in the queue."""
        return await self._picture(self._at(request))

    async def owners_sound(self, request: Request) -> Response:
        """A sound by its place in the queue."""
        return await self._sound(request, self._at(request))

    def _at(self, request: Request) -> str:
        self._check_owner(request)
        items, place = self.service.queue.items, request.path_params["place"]
        if place >= len(items):
            raise HTTPException(404)
        text: str = items[place].id
        return text

    async def download(self, request: Request) -> Response:
        """All answers as a file."""
        self._check_owner(request)
        name = request.path_params["name"]
        if name not in FORMATS:
            raise HTTPException(404)
        media_type, make = FORMATS[name]
        content = await run_in_threadpool(make, self.service.queue.folder)
        return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _without_path(text: str, service: Service) -> str:
    """An error without the folder's name, which may name the classifiers."""
    return text.replace(str(service.store.path), "the file of answers")


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


async def _read_fields(request: Request) -> dict[str, Any]:
    """The fields of a form or of a JSON object.

    Raises:
        HTTPException: the request comes from another site, is too long, or is neither.
    """
    _refuse_other_sites(request)
    is_form = _is_form(request)
    if not is_form and request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "An answer is sent as JSON or as a form.")
    content = b""
    try:
        async for part in request.stream():
            content += part
            if len(content) > BODY:
                raise HTTPException(413, f"A request has at most {BODY:,} bytes.")
    except ClientDisconnect:
        raise HTTPException(400, "The connection was lost.") from None
    try:
        if is_form:
            return {
                name: values[-1] for name, values in parse_qs(content.decode(), keep_blank_values=True, max_num_fields=20).items()
            }
        sent = json.loads(content)
    except (ValueError, RecursionError):
        raise HTTPException(422, "The request cannot be read.") from None
    if not isinstance(sent, dict):
        raise HTTPException(422, "The request is no object.")
    return sent


def _refuse_other_sites(request: Request) -> None:
    """Refuse a request that a browser says another site has made. A page without referrer sends forms with the origin `null`."""
    origin, site = request.headers.get("origin", "null"), request.headers.get("sec-fetch-site", "same-origin")
    host = request.headers.get("host")
    ours = (host, request.scope["name"] or host)
    if site != "same-origin" or (origin != "null" and urlsplit(origin).netloc not in ours):
        raise HTTPException(403, "This request comes from another site.")


def _text(sent: dict[str, Any], name: str) -> str:
    value = sent.get(name)
    if not isinstance(value, str | None):
        raise HTTPException(422, f"{name} is text.")
    return value or ""
