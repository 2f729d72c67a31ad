"""Texts that are joined: each of them whole, in order, for no more parts."""

from hypothesis import given, settings, strategies as st

from custom_components.sms_italia.messaging import TextEncoding
from custom_components.sms_italia.messaging.compose import join_texts, prepare_text


def heading(count: int) -> str:
    """Return what stands above so many texts."""
    return f"{count} messaggi:"


def joined(*texts: str, most: int = 3) -> list[str]:
    """Return the texts that are sent for others."""
    return [one.prepared.text for one in join_texts(texts, heading, most)]


def parts(text: str) -> int:
    """Return the parts of a prepared text."""
    return prepare_text(text, TextEncoding.UNICODE).parts


def test_each_text_has_a_line_below_the_heading() -> None:
    assert joined("Allarme\nporta", "b", "c" * 100) == [
        f"3 messaggi:\nAllarme porta\nb\n{'c' * 100}"
    ]


def test_what_does_not_fit_goes_into_the_next_text() -> None:
    first, second, third, fourth = ("1" * 90, "2" * 90, "3" * 90, "4" * 90)
    assert joined(first, second, third, fourth, most=2) == [
        f"3 messaggi:\n{first}\n{second}\n{third}",
        fourth,
    ]


def test_a_text_alone_stays_as_it_is() -> None:
    assert joined("Allarme\nporta") == ["Allarme\nporta"]


def test_the_heading_is_left_out_where_it_would_cost_a_part() -> None:
    assert joined("a" * 152, "b" * 152) == [f"{'a' * 152}\n{'b' * 152}"]


def test_texts_stay_apart_where_joining_them_would_cost_a_part() -> None:
    assert joined("a" * 160, "b" * 160) == ["a" * 160, "b" * 160]
    assert joined("a" * 140, "🔥" * 30) == ["a" * 140, "🔥" * 30]


def test_a_text_that_is_too_long_goes_by_itself() -> None:
    assert joined("a", "b" * 400, "c", "d", most=1) == [
        "a",
        "b" * 400,
        "2 messaggi:\nc\nd",
    ]


TEXTS = st.lists(
    st.text(
        st.one_of(st.characters(codec="utf-8"), st.sampled_from("abc €{}[\n🔥è")),
        min_size=1,
        max_size=200,
    )
    .filter(str.strip)
    .map(lambda text: prepare_text(text, TextEncoding.UNICODE).text)
    .filter(str.strip),
    max_size=30,
)


@settings(deadline=None)
@given(texts=TEXTS, most=st.integers(1, 5))
def test_every_text_stands_whole_and_in_order_in_as_many_parts_as_are_allowed(
    texts: list[str], most: int
) -> None:
    begin = 0
    for one in join_texts(texts, heading, most):
        inside = texts[begin : begin + one.count]
        begin += one.count
        alone = [parts(text) for text in inside]
        assert one.prepared.parts <= sum(alone)
        if one.count == 1:
            assert one.prepared.text == inside[0]
            continue
        assert one.prepared.parts <= most
        lines = "\n".join(" ".join(text.split()) for text in inside)
        assert one.prepared.text in {lines, f"{heading(one.count)}\n{lines}"}
    assert begin == len(texts)
