"""A lesson as a package that learning platforms import: SCORM 1.2, one zip with the page and all that it needs."""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from lessons.press.blocks import Lesson
from lessons.press.site import Site
from widgets.kit.instrument import ROOT, render

MADE = (1980, 1, 1, 0, 0, 0)  # the same site gives the same bytes; a zip knows no earlier day
LINK = re.compile(
    r'<a (?P<before>[^>]*?)href="(?P<address>[^"]*)"(?P<after>[^>]*)>(?P<text>.*?)</a>', re.DOTALL
)


def package(site: Site, lesson: Lesson) -> bytes:
    """Return the zip of a lesson; `site` is one that is made for a course."""
    page = f"lesson/{lesson.slug}.html"
    files = {path: site.read(path) or b"" for path in needed(site, lesson)}
    files[page] = kept_inside((site.read(page) or b"").decode("utf-8"), page, set(files), site.url).encode(
        "utf-8"
    )
    for name, path in {"LICENSE": "LICENSE", "LICENSE-TEXT": "lessons/LICENSE"}.items():
        files[name] = (ROOT / path).read_bytes()
    files["assets/LICENSES.txt"] = (ROOT / "assets" / "bundles" / "LICENSES.txt").read_bytes()
    manifest = render(
        "imsmanifest.xml", slug=lesson.slug, title=site.said(lesson.title), page=page, files=sorted(files)
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in [("imsmanifest.xml", manifest.encode("utf-8")), *sorted(files.items())]:
            packed.writestr(zipfile.ZipInfo(name, MADE), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def needed(site: Site, lesson: Lesson) -> Iterator[str]:
    """Yield the paths of the page and of what it loads, at first or later."""
    yield f"lesson/{lesson.slug}.html"
    yield "assets/lora.css"
    yield from (f"assets/{name}.js" for name in ("kit", "course", "page", "present"))
    for kind in dict.fromkeys(site.kinds[lesson.slug, figure] for figure in lesson.figures()):
        own = (f"assets/{kind.script}.js", f"assets/{kind.script}_engine.js", f"arrays/{kind.script}/")
        yield from (path for path in site.paths if path in own[:2] or path.startswith(own[2]))


def kept_inside(html: str, page: str, files: set[str], url: str) -> str:
    """Return a page whose links to other pages of the site lead to `url`, or are plain words where that is not known.

    >>> kept_inside('<a href="rank.html?r=4#x">See</a>', "lesson/lab.html", {"lesson/lab.html"}, "")
    'See'
    >>> kept_inside('<a href="#x">See</a>', "lesson/lab.html", {"lesson/lab.html"}, "")
    '<a href="#x">See</a>'
    """

    def held(link: re.Match) -> str:
        parts = urlsplit(link["address"])
        there = posixpath.normpath(posixpath.join(posixpath.dirname(page), parts.path))
        if parts.scheme or not parts.path or there in files:
            return link[0]
        if not url:
            return link["text"]
        outside = urljoin(url + page, link["address"])
        return f'<a {link["before"]}href="{outside}"{link["after"]} target="_blank" rel="noopener">{link["text"]}</a>'

    return LINK.sub(held, html)
