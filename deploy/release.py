"""Make a release of what is committed: `make release VERSION=1.2.0`.

Nothing leaves this computer but with `UPLOAD=yes`: otherwise the commands that publish it are printed.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell: the same files give the same zip
LOCKS = ("app.lock", "torch.lock")


def git(*arguments: str) -> str:
    """Return what git says."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def make(target: str, *settings: str) -> None:
    """Make a target, or end where it fails."""
    if subprocess.run(["make", "--no-print-directory", target, *settings], cwd=ROOT, check=False).returncode:
        sys.exit(f"make {target} failed, so nothing is released.")


def notes(version: str) -> str:
    """Return what the changelog says of a version, which must be its newest."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading, text = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)[0]
    if not re.fullmatch(rf"\[?{re.escape(version)}\]? - \d{{4}}-\d\d-\d\d", heading):
        sys.exit(
            f"The newest heading of CHANGELOG.md is “{heading}”; a release needs “{version} - ” and its date."
        )
    if not text.strip():
        sys.exit(f"CHANGELOG.md says nothing of {version}.")
    return text.strip()


def checked(version: str) -> str:
    """Return the notes of a version that can be released, or end with a sentence."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or version == "0.0.0":
        sys.exit(f"{version!r} is no version to release; name one: make release VERSION=1.2.0")
    if git("status", "--porcelain"):
        sys.exit(
            "There are changes that are not committed. A release is what is committed: git status lists them."
        )
    if git("tag", "--list", f"v{version}"):
        sys.exit(f"There is a release {version} already: git tag lists them.")
    return notes(version)


def packed(folder: Path, into: Path) -> None:
    """Write a folder's files as a zip, and remove it."""
    with zipfile.ZipFile(into, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            about = zipfile.ZipInfo((into.stem / path.relative_to(folder)).as_posix(), OLDEST)
            about.external_attr = 0o644 << 16
            archive.writestr(about, path.read_bytes(), zipfile.ZIP_DEFLATED)
    shutil.rmtree(folder)


def sums(folder: Path) -> str:
    """Return the SHA-256 of each file, as sha256sum writes and checks it."""
    files = sorted(folder.iterdir())
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def main() -> None:
    """Check, test, pack, tag; then publish or say how."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", help="such as 1.2.0")
    parser.add_argument("--upload", action="store_true", help="push the tag, and publish with gh")
    given = parser.parse_args()
    if given.upload and not shutil.which("gh"):
        sys.exit("There is no gh here to upload with. Without UPLOAD the commands are printed.")
    said, tag = checked(given.version), f"v{given.version}"
    make("test")
    make("test", "ARGS=--language es tests/browser")
    make("catalogues", "ARGS=--whole")
    folder = ROOT / "release" / tag
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make("export", f"DIR={folder / 'site'}")
    packed(folder / "site", folder / f"lora-live-{given.version}-site.zip")
    make("sbom", f"DIR={folder}", f"VERSION={given.version}")
    for name in LOCKS:
        shutil.copy(ROOT / "deploy" / name, folder)
    (folder / "SHA256SUMS").write_text(sums(folder), encoding="ascii")
    if git("status", "--porcelain"):
        sys.exit(
            "The tests or the export changed what is committed, so nothing is released: git status lists it."
        )
    git(
        "tag", "--annotate", tag, "--cleanup=verbatim", "--message", f"LoRA, live {given.version}\n\n{said}\n"
    )
    print(
        f"{tag} is tagged. Its files lie in {folder.relative_to(ROOT)}:",
        *sorted(each.name for each in folder.iterdir()),
    )
    files = [str(path.relative_to(ROOT)) for path in sorted(folder.iterdir())]
    publish = [
        ["git", "push", "origin", tag],
        ["gh", "release", "create", tag, "--verify-tag", "--notes-from-tag", *files],
    ]
    if not given.upload:
        print("Nothing is published. To publish it:")
    for command in publish:
        print(*command)
        if given.upload:
            subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
