"""`app.py inspect`: what it prints, what it writes, and what it says when something cannot be done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import app
from compute.adapters.formats.layers import factors
from compute.adapters.formats.reading import read_adapter
from compute.adapters.formats.scales import RUNTIMES
from helpers.adapter_files import FIXTURES, NOT_ADAPTERS, packed, write_all, write_not_adapters
from helpers.app import run

WIDTH = 100  # what goes to no terminal


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("adapters"))


@pytest.fixture
def inspect(capsys):
    """Run the command in this process; return its exit code and what it printed."""

    def go(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            app.main(["inspect", *map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return go


@pytest.mark.parametrize("name", FIXTURES)
def test_json_says_what_the_contract_promises(written, inspect, name):
    code, out, err = inspect(written[name], "--json")
    assert (code, err) == (0, "")
    told = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert list(told) == ["format", "layers", "notes"]
    assert told["format"] == FIXTURES[name].format
    assert all(isinstance(note, str) for note in told["notes"])
    expected = FIXTURES[name].delta_w
    assert {layer["name"] for layer in told["layers"]} == set(expected)
    for layer in told["layers"]:
        assert list(layer) == ["name", "shape", "r", "scale", "s"]
        delta_w = expected[layer["name"]]
        assert tuple(layer["shape"]) == delta_w.shape
        assert tuple(layer["scale"]) == RUNTIMES
        assert all(scale is None or isinstance(scale, float) for scale in layer["scale"].values())
        dense = np.linalg.svd(delta_w, compute_uv=False)
        k = min(len(dense), len(layer["s"]))
        np.testing.assert_allclose(layer["s"][:k], dense[:k], atol=1e-12 * dense[0])


@pytest.mark.parametrize("name", FIXTURES)
def test_the_text_fits_a_terminal(written, inspect, name):
    code, out, err = inspect(written[name])
    assert (code, err) == (0, "")
    assert out.startswith(FIXTURES[name].format)
    assert max(map(len, out.splitlines())) <= WIDTH
    assert out.isascii()
    for runtime in RUNTIMES if FIXTURES[name].delta_w else ():
        assert runtime in out


@pytest.mark.parametrize("name", NOT_ADAPTERS)
def test_what_is_no_adapter_is_said_in_one_line(tmp_path, inspect, name):
    code, out, err = inspect(write_not_adapters(tmp_path)[name], "--json")
    assert (code, out) == (1, "")
    assert NOT_ADAPTERS[name][1] in err
    assert err.count("\n") == 1


def test_a_name_that_is_not_there(inspect, tmp_path):
    assert inspect(tmp_path / "nothing") == (1, "", "nothing: there is no such file.\n")
    assert "the folder holds no file" in inspect(tmp_path)[2]


def test_broken_numbers_are_no_numbers_in_json(inspect, tmp_path):
    tensors = {"q.lora_A.weight": np.full((2, 4), np.nan), "q.lora_B.weight": np.ones((6, 2))}
    (tmp_path / "a.safetensors").write_bytes(packed(tensors))
    code, out, _ = inspect(tmp_path / "a.safetensors", "--json")
    assert code == 0
    assert json.loads(out)["layers"][0]["s"] == []
    assert any(note.startswith("NaN") for note in json.loads(out)["notes"])
    assert "NaN" in inspect(tmp_path / "a.safetensors")[1]
    code, _, err = inspect(tmp_path / "a.safetensors", "--truncate", "1")
    assert (code, err) == (1, "q has a number that is not finite; the adapter cannot be cut.\n")


def test_many_layers_are_gathered_unless_all_are_asked_for(inspect, tmp_path):
    tensors = {f"layers.{i}.q.lora_{x}.weight": np.eye(2) * (i + 1) for i in range(60) for x in "AB"}
    (tmp_path / "a.safetensors").write_bytes(packed(tensors))
    assert "layers.*.q (60)" in inspect(tmp_path / "a.safetensors")[1]
    assert len(inspect(tmp_path / "a.safetensors", "--all")[1].splitlines()) > 60


@pytest.mark.parametrize(
    ("options", "ranks"),
    [
        (("--truncate", "1"), {1}),
        (("--energy", "0.9"), {1, 2, 3}),
        (("--error", "0.2", "--overall"), {1, 2, 3}),
        (("--numbers", "60"), {1, 2, 3}),
    ],
)
def test_cutting_says_the_error_and_writes(written, inspect, tmp_path, options, ranks):
    output = tmp_path / "cut"
    code, out, err = inspect(written["peft"], *options, "--output", output)
    assert (code, err) == (0, "")
    assert "relative error" in out
    before, after = read_adapter(written["peft"]), read_adapter(output)
    assert {layer.r for layer in after.layers} <= ranks
    off = [
        np.matmul(*factors(a)) - np.matmul(*factors(b))
        for a, b in zip(before.layers, after.layers, strict=True)
    ]
    whole = [np.matmul(*factors(layer)) for layer in before.layers]
    error = np.linalg.norm(np.ravel(off)) / np.linalg.norm(np.ravel(whole))
    told = float(out.partition("relative error ")[2].partition(" ")[0])
    assert told == pytest.approx(error, rel=5e-3, abs=1e-6)  # three digits are shown
    if "--error" in options:
        assert error <= 0.2


def test_without_an_output_nothing_is_written(written, inspect):
    before = sorted(written["peft"].iterdir())
    code, out, _ = inspect(written["peft"], "--convert", "kohya")
    assert code == 0
    assert "Nothing was written; --output says where to." in out
    assert sorted(written["peft"].iterdir()) == before


@pytest.mark.parametrize(
    ("target", "name", "files"),
    [
        ("peft", "folder", {"folder/adapter_model.safetensors", "folder/adapter_config.json"}),
        ("kohya", "mine.safetensors", {"mine.safetensors"}),
        ("diffusers", "folder", {"folder/pytorch_lora_weights.safetensors"}),
        ("mlx", "sub/mine.safetensors", {"sub/mine.safetensors", "sub/adapter_config.json"}),
    ],
)
def test_where_files_are_written(written, inspect, tmp_path, target, name, files):
    code, out, _ = inspect(written["peft"], "--convert", target, "--output", tmp_path / name)
    assert code == 0
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == files
    assert all(str(tmp_path / each) in out for each in files)
    assert len(read_adapter(tmp_path / name).layers) == 2


def test_gguf_is_written_for_the_model_that_config_json_names(written, inspect, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    names = [layer.name for layer in read_adapter(written["peft"]).layers]
    (base / "model.safetensors").write_bytes(packed({f"{name}.weight": np.ones((8, 5)) for name in names}))
    (base / "config.json").write_text('{"model_type": "qwen2"}')
    convert = (written["peft"], "--convert", "gguf", "--output", tmp_path / "mine.gguf")
    code, _, err = inspect(*convert)
    assert code == 1
    assert "give the base with --base, beside whose weights config.json says which it is." in err
    assert inspect(*convert, "--base", base)[0] == 0
    made = read_adapter(tmp_path / "mine.gguf")
    assert [layer.name for layer in made.layers] == ["blk.0.attn_q.weight", "blk.1.attn_v.weight"]
    code, _, err = inspect(*convert[:-1], tmp_path / "mine.safetensors", "--base", base)
    assert code == 1
    assert "mine.safetensors: the format is written into a .gguf file, or a folder." in err
    (base / "config.json").write_text("{")
    assert inspect(*convert, "--base", base)[2] == "config.json is no JSON.\n"


def test_what_was_read_is_not_overwritten(written, inspect):
    before = (written["peft"] / "adapter_model.safetensors").read_bytes()
    code, _, err = inspect(written["peft"], "--truncate", "1", "--output", written["peft"])
    assert code == 1
    assert "is what was read; name another place" in err
    assert (written["peft"] / "adapter_model.safetensors").read_bytes() == before


def test_an_output_that_cannot_be_made_is_said(written, inspect, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    code, _, err = inspect(written["peft"], "--truncate", "1", "--output", tmp_path / "file" / "inside")
    assert code == 1
    assert err.startswith(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_others_are_compared(written, inspect):
    code, out, _ = inspect(written["peft"], "--with", written["peft_in_memory"], written["mlx"])
    assert code == 0
    assert out.count("cosine") >= 2
    assert "over 2 layers that both have" in out
    assert "1 layer of another shape" in out


def test_subtracting_an_adapter_from_itself(written, inspect, tmp_path):
    code, out, _ = inspect(
        written["peft"],
        "--with",
        written["peft"],
        "--merge",
        "svd",
        "--weights",
        "1",
        "-1",
        "--output",
        tmp_path / "none",
    )
    assert code == 0
    assert "Merged 2 adapters by svd" in out
    for layer in read_adapter(tmp_path / "none").layers:
        assert np.abs(np.matmul(*factors(layer))).max() < 1e-6


def test_deeds_that_are_not_possible_are_said(written, inspect):
    for arguments, said in (
        ((written["prompt"], "--truncate", "1"), "no delta_w that could be cut"),
        ((written["peft_experts"], "--convert", "mlx"), "one of several experts"),
        ((written["full"], "--convert", "kohya"), "cut it to a rank first"),
        ((written["peft"], "--merge", "svd", "--weights", "1", "2"), "one weight"),
        ((written["peft"], "--merge", "svd", "--energy", "0.5"), "to a rank only"),
        ((written["peft"], "--base", written["mlx"]), "there is no .safetensors file"),
        ((written["peft"], "--intruders"), "give it with --base"),
    ):
        code, _, err = inspect(*arguments)
        assert code == 1
        assert said in err
        assert err.count("\n") == 1


def test_what_is_written_without_its_magnitude_is_said(written, inspect):
    for arguments, layers in (
        ((written["peft_dora"], "--convert", "kohya"), None),
        ((written["dora_elsewhere"], "--convert", "peft"), "1 layer"),
        ((written["peft_dora"], "--with", written["peft"], "--merge", "svd"), "2 layers"),
    ):
        code, out, _ = inspect(*arguments)
        assert code == 0
        assert ("without DoRA's magnitude" in out) == (layers is not None)
        assert layers is None or f"The factors of {layers}, as" in out


def test_a_full_difference_is_cut_to_a_rank(written, inspect, tmp_path):
    code, _, _ = inspect(written["full"], "--truncate", "2", "--output", tmp_path / "small.safetensors")
    assert code == 0
    assert {layer.r for layer in read_adapter(tmp_path / "small.safetensors").layers} == {2}


def test_beside_its_base(written, inspect, tmp_path, rng):
    name = "peft_dora"
    weights = {f"{layer}.weight": rng.standard_normal(w.shape) for layer, w in FIXTURES[name].delta_w.items()}
    *_, left_out = weights
    weights[left_out] = weights[left_out][:, 1:]
    (tmp_path / "model.safetensors").write_bytes(packed(weights))
    report = tmp_path / "report.html"
    code, out, err = inspect(written[name], "--base", tmp_path, "--intruders", "--report", report)
    assert (code, err) == (0, "")
    assert f"Beside {tmp_path}: 1 of 2 layers" in out
    assert "is not compared with the base" in out
    assert max(map(len, out.splitlines())) <= WIDTH
    told = report.read_text(encoding="utf-8")
    assert "The layers beside the base" in told
    (said,) = re.findall(r"<p>(.*?: delta_w is [\d.e-]+ times .*?)</p>", told)
    assert "directions; by chance it would be" in said
    assert re.search(r"Intruder dimensions among the first 5 left singular vectors .*below 0.5: \d.$", said)
    told = json.loads(inspect(written[name], "--base", tmp_path, "--json")[1])
    first, second = (layer["base"] for layer in told["layers"])
    assert second is None
    assert first["weight"] in weights
    assert first["size_W"] == pytest.approx(np.linalg.norm(weights[first["weight"]]))
    assert first["intruders"] is None
    assert list(first["lost"]) == list(first["arrived"]) == ["bf16", "fp16", "fp8", "int8"]


@pytest.mark.parametrize("name", ["peft_patterns", "kohya", "lokr", "ia3"])
def test_a_report_is_one_file_that_asks_for_nothing(written, inspect, tmp_path, name):
    code, out, _ = inspect(written[name], "--report", tmp_path / "report.html")
    assert code == 0
    assert f"Written: {tmp_path / 'report.html'}." in out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert FIXTURES[name].format in page
    assert page.count("<svg") == len(FIXTURES[name].delta_w)
    for word in ("<script", "http:", "https:", "src=", "url("):
        assert word not in page
    tags = re.findall(r"</?([a-z]\w*)", page)
    for tag in ("table", "tr", "td", "th", "div", "ul", "li", "svg"):
        assert page.count(f"<{tag}>") + page.count(f"<{tag} ") == page.count(f"</{tag}>"), tag
    assert tags[0] == "html"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required: FILE"),
        (("a", "--truncate", "0"), "'0' is no rank; whole numbers from 1 on are."),
        (("a", "--energy", "2"), "'2' is no share; 0 to 1 are, such as 0.9."),
        (("a", "--truncate", "1", "--error", "0.1"), "not allowed with argument"),
        (("a", "--convert", "onnx"), "invalid choice: 'onnx'"),
    ],
)
def test_what_is_not_understood_is_said(inspect, arguments, said):
    code, out, err = inspect(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_as_a_program_it_ends_with_its_code_and_loads_no_torch(written, tmp_path):
    done = run("inspect", str(written["peft"]), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["format"] == "PEFT LoRA"
    assert run("inspect", str(tmp_path / "nothing")).returncode == 1
    assert "inspect" in run("--help").stdout
    assert "--truncate" in run("inspect", "--help").stdout
