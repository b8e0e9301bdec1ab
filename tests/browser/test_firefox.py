"""Training in the page, in Firefox: from a server and from a file in a folder. Skipped where there is no Firefox."""

import asyncio
from pathlib import Path

import pytest

from helpers.firefox import MISSING, installed, tab
from helpers.spoken import say, saying
from widgets.finetune.words import WORDS

FIREFOX = installed()
ROOT = "document.querySelector('.lora-finetune')"
BUTTON = f"[...{ROOT}.querySelectorAll('button')].find((each) => each.textContent === '%s')"
SHORT = "facts=8&batch=8&steps=10&workers=2"


async def trained(path: str, profile: Path, url: str) -> tuple[str, str]:
    """Finetune in a page; return its sentence and what is wrong."""
    async with tab(path, profile) as page:
        await page.open(url)
        await page.until(f"{ROOT} && {BUTTON % say('Finetune')}")
        await page.value(f"{BUTTON % say('Finetune')}.click()")
        await page.until(f"{BUTTON % say('Finetune again')} || {ROOT}.querySelector('.problem').textContent")
        sentence = await page.value(f"{ROOT}.querySelector('.sentence').textContent")
        return sentence, await page.value(f"{ROOT}.querySelector('.problem').textContent")


@pytest.mark.skipif(FIREFOX is None, reason=MISSING)
@pytest.mark.parametrize("where", ["served", "file"])
def test_it_finetunes_in_firefox(where, server, exported, tmp_path):
    page = {
        "served": f"{server}/embed/first/finetune.html",
        "file": (exported / "file" / "first-finetune.html").as_uri(),
    }[where]
    sentence, problem = asyncio.run(trained(str(FIREFOX), tmp_path, f"{page}?{SHORT}"))
    assert problem == ""
    assert saying(WORDS["sentences"]["running"], step=10, label="New facts").fullmatch(sentence)


async def room_opened(path: str, profile: Path, server: str) -> str:
    """Open a room for a class; return what its first line says."""
    async with tab(path, profile) as page:
        await page.open(f"{server}/room.html")
        await page.until("document.querySelector('.open button')?.checkVisibility() && globalThis.lora_room")
        await page.value("document.querySelector('.open button').click()")
        await page.until("document.querySelector('.in-room .code')?.textContent")
        return await page.value("document.querySelector('.in-room .code').textContent")


@pytest.mark.skipif(FIREFOX is None, reason=MISSING)
def test_a_page_may_reach_its_room_in_firefox(server, tmp_path):
    """That `connect-src 'self'` lets a page open a websocket to its own server is up to the browser."""
    assert asyncio.run(room_opened(str(FIREFOX), tmp_path, server)).startswith(
        say("Room {code}").removesuffix("{code}")
    )
