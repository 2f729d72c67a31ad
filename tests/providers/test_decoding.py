"""One decoder for all answers: tolerant in form, strict in meaning."""

import codecs
from contextlib import suppress
from decimal import Decimal
import json
import time

from hypothesis import given, strategies as st
import pytest

from custom_components.sms_italia.providers.decoding import (
    Json,
    decode_json,
    decode_text,
    is_page,
    is_unreadable,
    lines_of,
    salvage_id,
)

from .helpers import LONG, QUADRATIC

VALUE: Json = {"id": 123, "testo": "però, ]", "prezzo": Decimal("1.10"), "altri": [1]}
PLAIN = '{"id": 123, "testo": "però, ]", "prezzo": 1.10, "altri": [1]}'
WARNING = "<br />\n<b>Warning</b>: Undefined array key in <b>x.php</b>[3]<br />\n"

TABLE = (
    "<br />\n<font size='1'><table class='xe-warning' dir='ltr' border='1'>\n"
    "<tr><th align='left' colspan='5'>Warning: x[3] in /y.php on line <i>3</i></th>"
    "</tr>\n<tr><td align='center'>1</td></tr>\n</table></font>\n"
)
"""How an extension of PHP prints a warning."""


@pytest.mark.parametrize("charset", [None, "utf-8", "UTF-8", "iso-8859-1", "utf-16"])
@pytest.mark.parametrize(
    "body",
    [
        PLAIN.encode(),
        codecs.BOM_UTF8 + PLAIN.encode(),
        b"\r\n" + codecs.BOM_UTF8 + b"\n" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        PLAIN.encode("utf-32-le"),
        PLAIN.encode("latin-1"),
        PLAIN.encode("cp1252"),
        f"\r\n\t {PLAIN} \r\n\x00".encode(),
    ],
    ids=range(11),
)
def test_an_answer_is_read_whatever_its_encoding(
    body: bytes, charset: str | None
) -> None:
    assert decode_json(decode_text(body, charset)) == VALUE


@pytest.mark.parametrize(
    "charset",
    [
        "punycode",
        "idna",
        "unicode_escape",
        "raw_unicode_escape",
        "utf-7",
        "rot13",
        "hex",
        "undefined",
        "novel",
        "",
        "\x00",
        "utf-16",
        "x" * 10_000,
    ],
    ids=range(13),
)
def test_a_charset_that_no_provider_has_is_not_believed(charset: str) -> None:
    body = '{"a": "\\u00e8 \\\\u00e8"}'

    assert decode_text(body.encode(), charset) == body
    assert decode_text(b"\xe8", charset) == "è"


@pytest.mark.parametrize(
    ("charset", "text"),
    [("cp1252", "€"), ("windows-1252", "€"), ("iso-8859-15", "\x80"), (None, "\x80")],
)
def test_a_charset_counts_for_what_is_not_utf_8(charset: str | None, text: str) -> None:
    assert decode_text(b"\x80", charset) == text


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("}", ",}").replace("1]}", "1,\n\t ]\r\n}"),
        PLAIN.replace("1]", "1,]").replace("}", ",\n}"),
        f"<br/>{PLAIN}",
        f"<br/>\n{PLAIN}<br>\n",
        f"{PLAIN}<!-- 0.02 s -->",
        WARNING + PLAIN,
        WARNING * 3 + PLAIN.replace("1]}", "1],}"),
        f"{WARNING}\ufeff{PLAIN}",
        f"Warning: foo(): bar [x] in /y.php on line 3\n{PLAIN}",
        f"PHP Notice:  Undefined index: {{x}} in y\nPHP Notice: z\n{PLAIN}",
        f"Deprecated: x\r\n{PLAIN}",
        f"Parse error: x\n{PLAIN}",
        f"PHP Catchable fatal error: x\n{PLAIN}",
        f"{TABLE}{PLAIN}",
    ],
    ids=range(15),
)
def test_an_answer_is_read_as_if_it_were_clean(text: str) -> None:
    assert decode_json(text) == VALUE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        '{"a": 1',
        '{"a": NaN}',
        "[Infinity]",
        '"\x80',
        "[" * 100_000,
        "9" * 10_000,
        "1e99999999999999999999",
        "[1,,]",
        '{"a": 1}{"b": 2}',
        '{"a": 1} altro',
        f"altro\n{PLAIN}",
        f"<!doctype html><title>Accesso</title>\n<script>\n{PLAIN}</script>",
        f"<html><body>{PLAIN}</body></html>",
        f"<p>x</p><script type='application/json'>{PLAIN}</script>",
        WARNING + '{"errori": [{"id": 1}',
        WARNING + '{\n"errori": [\n{"id": 1}\n',
        f"{WARNING}{PLAIN} altro",
        f"<div>\n{PLAIN}",
        f"<center><br/>\n{PLAIN}",
        f"<?xml version='1.0'?>\n{PLAIN}",
        f"{PLAIN}</body></html>",
        f"{PLAIN}<script src='/x.js'></script>",
    ],
    ids=range(24),
)
def test_what_is_not_one_answer_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_json(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    value=JSON_VALUES.filter(lambda value: isinstance(value, dict)),
    before=st.sampled_from(["", WARNING, "<br/>", "Warning: x\n"]),
    indent=st.sampled_from([None, 4]),
)
def test_any_object_is_read_back_behind_a_warning(
    value: Json, before: str, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)

    assert decode_json(before + text) == value


