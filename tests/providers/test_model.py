"""The words of the contract: what they refuse, and what they do not show."""

from datetime import datetime

import pytest

from custom_components.sms_italia.providers.model import (
    Encoding,
    Invitation,
    Picture,
    Submission,
)
from custom_components.sms_italia.providers.pictures import (
    PictureRule,
    picture_type,
    plain_filename,
)

from .helpers import NUMBER, TEXT, submission

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
NAIVE = datetime(2035, 1, 1)  # noqa: DTZ001 - a moment without its zone is the case


def test_a_submission_without_a_recipient_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no recipient"):
        Submission(reference="1", recipients=(), text=TEXT, encoding=Encoding.GSM7)


def test_a_moment_without_its_time_zone_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="time zone"):
        submission(send_at=NAIVE)


def test_no_representation_shows_texts_numbers_or_pictures() -> None:
    picture = Picture(content=JPEG, filename="cucina.jpg", content_type="image/jpeg")
    shown = repr(
        [
            submission(picture=picture),
            Invitation(number=NUMBER, url="cqui.it/5izKw2"),
        ]
    )

    for secret in (TEXT, NUMBER[1:], "cucina", "JFIF", "5izKw2"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"GIF87a....", "image/gif"),
        (b"GIF89a....", "image/gif"),
        (b"RIFF\n\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b" \xff\xd8\xff", None),
        (b"<svg/>", None),
        (b"", None),
    ],
)
def test_the_first_bytes_prove_the_type_of_a_picture(
    content: bytes, expected: str | None
) -> None:
    assert picture_type(content) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cortile.jpg", "cortile.jpg"),
        ("/media/local/cortile 2.png", "cortile_2.jpg"),
        ("C:\\foto\\città.jpeg", "citt.jpg"),
        ('a"; name="to".jpg', "a_name_to.jpg"),
        ("a\r\nX: 1.jpg", "a_X_1.jpg"),
        ("..", "picture.jpg"),
        ("senza", "picture.jpg"),
        ("", "picture.jpg"),
        ("x" * 300 + ".jpg", "x" * 60 + ".jpg"),
    ],
)
def test_a_file_s_name_is_made_plain_and_has_no_path(name: str, expected: str) -> None:
    picture = Picture(content=JPEG, filename=name, content_type="image/jpeg")

    assert plain_filename(picture) == expected


def test_a_picture_as_big_as_allowed_may_go() -> None:
    rule = PictureRule(types=frozenset({"image/jpeg"}), max_bytes=len(JPEG))
    picture = Picture(content=JPEG, filename="a.jpg", content_type="image/jpeg")

    assert rule.fault(picture) is None
