"""A request as a provider's handler gets it, and the answer it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import json
import re
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from .model import Encoding, Json, Operation

_DISPOSITION = re.compile(r'(name|filename)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came in a multipart body."""

    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; `tail` is the value of {id} in the endpoint's path.

    `client_port` is that of the connection on which it came.
    """

    method: str
    path: str
    base_url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    fields: Mapping[str, Json]
    files: Mapping[str, Upload] = field(default_factory=dict)
    tail: str = ""
    client_port: int = 0

    def text(self, name: str) -> str:
        """Return a string or a number as text; "" for anything else."""
        value = self.fields.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The HTTP answer to the client."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A handler refuses the call with this answer."""

    def __init__(self, answer: Answer) -> None:
        """Keep the answer."""
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method and path of a provider; the path may end in {id}."""

    method: str
    path: str
    operation: Operation
    handler: Callable[[Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """A delivery report to push to the client's `url`.

    `resends` is how often it is sent again after an answer of 500 or more.
    """

    method: str
    url: str
    encoding: Encoding
    payload: Mapping[str, Json]
    resends: int = 0


def json_answer(value: Json, status: int = 200) -> Answer:
    """Return the value as a JSON answer."""
    return Answer(
        status=status,
        content_type="application/json",
        body=json.dumps(value).encode(),
    )


def xml_answer(value: dict[str, Json], status: int = 200) -> Answer:
    """Return the value as an XML answer.

    The root `response` and booleans as 0 and 1 are those of SMSviaInternet
    (docs/development/provider-apis/smsviainternet.md 1.2). How a list looks is not
    known: here each item is an element with the list's name in the singular.
    """
    body = f"<?xml version='1.0' encoding='UTF-8'?>\n<response>{_xml(value)}</response>"
    return Answer(status=status, content_type="application/xml", body=body.encode())


def _xml(value: Json) -> str:
    """Return the content of an element."""
    match value:
        case dict():
            return "".join(
                f"<{name}>{_items(name, inner)}</{name}>"
                for name, inner in value.items()
            )
        case bool():
            return str(int(value))
        case None:
            return ""
        case _:
            return escape(str(value))


def _items(name: str, value: Json) -> str:
    """Return the items of a list as elements, any other value as content."""
    if not isinstance(value, list):
        return _xml(value)
    item = f"{name.removesuffix('ies')}y" if name.endswith("ies") else name[:-1]
    return "".join(f"<{item}>{_xml(inner)}</{item}>" for inner in value)


def text_answer(text: str, status: int = 200) -> Answer:
    """Return the text as a plain answer."""
    return Answer(status=status, content_type="text/plain", body=text.encode())


def decode_body(
    content_type: str, body: bytes
) -> tuple[dict[str, Json], dict[str, Upload]]:
    """Return the fields and the files of a body; both empty if it cannot be read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            value: Json = json.loads(body)
        except ValueError, RecursionError:
            return {}, {}
        return (value if isinstance(value, dict) else {}), {}
    if kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        return dict(reversed(pairs)), {}
    if kind == "multipart/form-data":
        return _decode_multipart(content_type, body)
    return {}, {}


def _decode_multipart(
    content_type: str, body: bytes
) -> tuple[dict[str, Json], dict[str, Upload]]:
    """Split a multipart body into its fields and its files."""
    fields: dict[str, Json] = {}
    files: dict[str, Upload] = {}
    boundary = content_type.partition("boundary=")[2].partition(";")[0].strip('" ')
    for part in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (
                line.partition(":")
                for line in head.decode("utf-8", "replace").split("\r\n")
            )
        }
        names = dict(_DISPOSITION.findall(headers.get("content-disposition", "")))
        content = content.removesuffix(b"\r\n")
        if "filename" in names:
            files[names.get("name", "")] = Upload(
                content_type=headers.get("content-type", "application/octet-stream"),
                content=content,
            )
        else:
            fields[names.get("name", "")] = content.decode("utf-8", "replace")
    return fields, files
