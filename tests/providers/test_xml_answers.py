"""Answers in XML: the values of JSON, and nothing that a hostile document may do."""

import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import OutcomeUnknownError
from custom_components.sms_italia.providers.parsing import as_object
from custom_components.sms_italia.providers.transport import Answer
from custom_components.sms_italia.providers.xml_answers import decode, is_xml, rows_of

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol">
 <!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
]>
<response><queue_id>&lol3;</queue_id></response>"""
EXTERNAL = b"""<?xml version="1.0"?>
<!DOCTYPE response [<!ENTITY file SYSTEM "file:///etc/hostname">]>
<response><queue_id>&file;</queue_id></response>"""
PARAMETER = b"""<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><r/>"""


def answer(body: bytes, content_type: str = "application/xml") -> Answer:
    """Return an answer as it was read."""
    return Answer(status=200, content_type=content_type, body=body)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/xml", True),
        ("text/xml", True),
        ("Application/XML", True),
        ("application/vnd.netfun+xml", True),
        ("application/json", False),
        ("text/html", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_only_the_content_type_says_that_an_answer_is_xml(
    content_type: str, expected: Json
) -> None:
    assert is_xml(answer(b"<a/>", content_type)) is expected


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"<r><a>1</a><b> x </b></r>", {"a": "1", "b": "x"}),
        (b"<r><a/><b></b></r>", {"a": None, "b": None}),
        (b"<r><a>1</a><a>2</a><a>3</a></r>", {"a": ["1", "2", "3"]}),
        (b"<r>\n  <a>\n <b>1</b>\n </a>\n</r>", {"a": {"b": "1"}}),
        (b"<r><a x='1'>&lt;&amp;&#232;</a></r>", {"a": "<&\u00e8"}),
        (b"<r><a><![CDATA[<b>]]></a></r>", {"a": "<b>"}),
        (b"<r>solo</r>", "solo"),
        (b"<r/>", None),
        (
            "<?xml version='1.0' encoding='ISO-8859-1'?><r><a>\u00e8</a></r>".encode(
                "latin-1"
            ),
            {"a": "\u00e8"},
        ),
    ],
)
def test_a_document_becomes_the_value_it_would_be_in_json(
    body: bytes, value: Json
) -> None:
    assert decode(answer(body)) == value


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        EXTERNAL,
        PARAMETER,
        b"<!DOCTYPE r><r><a>1</a></r>",
        b"<r>&undeclared;</r>",
        b"",
        b"<r>",
        b"<r></s>",
        b"<r/><r/>",
        b"{}",
        b"<r>\xff\xfe</r>",
        b"<?xml version='1.0' encoding='novel'?><r/>",
        b"<r>" * 100_000,
        b"<r>" * 20 + b"</r>" * 20,
        b"<r>\x00</r>",
    ],
    ids=range(15),
)
def test_what_is_no_plain_document_is_unreadable(body: bytes) -> None:
    with pytest.raises(OutcomeUnknownError) as failure:
        decode(answer(body))

    assert failure.value.detail == "unreadable_answer"


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"<r><list/></r>", []),
        (b"<r><list><row><a>1</a></row></list></r>", [{"a": "1"}]),
        (b"<r><list><row/><row><a>1</a></row></list></r>", [None, {"a": "1"}]),
        (b"<r><list><a>1</a><b>2</b></list></r>", [{"a": "1", "b": "2"}]),
        (
            b"<r><list><a>1</a></list><list><a>2</a></list></r>",
            [{"a": "1"}, {"a": "2"}],
        ),
        (b"<r><list>no</list></r>", None),
        (b"<r/>", None),
    ],
)
def test_the_rows_of_a_list_are_found_however_it_is_written(
    body: bytes, rows: Json
) -> None:
    document = answer(body)

    assert rows_of(document, as_object(decode(document)), "list") == rows


@pytest.mark.parametrize(
    ("value", "rows"),
    [([], []), ([1], [1]), (None, None), ({"row": [1]}, None), ("x", None)],
)
def test_in_json_only_an_array_is_a_list(value: Json, rows: Json) -> None:
    assert rows_of(answer(b"", "application/json"), {"list": value}, "list") == rows
