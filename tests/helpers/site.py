"""The site as it is published and as it is served, each page drawn once for all tests of a process."""

from functools import cache

from lessons.press.site import Site


@cache
def published(url: str = "") -> Site:
    return Site(live=False, url=url)


@cache
def served() -> Site:
    return Site(live=True)
