"""How the site is served: published files with their policies, live parts as Panel applications, one address."""

import asyncio
import gzip
import hashlib
import sys
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

import panel as pn
from bokeh.server.server import Server
from tornado.ioloop import PeriodicCallback
from tornado.web import OutputTransform, RequestHandler

from lessons.press.doors import LIMITS, PING, SILENCE, Doors, Stalled, guard
from lessons.press.hall import Hall
from lessons.press.options import Options
from lessons.press.panel import live_apps
from lessons.press.proxies import Proxies
from lessons.press.seen import Seen, apart, discreet
from lessons.press.site import Site
from widgets.kit.instrument import file_policy
from widgets.kit.languages import shipped
from widgets.live import own_matrix, settings, training
from widgets.live.fair import Room

# A live part is a Panel page: Bokeh starts it with a script in the page and loads instruments from blobs.
LIVE_POLICY = (
    "default-src 'self'; connect-src 'self' blob:; script-src 'self' 'unsafe-inline' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'none'"
)


def page_policy(trains: bool) -> str:
    """Return the policy of a published page: it runs its own scripts and nothing else, and asks nobody but this server.

    One that trains may also compile the trainer, and start a Worker from a script that it has.
    """
    more, worker = (" 'wasm-unsafe-eval'", " worker-src blob:;") if trains else ("", "")
    return (
        f"default-src 'none'; script-src 'self'{more};{worker} style-src 'self'; img-src 'self' data:; "
        "frame-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )


MEGABYTE = 10**6
WAITING_OF_ONE = 20  # runs; a reader's page asks for two at a time
FOLDERS = "assets|arrays|lesson|embed|file|teach|handout|key"
PATHS = rf"/((?:[a-z]{{2,3}}(?:-\w+)*/)?(?:|\w+\.html|embed\.js|(?:{FOLDERS})/[\w./-]+))"
FILES = ("arrays/", "assets/")  # no reader opens these as pages
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


@lru_cache(maxsize=128)  # more than the site has files; arrays made on request push each other out
def _packed(body: bytes) -> tuple[bytes, str]:
    """Return a file compressed, and its tag."""
    return gzip.compress(body, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:16]}"'


class Page(RequestHandler):
    """Hand out a published file. It is made once; a reader costs a look-up."""

    def initialize(self, site: Site, prefix: str) -> None:
        """Take the site whose files are handed out, and the path before all of them."""
        self.site, self.prefix = site, prefix

    async def get(self, path: str) -> None:
        """Answer with the file, compressed where the browser takes that, or say that there is none."""
        path = path if path and not path.endswith("/") else f"{path}index.html"
        if self._led_elsewhere(path):
            return
        language, inside = self.site.parted(path)
        if inside.startswith("arrays/"):
            # Factoring takes up to a second; the other readers do not wait for it.
            body = await asyncio.to_thread(self._arrays, language, inside)
        else:
            body = self.site.read(path)
        if body is None:
            self.send_error(404)
            return
        packed, tag = _packed(body)
        self.set_header("Content-Type", f"{TYPES[path.rsplit('.', 1)[-1]]}; charset=utf-8")
        policy = file_policy if inside.startswith("file/") else page_policy
        self.set_header("Content-Security-Policy", policy(path in self.site.training))
        self.set_header("Cache-Control", "no-cache")  # keep it, but ask whether it is still the newest
        self.set_header("Vary", "Accept-Encoding")
        self.set_header("Etag", tag)
        if self.check_etag_header():
            self.set_status(304)
            return
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            body = packed
        self.finish(body)

    head = get

    def _arrays(self, site: Site, path: str) -> bytes | None:
        """Return published arrays, or arrays made on request: arrays/<instrument>/<key>.js."""
        script, _, name = path.removeprefix("arrays/").partition("/")
        if path in site.paths or not name.endswith(".js"):
            return site.read(path)
        return site.arrays(script, name.removesuffix(".js"))

    def _led_elsewhere(self, path: str) -> bool:
        """Lead to the page in the language that `?lang=` asks for, the rest of the question with it."""
        asked = self.get_query_argument("lang", "")
        site, inside = self.site.parted(path)
        other = self.site.sites.get(asked)
        if other in (None, site) or not inside.endswith(".html") or path not in self.site.paths:
            return False
        up = "../" * path.count("/")
        rest = [(name, value) for name, value in parse_qsl(self.request.query, True) if name != "lang"]
        self.redirect(f"{up or './'}{other.folder}{inside}{'?' if rest else ''}{urlencode(rest)}")
        return True

    def compute_etag(self) -> None:
        """Leave the tag to `get`, which has it ready."""

    def write_error(self, status_code: int, **_: object) -> None:
        """Say what is wrong in a sentence, never with a traceback; a reader who asked for a page is helped on."""
        site, inside = self.site.parted(self.request.path.removeprefix(self.prefix).lstrip("/"))
        if status_code == 404 and self.request.method == "GET" and not inside.startswith(FILES):
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.set_header("Content-Security-Policy", page_policy(trains=False))
            self.finish(site.lost(root=f"{self.prefix}/"))
            return
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            "Nothing is here."
            if status_code == 404
            else f"This did not work. The lessons begin at {self.prefix}/."
        )


