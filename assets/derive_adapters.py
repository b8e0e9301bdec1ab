"""Derive figures from adapters that other people trained, and write assets/adapters.json.

Run it from the root of the repository with the folders of the adapters, each as PEFT saves it, with
adapter_model.safetensors beside adapter_config.json: python assets/derive_adapters.py PATH... Their weights are no part
of this project, since their repositories state no licence; shapes and singular values, from which no weight can be
computed, are kept.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.experiments.derived import FILE, DerivedAdapter, derive

# By the name of the folder: the repository on GitHub, and the licence that it states.
ORIGINS = {
    "lora-imdb-distilbert": ("Tashu014/lora-imdb-distilbert", "none stated"),
    "peft-gpt2": ("anirudh-ak/peft-gpt2", "none stated"),
}


def derived(folder: Path) -> DerivedAdapter:
    """Return the figures of the adapter in a folder."""
    repository, licence = ORIGINS[folder.name]
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return DerivedAdapter(
        repository=repository,
        base_model=config["base_model_name_or_path"],
        licence=licence,
        r=config["r"],
        lora_alpha=config["lora_alpha"],
        layers=derive((folder / "adapter_model.safetensors").read_bytes()),
    )


def main() -> None:
    """Read each folder that is named, and write."""
    folders = [Path(name).resolve() for name in sys.argv[1:]]
    if {folder.name for folder in folders} != set(ORIGINS):
        sys.exit(f"name the folders of all of them, which are called {', '.join(ORIGINS)}")
    adapters = {folder.name: derived(folder) for folder in sorted(folders, key=lambda folder: folder.name)}
    data = {
        name: adapter._asdict()
        | {"layers": {layer: kept._asdict() for layer, kept in adapter.layers.items()}}
        for name, adapter in adapters.items()
    }
    FILE.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{len(adapters)} adapters, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
