"""The served app answers every request with a policy, a plain sentence where there is nothing, and no traceback."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator

import pytest

from helpers.app import Served, program
from lessons import load_all
from lessons.press.server import PATHS
from lessons.press.site import Site
from widgets.kit.languages import shipped

SITE = Site(live=True, languages=shipped())
LIVE = [f"/live/{lesson.slug}/{part}" for lesson in load_all() for part in lesson.live_parts()]
# One page or file of each kind: by folder, ending, and whether it trains.
KINDS = {
    (path.rpartition("/")[0].partition("/")[0], path.rpartition(".")[2], path in SITE.training): path
    for path in reversed(SITE.paths)
    if path not in ("index.html", "assets/search_index.js", "glossary.html")  # all lessons are read for these
}
PAGE_RULES = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'"}
MARKUP = "<script>alert(1)</script>"
NOWHERE = [
    "/nope",
    "/lesson/nope.html",
    "/lesson/",
    "/lesson/rank",
    "/live/",
    "/live/nope",
    "/live/rank",
    "/static/nope.js",
    "/assets/../app.py",
    "/assets/../../../../../../etc/passwd",
    "/assets/%2e%2e/app.py",
    "/assets/..%2fapp.py",
    "/assets/lora.css/../../app.py",
    "//etc/passwd",
    "/../app.py",
    "/app.py",
    "/assets/base.html",
    "/assets/",
    "/assets/%00",
    "/assets/%ff",
    "/assets/lora.css/",
    "/arrays/rank/blur-48-7",
    "/arrays/rank/blur-48-7.html",
    "/arrays/rank/blur-3200-7.js",
    "/arrays/rank/blur-048-7.js",
    "/arrays/rank/blur-48-7-.js",
    "/arrays/rank/blur-48.js",
    "/arrays/rank/.js",
    "/arrays/rank/",
    "/arrays/rank",
    "/arrays/nope/blur-48-7.js",
    "/arrays/__class__/blur-48-7.js",
    "/arrays/rank/../../app.js",
    "/arrays/rank/%D9%A3%D9%A2.js",
    "/arrays/rank/blur-" + "9" * 5000 + "-0.js",
    "/arrays/rank/blur-48-" + "9" * 40 + ".js",
    f"/arrays/rank/{MARKUP}.js",
    f"/lesson/{MARKUP}.html",
    f"/{MARKUP}",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    """Serve the app for this file, and read all that it printed in the end."""
    log = tmp_path_factory.mktemp("served") / "log.txt"
    command = ["app.py", "--allow-origin", "lessons.example:443"]
    with program(log, *command) as app:
        yield app
        ended = app.interrupt()
    said = app.printed()
    assert said.startswith(f"LoRA, live: http://127.0.0.1:{app.port}/\n")
    for word in ("Traceback", "Exception", "Error:"):
        assert word not in said, said
    assert ended == 0, "Ctrl-C ends it quietly"
    assert "KeyboardInterrupt" not in said


def rules(policy: str) -> dict[str, str]:
    """Return the rules of a content security policy by name."""
    return dict(rule.strip().split(" ", 1) for rule in policy.split(";"))


def check_headers(reply) -> None:
    """Check what every answer carries."""
    assert rules(reply.headers["content-security-policy"])["default-src"] in ("'none'", "'self'")
    assert "'unsafe-eval'" not in reply.headers["content-security-policy"]  # of WebAssembly is another matter
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "same-origin"
    assert "set-cookie" not in reply.headers


def test_every_published_file_has_an_address():
    assert [path for path in SITE.paths if not re.fullmatch(PATHS, f"/{path}")] == []


def test_the_first_address_is_that_of_the_start_page(served):
    assert served.ask("/").body == served.ask("/index.html").body


@pytest.mark.parametrize("path", ["index.html", *KINDS.values()])
def test_a_published_file_is_handed_out(served, path):
    reply = served.ask(f"/{path}")
    assert reply.status == 200
    assert reply.body == SITE.read(path)
    check_headers(reply)
    kinds = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
    assert reply.headers["content-type"] == f"{kinds[path.rsplit('.', 1)[1]]}; charset=utf-8"
    policy = rules(reply.headers["content-security-policy"])
    if path.startswith("file/"):
        assert policy["default-src"] == "'none'"
        assert "connect-src" not in policy
    else:
        trains = path in SITE.training
        more = {"script-src": "'self' 'wasm-unsafe-eval'", "worker-src": "blob:"} if trains else {}
        assert policy.items() >= (PAGE_RULES | more).items()
        assert ("worker-src" in policy) == trains


def test_an_address_leads_to_a_language_with_the_rest_of_its_question(served):
    for asked, there in {
        "/?lang=es": "./es/index.html",
        "/es": "es/",
        "/lesson/rank.html?lang=es&rank.r=4": "../es/lesson/rank.html?rank.r=4",
        "/es/lesson/rank.html?a=%C3%A1&lang=en": "../../lesson/rank.html?a=%C3%A1",
    }.items():
        reply = served.ask(asked)
        assert (reply.status, reply.headers["location"]) == (302, there)
        check_headers(reply)
    for path in ("/lesson/rank.html?lang=xx", "/lesson/rank.html?lang=en", "/assets/kit.js?lang=es"):
        assert served.ask(path).status == 200
    assert "Página no encontrada" in served.ask("/es/nope.html").body.decode()
    assert served.ask("/es/arrays/rank/blur-48-7.js").body != served.ask("/arrays/rank/blur-48-7.js").body


def test_a_browser_that_takes_gzip_gets_it(served):
    plain, packed = (
        served.ask("/lesson/rank.html"),
        served.ask("/lesson/rank.html", Accept_Encoding="gzip, br"),
    )
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body)
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_what_the_browser_has_is_not_sent_again(served):
    tag = served.ask("/assets/lora.css").headers["etag"]
    again = served.ask("/assets/lora.css", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    check_headers(again)
    assert served.ask("/assets/lora.css", If_None_Match='"old"').status == 200
    assert served.ask("/assets/page.js").headers["etag"] != tag


@pytest.mark.parametrize("path", ["/", "/lesson/rank.html", "/arrays/rank/blur-48-7.js"])
def test_head_gives_the_headers_alone(served, path):
    whole, head = served.ask(path), served.ask(path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-security-policy"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("path", NOWHERE, ids=lambda path: path[:40])
def test_where_nothing_is_stands_a_sentence(served, path):
    reply = served.ask(path)
    assert reply.status == 404
    check_headers(reply)
    for leak in (b"Traceback", b"root:", b"import ", b"alert(1)", b".venv"):
        assert leak not in reply.body
    if path.startswith(("/arrays/", "/assets/")):
        assert reply.body == b"Nothing is here."
        assert reply.headers["content-type"].startswith("text/plain")
    elif not path.startswith("/static/"):
        assert reply.body.decode() == SITE.lost(root="/")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/lesson/rank.html", "/nope", *LIVE])
def test_nothing_can_be_sent_but_questions(served, method, path):
    reply = served.ask(path, method)
    assert reply.status in (204, 404, 405, 501)
    assert len(reply.body) < 200
    check_headers(reply)


def test_any_matrix_is_made_on_request(served):
    reply = served.ask("/arrays/rank/blur-48-7.js")
    assert reply.status == 200
    check_headers(reply)
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    start = 'lora_arrays("rank/blur-48-7", '
    text = reply.body.decode()
    assert text.startswith(start)
    assert json.loads(text[len(start) : -2])["key"] == "blur-48-7"
    assert served.ask("/arrays/rank/few-patterns-16-0.js").body == SITE.read(
        "arrays/rank/few-patterns-16-0.js"
    )


@pytest.mark.parametrize("path", ["/", "/lesson/rank.html", "/embed/rank/rank.html", *LIVE])
def test_nothing_of_the_address_comes_back(served, path):
    query = f"?task={MARKUP}&r=9e9&x='\"%3Cscript%3Ealert(1)%3C/script%3E&theme=%22onload=alert(1)"
    reply = served.ask(path + query.replace(" ", "%20"))
    assert reply.status == 200
    assert b"alert(1)" not in reply.body
    if path not in LIVE:
        assert reply.body == served.ask(path).body


@pytest.mark.parametrize("path", [*LIVE, "/static/js/bokeh.min.js"])
def test_a_live_part_has_a_policy_and_no_cookie(served, path):
    reply = served.ask(path)
    check_headers(reply)
    policy = rules(reply.headers["content-security-policy"])
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == "'none'"
    assert not re.search(r"https?://", reply.headers["content-security-policy"])
    if path in LIVE:
        assert not re.findall(rb"(?:src|href)=[\"']https?://", reply.body)


def handshake(served: Served, origin: str | None) -> str:
    """Open the websocket of a live part as a page from some origin would; return what the server says."""
    token = re.search(r'"token":"([^"]+)"', served.ask(LIVE[0]).body.decode())[1]
    return served.websocket(f"{LIVE[0]}/ws", origin, "bokeh", token)


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:{port}", "http://localhost:{port}", "https://lessons.example"]
)
def test_a_websocket_is_opened_for_our_own_pages(served, origin):
    if origin.startswith("https"):
        origin += ":443"
    said = handshake(served, origin.format(port=served.port))
    assert said.startswith("HTTP/1.1 101 ")
    assert "ACK" in said


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:1",
        "http://localhost",
        "http://127.0.0.1.evil.example:{port}",
        "null",
        "https://lessons.example:444",
    ],
)
def test_a_websocket_is_refused_to_others(served, origin):
    said = handshake(served, origin.format(port=served.port))
    assert said.startswith("HTTP/1.1 403 ")
    assert "ACK" not in said
    assert "set-cookie" not in said.lower()


def test_published_pages_open_no_session(served):
    for _ in range(50):
        for path in ("/", "/lesson/rank.html", "/embed/rank/rank.html"):
            body = served.ask(path, Accept_Encoding="identity").body
            assert b'"token":' not in body, "a session's page carries one, as LIVE does above"