class Missing(Page):
    """Answer where nothing is."""

    def prepare(self) -> None:
        """Say so, whatever was asked for."""
        self.send_error(404)


class Begin(RequestHandler):
    """Lead from the prefix, or a language's folder, to its start page: links are relative to the slash at its end."""

    def get(self) -> None:
        """Add the slash; a proxy may show readers another path before it."""
        self.redirect(f"{self.request.path.rpartition('/')[2]}/")

    head = get


class Policies(OutputTransform):
    """Give every answer the headers that published files set for themselves."""

    def transform_first_chunk(self, status_code, headers, chunk, finishing):
        """Add the policy of live parts where there is none, and forbid guessing of types."""
        if "Content-Security-Policy" not in headers:
            headers["Content-Security-Policy"] = LIVE_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        return status_code, headers, chunk


def listening(chosen: Options) -> Server:
    """Return the server, which listens but answers only when its loop is started; port 0 asks for any free one."""
    settings.allow(chosen.most_steps)
    training.scheduler, training.workers = chosen.scheduler, chosen.workers
    training.room = Room(chosen.most_waiting, chosen.waiting_each, min(WAITING_OF_ONE, chosen.waiting_each))
    every, each = MEGABYTE * chosen.most_memory, MEGABYTE * chosen.memory_each
    own_matrix.room = Room(every, each, min(own_matrix.room.bounds[-1], each))
    doors = Doors(chosen.most_sessions, chosen.sessions_each)
    guard(doors)
    stalled = Stalled(lambda: server._http._connections)
    try:
        seen = Seen(chosen.prefix, doors, stalled, chosen.access_log)
    except OSError as error:
        sys.exit(f"The access log {chosen.access_log} cannot be opened: {error.strerror}.")
    discreet()
    site = Site(live=True, rooms=chosen.rooms > 0, languages=shipped())
    hall = Hall(chosen.rooms, site)
    seen.rooms = hall.rooms
    published = {"site": site, "prefix": chosen.prefix}
    beside: list[tuple] = [("", Begin)] if chosen.prefix else []
    beside += [(f"/{each.folder[:-1]}", Begin) for each in site.sites.values() if each.folder]
    if chosen.admin_port is None:
        beside += seen.routes()
    try:
        server = pn.serve(
            live_apps(),
            address=chosen.address,
            port=chosen.port,
            prefix=chosen.prefix,
            websocket_origin=_origins(chosen.allow_origin),
            extra_patterns=[*beside, *hall.routes(), (PATHS, Page, published)],
            http_server_kwargs=LIMITS,
            show=False,
            start=False,
            verbose=False,
            log_function=seen.answered,
            **PING,
        )
    except OSError as error:
        sys.exit(
            f"Cannot listen on {chosen.address}, port {chosen.port}: {error.strerror}. "
            "Choose another port with --port."
        )
    names = {chosen.address, "localhost", "127.0.0.1"} - {"0.0.0.0", "::"}
    server._tornado._websocket_origins |= {f"{name}:{server.port}" for name in names}  # known only now
    server._tornado.add_transform(Policies)
    server._tornado.settings |= {"default_handler_class": Missing, "default_handler_args": published}
    doors.server = server
    hall.start()
    PeriodicCallback(stalled.look, 1000 * SILENCE).start()
    if chosen.admin_port is not None:
        apart(seen, chosen.admin_address, chosen.admin_port)
    server._http.request_callback = Proxies(server._tornado, chosen.trust)
    return server


def _origins(names: tuple[str, ...]) -> list[str]:
    """Return the names under which pages may open a websocket. A browser leaves out the port that https has anyway."""
    return [*names, *(name.removesuffix(":443") for name in names if name.endswith(":443"))]
