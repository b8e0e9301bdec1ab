"""Serve the lessons, or write them to a folder.

python app.py                 serve and print the address
python app.py export DIR      write a site that needs no server
python app.py inspect FILE    say what is in an adapter, cut it, convert it, compare or merge it with others
python app.py export --scorm DIR   write a package for learning platforms of each lesson
panel serve app.py            the same lessons as Panel pages

Nothing large is loaded before it is needed: --help answers at once, a worker that Python starts from here loads only
what it computes with, and while the server starts it already ends quietly when it is told to.
"""

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lessons.press.options import PREFIX, Options, Wrong, add_to, options, unknown

if TYPE_CHECKING:
    from widgets.kit.languages import Language

# NumPy's matrices are small here: threads would only wait for each other, beside other programs for many times as long
# as one takes. OpenBLAS reads it when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def hear() -> None:
    """End quietly, from now on, on Ctrl-C or when told to.

    At once and not by an exception, which is lost where Python happens to tidy up, as it does within any import. There
    is nothing to put away: workers notice that the server is gone, and end.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))


def _languages(codes: Sequence[str]) -> "list[Language]":
    """Return the languages of some codes, all that are shipped where none is named; end where there is no such."""
    from widgets.kit.languages import language, shipped

    try:
        return [language(code) for code in codes] or shipped()
    except ValueError as error:
        sys.exit(str(error))


def export(folder: Path, url: str = "", codes: Sequence[str] = ()) -> None:
    """Write the published site into a folder; `url` is where it will be read, `codes` names its languages."""
    from lessons.press.site import Site

    site = Site(live=False, url=url, languages=_languages(codes))
    try:
        for path in site.paths:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(site.read(path) or b"")
    except OSError as error:
        sys.exit(f"The site cannot be written to {folder}: {error.strerror}. Name a folder that can be made.")
    print(f"{len(site.paths)} files written to {folder}. Open {folder / 'index.html'} in a browser.")


def inspect(given: argparse.Namespace) -> None:
    """Say what is in an adapter, and do with it what was asked for."""
    from compute.adapters.formats.command import inspect

    sys.exit(inspect(given, sys.stdout, sys.stderr))


def export_scorm(folder: Path, slugs: list[str], url: str = "", codes: Sequence[str] = ()) -> None:
    """Write packages of some lessons, else of all chapters; each further language in a folder of its own."""
    from lessons import load_all
    from lessons.press.scorm import package
    from lessons.press.site import Site

    known = {lesson.slug: lesson for lesson in load_all()}
    if strange := [slug for slug in slugs if slug not in known]:
        sys.exit(f"There is no lesson {strange[0]!r}. There are: {', '.join(known)}.")
    first, *others = _languages(codes or ("en",))
    written = 0
    try:
        for language, into in [(first, folder), *((each, folder / each.code) for each in others)]:
            site = Site(live=False, url=url, course=True, languages=[language])
            into.mkdir(parents=True, exist_ok=True)
            for lesson in [known[slug] for slug in slugs] or site.chapters:
                (into / f"lora-{lesson.slug}.zip").write_bytes(package(site, lesson))
                written += 1
    except OSError as error:
        sys.exit(
            f"The packages cannot be written to {folder}: {error.strerror}. Name a folder that can be made."
        )
    print(
        f"{written} packages (SCORM 1.2) written to {folder}. A learning platform imports each as an activity."
    )


def serve(chosen: Options) -> None:
    """Serve published pages and live parts until interrupted."""
    hear()
    from lessons.press.server import listening

    server = listening(chosen)
    hear()  # Panel has set a handler of its own, which waits for a loop that may not run yet
    everywhere = chosen.address == "0.0.0.0"
    name = "localhost" if everywhere else chosen.address
    print(f"LoRA, live: http://{name}:{server.port}{chosen.prefix}/", flush=True)
    if everywhere and not chosen.allow_origin:
        print(
            "Readers on other computers: live parts open for the names given with --allow-origin NAME:PORT.",
            flush=True,
        )
    server.start()
    server.io_loop.start()


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?(/[\w./~-]*)?", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address of a site, such as https://your-site.example/lora/."
        )
    return text.rstrip("/") + "/"


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; 0 to 1 are, such as 0.9.")
    return share


def _rank(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 5 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no rank; whole numbers from 1 on are.")
    return int(text)


def command_line() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="LoRA, live: serve the lessons, or export them.",
        epilog=f"An option may also stand in the environment, as {PREFIX} and its name in capitals: {PREFIX}PORT=80, "
        f"{PREFIX}ALLOW_ORIGIN=a.example,b.example; or in the file: port = 80, allow-origin = ['a.example']. "
        "The command line goes before the environment, and that before the file.",
    )
    add_to(parser)
    commands = parser.add_subparsers(dest="command", metavar="export | inspect")
    exporting = commands.add_parser(
        "export", help="write a site that works from any web server and from a folder"
    )
    exporting.add_argument("folder", type=Path, metavar="DIR")
    exporting.add_argument(
        "--url",
        type=_url,
        metavar="URL",
        help="where the site will be read: links to its lessons then travel with a picture, plans have QR codes",
    )
    exporting.add_argument(
        "--languages",
        nargs="+",
        default=[],
        metavar="CODE",
        help="the languages to write (usually all, of packages English): the first at the root, each other in a folder "
        "of its name",
    )
    exporting.add_argument(
        "--scorm",
        action="store_true",
        help="write packages for learning platforms instead (SCORM 1.2), one zip for each chapter",
    )
    exporting.add_argument(
        "--lesson",
        action="append",
        default=[],
        metavar="NAME",
        help="with --scorm: this lesson only, rank for lesson/rank.html; repeatable",
    )
    _inspecting(
        commands.add_parser(
            "inspect",
            help="say what is in an adapter of any format; cut it, convert it, compare or merge it with others",
        )
    )
    return parser


def _inspecting(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `inspect`."""
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="an adapter: its file or files, the folder with adapter_config.json, or an archive",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON: format, layers, scales, singular values, notes"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what was found as one HTML file")
    parser.add_argument(
        "--base",
        type=Path,
        metavar="PATH",
        help="the base, a folder or .safetensors: the size of delta_w against W, amplification, what merges lose, the "
        "true change of a DoRA",
    )
    parser.add_argument(
        "--intruders",
        action="store_true",
        help="with --base: count directions that W does not have (half a minute for each layer of 4096 x 4096)",
    )
    parser.add_argument("--all", action="store_true", help="list every layer, however many there are")
    cut = parser.add_mutually_exclusive_group()
    cut.add_argument("--truncate", type=_rank, metavar="R", help="cut every layer to rank R")
    cut.add_argument(
        "--energy", type=_share, metavar="E", help="keep the smallest rank with a share E of the energy"
    )
    cut.add_argument(
        "--error", type=_share, metavar="E", help="keep the smallest rank with a relative error of E"
    )
    cut.add_argument(
        "--numbers", type=int, metavar="N", help="keep N numbers in all, spent where they buy most"
    )
    parser.add_argument(
        "--overall",
        action="store_true",
        help="let --energy or --error hold for all layers together, ranks spent where they buy most",
    )
    parser.add_argument(
        "--convert",
        choices=["peft", "kohya", "diffusers", "mlx", "gguf"],
        help="the format to write; GGUF of another needs --base with config.json",
    )
    parser.add_argument(
        "--with",
        dest="others",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="other adapters, one a file or folder: compared, or merged with --merge",
    )
    parser.add_argument(
        "--merge", choices=["concatenation", "svd", "ties", "dare"], help="how to make one of several"
    )
    parser.add_argument(
        "--weights", type=float, nargs="+", metavar="W", help="one for each adapter; -1 subtracts"
    )
    parser.add_argument(
        "--density", type=_share, default=0.5, metavar="D", help="share that TIES and DARE keep"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what DARE drops")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="a folder, or a .safetensors or .gguf file; without it nothing is written",
    )


def main(arguments: list[str]) -> None:
    """Run the command."""
    parser = command_line()
    given = parser.parse_args(arguments)
    if given.command == "export" and given.scorm:
        return export_scorm(given.folder, given.lesson, given.url or "", given.languages)
    if given.command == "export" and given.lesson:
        parser.error("--lesson chooses a package: it needs --scorm. A site is written whole.")
    if given.command == "export":
        return export(given.folder, given.url or "", given.languages)
    if given.command == "inspect":
        return inspect(given)
    try:
        chosen = options(vars(given))
    except Wrong as refusal:
        parser.error(str(refusal))
    for name in unknown():
        print(f"{name} is none of the options and changes nothing; --help lists them.", file=sys.stderr)
    serve(chosen)


if __name__ == "__main__":
    main(sys.argv[1:])
elif __name__.startswith("bokeh_app_"):  # under `panel serve app.py`
    from lessons.press.panel import asked_page

    asked_page().servable()
