"""Compile the trainer to assets/bundles: `python -m compute.native.build`, run by `make assets`. Needs ziglang."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("compute/native")
BUNDLES = {
    "trainer": (),
    "trainer_relaxed": ("-mrelaxed-simd",),
}  # the second where a browser has fused multiply-add
OPTIONS = (
    "--target=wasm32-freestanding",
    "-mcpu=generic+simd128+bulk_memory+nontrapping_fptoint",
    "-O3",
    "-fno-inline-functions",  # an exported function is not written twice: 6 kB
    "-ffp-contract=off",  # sums and products are rounded as they are written
    "-fno-math-errno",
    "-fno-unroll-loops",  # but where it says so: 7 kB
    "-fno-builtin",  # there is no libc to call
    "-nostdlib",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
)
SECTION = b"sources"  # of the .wasm: what it was made of


def sources(root: Path = ROOT) -> list[str]:
    """Return what decides the bytes of the trainer.

    Parameters
    ----------
    root : Path
        The folder of the project.

    Returns
    -------
    list of str
        Paths from there, sorted: the C, this script, and the version of the compiler.

    Examples
    --------
    >>> sources()[0]
    'compute/native/adapter.c'
    """
    found = (path for path in (root / FOLDER).iterdir() if path.suffix in {".c", ".h", ".txt"})
    return sorted([(FOLDER / "build.py").as_posix(), *(path.relative_to(root).as_posix() for path in found)])


def stamp(root: Path = ROOT) -> bytes:
    """Return the section that tells of what a .wasm was made.

    Parameters
    ----------
    root : Path
        The folder of the project.

    Returns
    -------
    bytes
        A custom section of WebAssembly: the SHA-256 of path, NUL, content, NUL of each source, and the paths.

    Examples
    --------
    >>> b"compute/native/model.c" in stamp()
    True
    """
    total = hashlib.sha256()
    for path in sources(root):
        total.update(path.encode() + b"\0" + (root / path).read_bytes() + b"\0")
    text = f"sha256 {total.hexdigest()}\n{' '.join(sources(root))}\n".encode()
    inside = _length(len(SECTION)) + SECTION + text
    return b"\0" + _length(len(inside)) + inside


def compiled(name: str, root: Path = ROOT) -> bytes:
    """Return the trainer as WebAssembly.

    Parameters
    ----------
    name : str
        One of BUNDLES.
    root : Path
        The folder of the project.

    Returns
    -------
    bytes
        The module, and the section of `stamp` behind. The same sources give the same bytes.

    Raises
    ------
    ValueError
        If the compiler refuses a source, in its words.

    Examples
    --------
    >>> sorted(BUNDLES)  # each takes a second to compile
    ['trainer', 'trainer_relaxed']
    """
    code = [Path(path).name for path in sources(root) if path.endswith(".c")]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.wasm")
        command = [sys.executable, "-m", "ziglang", "cc", *OPTIONS, *BUNDLES[name], *code, "-o", str(out)]
        own = {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}
        done = subprocess.run(
            command, cwd=root / FOLDER, env=os.environ | own, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ValueError(f"{name} could not be compiled: {done.stderr}")
        return out.read_bytes() + stamp(root)


def _length(number: int) -> bytes:
    """Return a number as WebAssembly writes it, seven bits a byte, the lowest first."""
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


if __name__ == "__main__":
    for name in BUNDLES:
        path = ROOT / "assets" / "bundles" / f"{name}.wasm"
        path.write_bytes(compiled(name))
        sys.stdout.write(f"assets/bundles/{path.name}  {path.stat().st_size / 1000:.1f} kB\n")
