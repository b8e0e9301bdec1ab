"""Serve the lessons, or write them to a folder.

python app.py                 serve and print the address
python app.py export DIR      write a site that needs no server
panel serve app.py            the same lessons as Panel pages
"""

import argparse
import asyncio
import gzip
import hashlib
import re
import sys
from functools import lru_cache
from pathlib import Path

import panel as pn
from tornado.web import OutputTransform, RequestHandler

from lessons import load_all
from lessons.press.panel import lesson_page, live_apps
from lessons.press.site import Site
from widgets.live import training

# Published pages run their own scripts and nothing else, and ask nobody but this server.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)
# A single-file figure carries its script inside and may ask for nothing.
FILE_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
# A live part is a Panel page: Bokeh starts it with a script in the page and loads instruments from blobs.
LIVE_POLICY = (
    "default-src 'self'; connect-src 'self' blob:; script-src 'self' 'unsafe-inline' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'none'"
)

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
NOT_FOUND = "There is no such page here. The lessons begin at /."


@lru_cache(maxsize=128)  # more than the site has files; arrays made on request push each other out
def _packed(body: bytes) -> tuple[bytes, str]:
    """Return a file compressed, and its tag."""
    return gzip.compress(body, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:16]}"'


class Page(RequestHandler):
    """Hand out a published file. It is made once; a reader costs a look-up."""

    def initialize(self, site: Site) -> None:
        """Take the site whose files are handed out."""
        self.site = site

    async def get(self, path: str) -> None:
        """Answer with the file, compressed where the browser takes that, or say that there is none."""
        path = path or "index.html"
        if path.startswith("arrays/"):  # factoring takes up to a second; the other readers do not wait for it
            body = await asyncio.to_thread(self._arrays, path)
        else:
            body = self.site.read(path)
        if body is None:
            self.send_error(404)
            return
        packed, tag = _packed(body)
        self.set_header("Content-Type", f"{TYPES[path.rsplit('.', 1)[-1]]}; charset=utf-8")
        self.set_header("Content-Security-Policy", FILE_POLICY if path.startswith("file/") else PAGE_POLICY)
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

    def _arrays(self, path: str) -> bytes | None:
        """Return published arrays, or arrays made on request: arrays/<instrument>/<key>.js."""
        script, _, name = path.removeprefix("arrays/").partition("/")
        if path in self.site.paths or not name.endswith(".js"):
            return self.site.read(path)
        return self.site.arrays(script, name.removesuffix(".js"))

    def compute_etag(self) -> None:
        """Leave the tag to `get`, which has it ready."""

    def write_error(self, status_code: int, **_: object) -> None:
        """Say what is wrong in a sentence, never with a traceback."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(NOT_FOUND if status_code == 404 else "This did not work. The lessons begin at /.")


class Missing(Page):
    """Answer where nothing is."""

    def prepare(self) -> None:
        """Say so, whatever was asked for."""
        self.send_error(404)


class Policies(OutputTransform):
    """Give every answer the headers that published files set for themselves."""

    def transform_first_chunk(self, status_code, headers, chunk, finishing):
        """Add the policy of live parts where there is none, and forbid guessing of types."""
        if "Content-Security-Policy" not in headers:
            headers["Content-Security-Policy"] = LIVE_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        return status_code, headers, chunk


def export(folder: Path) -> None:
    """Write the published site into a folder."""
    site = Site(live=False)
    try:
        for path, make in site.paths.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(make().encode("utf-8"))
    except OSError as error:
        sys.exit(f"The site cannot be written to {folder}: {error.strerror}. Name a folder that can be made.")
    print(f"{len(site.paths)} files written to {folder}. Open {folder / 'index.html'} in a browser.")


def serve(address: str, port: int, origins: list[str]) -> None:
    """Serve published pages and live parts until interrupted."""
    site = Site(live=True)
    files = r"/(|index\.html|corrections\.html|embed\.js|(?:assets|arrays|lesson|embed|file)/[\w./-]+)"
    names = {address, "localhost", "127.0.0.1"} - {"0.0.0.0", "::"}
    try:
        server = pn.serve(
            live_apps(),
            address=address,
            port=port,
            websocket_origin=[*(f"{name}:{port}" for name in sorted(names)), *origins],
            extra_patterns=[(files, Page, {"site": site})],
            show=False,
            start=False,
            verbose=False,
        )
    except OSError as error:
        sys.exit(
            f"Cannot listen on {address}, port {port}: {error.strerror}. Choose another port with --port."
        )
    server._tornado.add_transform(Policies)
    server._tornado.settings |= {"default_handler_class": Missing, "default_handler_args": {"site": site}}
    print(f"LoRA, live: http://{'localhost' if address == '0.0.0.0' else address}:{port}/", flush=True)
    if address == "0.0.0.0" and not origins:
        print(
            "Readers on other computers: live parts open for the names given with --allow-origin NAME:PORT."
        )
    server.start()
    server.io_loop.start()


def _port(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; 1 to 65535 are.")
    return int(text)


def _origin(text: str) -> str:
    if not re.fullmatch(r"[\w*.-]+(:(\d{1,5}|\*))?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME or NAME:PORT, such as lora.example.org:443.")
    return text


def _scheduler(text: str) -> str:
    if not re.fullmatch(r"(tcp|tls|ucx|ws|wss)://[\w.\[\]:-]+:\d{1,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no scheduler's address, such as tcp://10.0.0.1:8786.")
    return text


def options() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="LoRA, live: serve the lessons, or export them.")
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help="network address to listen on (default: %(default)s, this computer only; 0.0.0.0 for all)",
    )
    parser.add_argument(
        "--port", type=_port, default=5006, help="port to listen on, 1 to 65535 (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-origin",
        type=_origin,
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="a name under which readers reach this server; live parts answer to these only; repeatable",
    )
    parser.add_argument(
        "--scheduler",
        type=_scheduler,
        metavar="tcp://HOST:PORT",
        help="a Dask scheduler whose workers do the training (default: processes of this computer)",
    )
    commands = parser.add_subparsers(dest="command", metavar="export")
    exporting = commands.add_parser(
        "export", help="write a site that works from any web server and from a folder"
    )
    exporting.add_argument("folder", type=Path, metavar="DIR")
    return parser


def main(arguments: list[str]) -> None:
    """Run the command."""
    given = options().parse_args(arguments)
    if given.command == "export":
        export(given.folder)
    else:
        training.scheduler = given.scheduler
        serve(given.address, given.port, given.allow_origin)


def panel_page() -> pn.Template:
    """Return the lesson that the address asks for, `?lesson=rank`, or the first."""
    asked = pn.state.session_args.get("lesson", [b""])[0].decode("utf-8", "replace")
    lessons = {lesson.slug: lesson for lesson in load_all()}
    return lesson_page(lessons.get(asked) or load_all()[0])


if __name__ == "__main__":
    main(sys.argv[1:])
elif pn.state.served:
    panel_page().servable()
