"""The options of serving: one table, read from three places, and a sentence where one is wrong."""

from __future__ import annotations

import ipaddress

import pytest

from lessons.press.options import EVERY, FIELDS, MOST_STEPS, Options, Wrong, options, unknown
from widgets.live.settings import STEPS


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path):
    file = tmp_path / "lora.toml"
    file.write_text("port = 1\nprefix = '/file'\nallow-origin = ['file.example', 'b']\n", encoding="utf-8")
    environment = {
        "LORA_CONFIG": str(file),
        "LORA_PORT": "2",
        "LORA_PREFIX": "/there/",
        "LORA_TRUST": "10.0.0.0/8, ::1",
    }
    chosen = options({"port": "3", "command": None}, environment)
    assert (chosen.port, chosen.prefix, chosen.allow_origin) == (3, "/there", ("file.example", "b"))
    assert chosen.trust == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))
    assert chosen.address == Options().address == "127.0.0.1"
    assert options({"config": str(file)}, {"LORA_CONFIG": "nowhere"}).port == 1
    assert options({}, {}) == Options()


WRONG = [
    ({"port": "x"}, "--port: 'x' is no port; 1 to 65535 are, and 0 for any free one."),
    ({"prefix": "lora"}, "--prefix: 'lora' is no path before all others, such as /lora."),
    ({"prefix": "/a/../b"}, "is no path before all others"),
    ({"prefix": "/a b"}, "is no path before all others"),
    ({"prefix": "//evil.example"}, "is no path before all others"),
    (
        {"trust": ["127.0.0.1", "proxy"]},
        "--trust: 'proxy' is no address or network, such as 127.0.0.1 or 10.0.0.0/8.",
    ),
    ({"trust": ["10.0.0.1/8"]}, "is no address or network"),
    ({"address": "http://a"}, "--address: 'http://a' is no address of this computer"),
    ({"most_steps": "110"}, "--most-steps: '110' is not possible; a multiple of 25 up to 2,000 is."),
    ({"most_steps": "0"}, "'0' is not possible; a multiple of 25"),
    ({"most_steps": "2025"}, "'2025' is not possible; a multiple of 25"),
    ({"scheduler": "10.0.0.1"}, "--scheduler: '10.0.0.1' is no scheduler's address"),
]


@pytest.mark.parametrize(("given", "said"), WRONG, ids=lambda each: str(each)[:40])
def test_what_is_wrong_is_said_with_the_place_where_it_stands(given, said):
    with pytest.raises(Wrong) as refused:
        options(given, {})
    assert said in str(refused.value)
    assert str(refused.value).endswith(".")


WRONG_FILES = {
    "port = 'x'": "lora.toml: port: 'x' is no port",
    "port = true": "lora.toml: port: a text or a whole number is possible, not True.",
    "port = 5006.5": "a text or a whole number is possible, not 5006.5.",
    "port = [1, 2]": "one value is possible, not 2.",
    "address = {a = 1}": "a text or a whole number is possible",
    "config = 'b.toml'": "there is no option 'config'. There are: address, port, prefix, allow_origin",
    "allow_orgin = 'a'": "there is no option 'allow_orgin'",
    "port 5": "lora.toml is no TOML: Expected '='",
    b"\xff\xfe": "lora.toml is no TOML: ",
}


@pytest.mark.parametrize("text", WRONG_FILES, ids=str)
def test_what_is_wrong_in_a_file_is_said(tmp_path, text):
    file = tmp_path / "lora.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Wrong) as refused:
        options({"config": str(file)}, {})
    assert WRONG_FILES[text] in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(Wrong, match=r"no\.toml cannot be read: No such file or directory\."):
        options({}, {"LORA_CONFIG": str(tmp_path / "no.toml")})


def test_a_name_with_a_slip_is_found_in_the_environment():
    environment = {"LORA_PORT": "1", "LORA_CONFIG": "", "LORA_TRSUT": "", "LORAPORT": "", "HOME": "/"}
    assert [*unknown(environment)] == ["LORA_TRSUT"]


def test_as_many_steps_can_be_allowed_as_the_live_lab_has():
    assert (EVERY, MOST_STEPS) == STEPS, "the options load no module that has them"


def test_every_usual_value_could_also_be_given():
    for name, field in FIELDS.items():
        if field.default not in (None, (), ""):
            text = str(field.default)
            assert getattr(options({name: text}, {}), name) == field.default