@given(value=JSON_VALUES)
def test_a_comma_of_a_text_is_kept_and_one_before_a_bracket_is_dropped(
    value: Json,
) -> None:
    wrapped = {"testo": ",} ,]\\", "valore": value}
    text = json.dumps(wrapped)

    assert decode_json(f"{text[:-1]} , }}") == wrapped
    assert decode_json(f"[{text},]") == [wrapped]


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_no_body_makes_a_decoder_raise_anything_else(body: bytes) -> None:
    text = decode_text(body)
    lines_of(text)
    salvage_id(text, "id")
    with suppress(ValueError):
        decode_json(text)


@given(st.text(alphabet='{}[]":,\\ \n<>aeinrtuWg01', max_size=60))
def test_no_text_makes_json_raise_anything_else(text: str) -> None:
    with suppress(ValueError):
        decode_json(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"id": 123, "phone": "39', "123"),
        ('{"id":"ab-1_2","x', "ab-1_2"),
        ('{ "id" : 7 }', "7"),
        ('{"queue_id":"15066049200263637","id":7,"asy', "7"),
        ('<html>{"id": 123}</html>', "123"),
        ('{"id": 12', None),
        ('{"id": "12', None),
        ('{"id": 12"', None),
        ('{"id": null, ', None),
        ('{"id": 0, ', None),
        ('{"id": true, ', None),
        ('{"id": "", ', None),
        ('{"id": -1, ', None),
        ('{"id": [1], ', None),
        ('{"testo": "\\"id\\": 5, ', None),
        ('{"uid": 5, ', None),
        ('{"id": ' + "1" * 65 + ",", None),
        ("", None),
    ],
)
def test_an_id_is_found_in_what_was_cut_and_only_a_whole_one(
    text: str, found: str | None
) -> None:
    assert salvage_id(text, "id") == found


def test_the_name_of_a_field_is_no_pattern() -> None:
    assert salvage_id('{"xid": 5, ', ".id") is None


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        ("", True),
        ("{", True),
        ('{"credit": 12', True),
        ('[{"id": 1}, ', True),
        ('<br />\n<b>Warning</b>: x\n{"credit": 12', True),
        ("[" * 100_000, True),
        ("{}", False),
        ('{"message": "Forbidden",}', False),
        ("Bad Gateway", False),
        ('<!DOCTYPE html><script>\n{"id": 1', False),
    ],
)
def test_what_is_empty_or_cut_off_is_unreadable_and_no_other_answer(
    text: str, *, is_cut: bool
) -> None:
    assert is_unreadable(text) is is_cut


@pytest.mark.parametrize(
    "tag",
    [
        *("<!DOCTYPE html>", "<html lang='it'>", "</body>", "<A href='/'>", "<title>"),
        *("<script>", "<div>", "<span>", "<img/>", "<?xml?>", "<response>", "<input"),
    ],
)
def test_a_tag_that_no_warning_has_makes_a_page(tag: str) -> None:
    assert is_page(f"OK ID:1\n{tag}\n")


@pytest.mark.parametrize(
    "text",
    ["", PLAIN, WARNING, TABLE, "a < b > c", "<3", "<!-- 2 ms -->", "<BR>"],
)
def test_the_tags_of_a_warning_make_no_page(text: str) -> None:
    assert not is_page(text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("OK ID:1\r\n", ["OK ID:1"]),
        ("<br/>OK ID:1<br />", ["OK ID:1"]),
        (f"{WARNING}OK ID:1", ["Warning", ": Undefined array key in", "x.php", "[3]"]),
        (" a \n\n b ", ["a", "b"]),
        ("", []),
        ("a < b", ["a < b"]),
    ],
)
def test_tags_and_line_ends_separate_lines(text: str, lines: list[str]) -> None:
    assert lines_of(text)[: len(lines)] == lines


STARTS = ["", "<", "<br/>\n", "Warning: x\n", '{"a": ', '{"id"', "[", '"']
PATTERNS = [
    "<",
    ">",
    "<a",
    "{",
    "[",
    '{"',
    "[[[[1,",
    '[{"id":',
    "\n{ ",
    "\n[",
    ">[",
    '"',
    "\\",
    '\\"',
    ",",
    ", ",
    ",]",
    " ",
    "\n",
    "\r\n",
    "\ufeff",
    "a",
    "1",
    "1,",
    '"id"',
    '"id": ',
    '"id": "a',
    "<html",
    "Warning: ",
    "è",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_long_text_of_anything_takes_linear_time(pattern: str) -> None:
    for start in STARTS:
        text = start + pattern * (LONG // len(pattern))
        body = text.encode()
        begun = time.process_time()
        decode_text(body, "punycode")
        lines_of(text)
        salvage_id(text, "id")
        with suppress(ValueError):
            decode_json(text)
        assert time.process_time() - begun < QUADRATIC, start
