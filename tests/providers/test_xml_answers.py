"""Answers in XML: the values of JSON, and nothing that a hostile document may do."""

import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.parsing import as_object
from custom_components.sms_italia.providers.xml_answers import decode_xml, rows_in

BOMB = """<?xml version="1.0"?>
<!DOCTYPE r [
 <!ENTITY lol "lol">
 <!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
]>
<r><queue_id>&lol3;</queue_id></r>"""
EXTERNAL = """<?xml version="1.0"?>
<!DOCTYPE r [<!ENTITY file SYSTEM "file:///etc/hostname">]>
<r><queue_id>&file;</queue_id></r>"""
PARAMETER = """<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><r></r>"""


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("<r><a>1</a><b> x </b></r>", {"a": "1", "b": "x"}),
        ("<r><a/><b></b></r>", {"a": None, "b": None}),
        ("<r><a>1</a><a>2</a><a>3</a></r>", {"a": ["1", "2", "3"]}),
        ("<r>\n  <a>\n <b>1</b>\n </a>\n</r>", {"a": {"b": "1"}}),
        ("<r><a x='1'>&lt;&amp;&#232;</a></r>", {"a": "<&\u00e8"}),
        ("<r><a><![CDATA[<b>]]></a></r>", {"a": "<b>"}),
        ("<r>solo</r>", "solo"),
        ("<r></r>", None),
        (
            "<?xml version='1.0' encoding='ISO-8859-1'?><r><a>\u00e8</a></r>",
            {"a": "\u00e8"},
        ),
        ("<?xml version='1.0' encoding='novel'?><r>\U0001f600</r>", "\U0001f600"),
        ("<r><a>&lt;html&gt;</a></r>\n<!-- 2 ms -->", {"a": "<html>"}),
        ("<br />\n<b>Warning</b>: x in <b>y</b><br />\n<r>1</r>", "1"),
        ("Warning: x in y\n\ufeff<?xml version='1.0'?>\n<r>1</r>", "1"),
    ],
)
def test_a_document_becomes_the_value_it_would_be_in_json(
    body: str, value: Json
) -> None:
    assert decode_xml(body, "r") == value


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        EXTERNAL,
        PARAMETER,
        "<!DOCTYPE r><r><a>1</a></r>",
        "<r>&undeclared;</r>",
        "",
        "<r>",
        "<r></s>",
        "<r/>",
        "<r></r><r></r>",
        "{}",
        "<r>\udcff</r>",
        "<s><r></r></s>",
        "<html><body><r><a>1</a></r></body></html>",
        "<script><r><a>1</a></r></script>",
        "<div><r><a>1</a></r>",
        "<r><a>1</a></r></body></html>",
        "<r><a>1</a></r> altro",
        "altro <r><a>1</a></r>",
        "<r>" * 100_000,
        "<r>" * 20 + "</r>" * 20,
        "<r>\x00</r>",
    ],
    ids=range(22),
)
def test_what_is_no_plain_document_is_not_read(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_xml(body, "r")


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("<r><list/></r>", []),
        ("<r><list><row><a>1</a></row></list></r>", [{"a": "1"}]),
        ("<r><list><row/><row><a>1</a></row></list></r>", [None, {"a": "1"}]),
        ("<r><list><a>1</a><b>2</b></list></r>", [{"a": "1", "b": "2"}]),
        (
            "<r><list><a>1</a></list><list><a>2</a></list></r>",
            [{"a": "1"}, {"a": "2"}],
        ),
        ("<r><list>no</list></r>", None),
        ("<r></r>", None),
    ],
)
def test_the_rows_of_a_list_are_found_however_it_is_written(
    body: str, rows: Json
) -> None:
    assert rows_in(as_object(decode_xml(body, "r")), "list") == rows
