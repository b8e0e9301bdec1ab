"""The benchmark: what the app promises about speed and weight, measured on this machine (`make bench`)."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the tests are programs here, not a package
