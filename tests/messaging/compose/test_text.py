"""How a text is prepared, and its parts counted."""

from hypothesis import example, given, strategies as st
import pytest

from custom_components.sms_italia.messaging.compose.text import (
    BASIC_TABLE,
    EXTENSION_TABLE,
    PreparedText,
    join_title,
    prepare_text,
)
from custom_components.sms_italia.messaging.model import TextEncoding
from custom_components.sms_italia.providers import Encoding

# ruff: file-ignore[RUF001] - look-alike characters are the subject

SMART, GSM7, UNICODE = TextEncoding

# The tables of 3GPP TS 23.038, typed here and not taken from the code; without
# the controls that a text never needs (carriage return, escape, form feed).
BASIC = set(
    "@£$¥èéùìòÇ\nØøÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = set("^{}\\[~]|€")


def test_the_tables_of_gsm7_have_the_positions_of_the_standard() -> None:
    known = {0x00: "@", 0x0A: "\n", 0x10: "Δ", 0x1B: "\x1b", 0x1F: "É", 0x24: "¤"}
    known |= {0x30: "0", 0x40: "¡", 0x5F: "§", 0x60: "¿", 0x61: "a", 0x7F: "à"}
    assert len(BASIC_TABLE) == len(set(BASIC_TABLE)) == 128
    assert {at: BASIC_TABLE[at] for at in known} == known
    assert len(EXTENSION_TABLE) == len(set(EXTENSION_TABLE.values())) == 10
    assert not set(BASIC_TABLE) & set(EXTENSION_TABLE.values())
    assert [EXTENSION_TABLE[code] for code in (0x3C, 0x3E, 0x65)] == ["[", "]", "€"]
    assert set(BASIC_TABLE) - {"\x1b", "\r"} == BASIC
    assert set(EXTENSION_TABLE.values()) - {"\f"} == EXTENSION


def slow_parts(text: str, encoding: Encoding) -> list[list[str]]:
    """Place the units of a text one character at a time, none of them split."""
    units: list[list[str]] = []
    for character in text:
        if encoding is Encoding.GSM7:
            assert character in BASIC | EXTENSION
            units.append(["ESC", character] if character in EXTENSION else [character])
        else:
            coded = character.encode("utf-16-be").hex()
            units.append([coded[at : at + 4] for at in range(0, len(coded), 4)])
    alone, size = (160, 153) if encoding is Encoding.GSM7 else (70, 67)
    if sum(map(len, units)) <= alone:
        return [[unit for character in units for unit in character]]
    parts: list[list[str]] = [[]]
    for character_units in units:
        if len(parts[-1]) + len(character_units) > size:
            parts.append([])
        parts[-1].extend(character_units)
    return parts


def free_in_last(parts: list[list[str]], encoding: Encoding) -> int:
    """Return the units still free in the last of `parts`."""
    alone, size = (160, 153) if encoding is Encoding.GSM7 else (70, 67)
    return (alone if len(parts) == 1 else size) - len(parts[-1])


def check_against_the_slow_model(prepared: PreparedText) -> None:
    """Assert that a prepared text can be sent, and is as long as it says."""
    parts = slow_parts(prepared.text, prepared.encoding)
    assert prepared.parts == len(parts)
    assert prepared.characters_left == free_in_last(parts, prepared.encoding)
    for part in parts:
        assert part[-1:] != ["ESC"]
        assert not part[-1:] or not part[-1].startswith(("d8", "d9", "da", "db"))


# Text that meets the rules: the alphabets, what Italians type, and what is broken.
ITALIAN = "àèéìòùÀÈÉÌÒÙ’‘“”«»…–—°º²³µ×·•™©€ç½ªᵃ nN12C"
UNSEEN = "\xa0\u202f\u200b\ufeff\u00ad\u0300\u0338\t\r\n\x00\x0c\x1b\x7f`"
SIGNS = "😀👍🏽👨\u200d👩\u200d👧❤\ufe0f🇮🇹1\ufe0f\u20e3жΑ日ق\ud83d\ude00"
characters = st.one_of(
    st.sampled_from(sorted(BASIC)),
    st.sampled_from(sorted(EXTENSION)),
    st.sampled_from(ITALIAN),
    st.sampled_from(UNSEEN),
    st.sampled_from(SIGNS),
    st.characters(),
)
texts = st.one_of(
    st.text(characters, max_size=40),
    # Long ones, where parts begin and end.
    st.builds(
        lambda text, times: text * times,
        st.text(characters, min_size=1, max_size=12),
        st.integers(1, 60),
    ),
    st.text(st.sampled_from(["a", "€", "[", "à"]), min_size=140, max_size=480),
    st.text(st.sampled_from(["a", "😀", "È", "日"]), min_size=60, max_size=220),
)
modes = st.sampled_from(TextEncoding)


@given(texts, modes)
@example("a" * 152 + "€" + "a" * 10, SMART)
@example("日" * 66 + "😀" + "日" * 10, SMART)
def test_parts_are_those_of_placing_characters_one_by_one(
    text: str, mode: TextEncoding
) -> None:
    check_against_the_slow_model(prepare_text(text, mode))


@given(texts, modes)
def test_preparing_a_prepared_text_changes_nothing(
    text: str, mode: TextEncoding
) -> None:
    once = prepare_text(text, mode)
    assert prepare_text(once.text, mode) == once


@given(texts)
@example("…" * 70)
def test_smart_never_takes_more_parts_than_unicode(text: str) -> None:
    assert prepare_text(text, SMART).parts <= prepare_text(text, UNICODE).parts


@given(texts)
def test_gsm7_always_gives_gsm7_and_nothing_costly(text: str) -> None:
    prepared = prepare_text(text, GSM7)
    assert prepared.encoding is Encoding.GSM7
    assert prepared.costly_characters == ()


@given(texts, modes)
def test_what_goes_out_can_be_sent(text: str, mode: TextEncoding) -> None:
    prepared = prepare_text(text, mode)
    prepared.text.encode("utf-8")
    controls = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - {"\n"}
    assert not controls & set(prepared.text)
    fits = set(prepared.text) <= BASIC | EXTENSION
    assert fits == (prepared.encoding is Encoding.GSM7)


@given(texts, modes)
def test_costly_characters_are_exactly_what_keeps_a_text_out_of_gsm7(
    text: str, mode: TextEncoding
) -> None:
    prepared = prepare_text(text, mode)
    costly = prepared.costly_characters
    assert len(costly) == len(set(costly))
    assert bool(costly) == (prepared.encoding is Encoding.UCS2)
    rest = prepared.text
    for sign in sorted(costly, key=len, reverse=True):
        assert not set(sign) <= BASIC | EXTENSION
        rest = rest.replace(sign, "")
    assert set(rest) <= BASIC | EXTENSION


@given(st.text(st.sampled_from(sorted(BASIC | EXTENSION))), modes)
def test_a_text_of_the_gsm7_alphabet_goes_out_untouched(
    text: str, mode: TextEncoding
) -> None:
    assert prepare_text(text, mode).text == text


@pytest.mark.parametrize(
    ("text", "parts", "left"),
    [
        ("", 1, 160),
        ("a" * 160, 1, 0),
        ("a" * 161, 2, 145),
        ("a" * 306, 2, 0),
        ("a" * 307, 3, 152),
        ("€" * 80, 1, 0),
        ("€" * 81, 2, 143),
        # 153 is odd: a part of escape pairs holds 152 septets.
        ("€" * 152, 2, 1),
        ("€" * 153, 3, 151),
        ("a" * 152 + "€" + "a" * 151, 2, 0),
        ("a" * 152 + "€" + "a" * 152, 3, 152),
        ("È" * 80, 1, 0),
    ],
)
def test_gsm7_parts_hold_160_or_153_septets(text: str, parts: int, left: int) -> None:
    prepared = prepare_text(text, GSM7)
    assert (prepared.parts, prepared.characters_left) == (parts, left)


@pytest.mark.parametrize(
    ("text", "parts", "left"),
    [
        ("è" * 69 + "È", 1, 0),
        ("è" * 70 + "È", 2, 63),
        ("È" * 134, 2, 0),
        ("È" * 135, 3, 66),
        ("😀" * 35, 1, 0),
        ("😀" * 36, 2, 61),
        # 67 is odd: a part of surrogate pairs holds 66 units.
        ("😀" * 66, 2, 1),
        ("😀" * 67, 3, 65),
        ("È" * 66 + "😀" + "È" * 65, 2, 0),
        ("È" * 66 + "😀" + "È" * 66, 3, 66),
    ],
)
def test_ucs2_parts_hold_70_or_67_units(text: str, parts: int, left: int) -> None:
    prepared = prepare_text(text, UNICODE)
    assert prepared.encoding is Encoding.UCS2
    assert (prepared.parts, prepared.characters_left) == (parts, left)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("È partito l’allarme", "E' partito l'allarme"),
        ("UMIDITÀ, COSÌ, PERÒ, PIÙ, È", "UMIDITA', COSI', PERO', PIU', E'"),
        ("àèéìòù É", "àèéìòù É"),
        ("«Cucina» “ok” „no‟ ‘sì’ ‹x›", '"Cucina" "ok" "no" \'sì\' \'x\''),
        ("attendi… – ora — poi − 5", "attendi... - ora - poi - 5"),
        ("21 °C", "21 C"),
        ("21°C", "21 C"),
        ("21 ℃ 70℉", "21 C 70 F"),
        ("21º C, 21˚C, 21⁰C", "21 C, 21 C, 21 C"),
        ("fuori 21°, dentro 19°", "fuori 21, dentro 19"),
        ("-5°/+3°", "-5/+3"),
        ("1° piano", "1 piano"),
        ("la 1ª e il 1º", "la 1a e il 1"),
        ("n° 5, N°5, nº 7", "n. 5, N.5, n. 7"),
        ("N.° 5", "N. 5"),
        ("45°27′", "45 27'"),
        ("temperatura in °C", "temperatura in C"),
        ("12 m³, 80 m², 5 µg/m³", "12 m3, 80 m2, 5 ug/m3"),
        ("10² 10⁻³ 10²³ CO₂", "10^2 10^-3 10^23 CO2"),
        ("1½ kg, ½ kg", "1 1/2 kg, 1/2 kg"),
        ("3×4 ÷ ±1 ≤ ≥ ≠ ≈", "3x4 / +/-1 <= >= != ~"),
        ("Cucina · Sala • Bagno", "Cucina - Sala - Bagno"),
        ("Shelly™ © ®", "Shelly(tm) (c) (r)"),
        ("A → B ← C ⇒ D", "A -> B <- C => D"),
        ("5 € {a} [b]", "5 € {a} [b]"),
        ("à\xa0b\u202fc\u2009d\u3000e", "à b c d e"),
        ("al\u00adlar\u200bme\ufeff \u202aok\u202c\u2060", "allarme ok"),
        ("riga\u2028altra", "riga\naltra"),
        ("garçon, Ç, señor, Ñ, Müller, straße", "garcon, Ç, señor, Ñ, Müller, straße"),
        ("Škoda Łódź ő á ÿ Œuvre þ đ", "Skoda Lodz o a y OEuvre th d"),
        ("x̃ e\u0300 Ḕ ấ", "x è E a"),
        ("ﬁne №5 Ⅳ ①", "fine No5 IV 1"),
        ("𝐀𝐥𝐥𝐚𝐫𝐦𝐞", "Allarme"),
        ("‼️", "!!"),
        ("`codice´", "'codice'"),
        ("rotto \ud83d qui", "rotto ? qui"),
    ],
)
def test_smart_writes_in_gsm7_what_can_be_written_so(text: str, expected: str) -> None:
    prepared = prepare_text(text, SMART)
    assert (prepared.text, prepared.encoding) == (expected, Encoding.GSM7)
    assert prepared.costly_characters == ()
    assert prepare_text(text, GSM7) == prepared


@pytest.mark.parametrize(
    ("text", "costly"),
    [
        ("È l’ora 😀", ("È", "’", "😀")),
        ("Привет", ("П", "р", "и", "в", "е", "т")),
        ("1️⃣ ❤️ ❤️", ("1️⃣", "❤️")),
        ("👨‍👩‍👧🇮🇹🇫🇷👍🏽", ("👨‍👩‍👧", "🇮🇹", "🇫🇷", "👍🏽")),
        ("نص\u200cعربي", ("ن", "ص", "\u200c", "ع", "ر", "ب", "ي")),
        # Without its stroke it would say the opposite.
        ("a ≮ b", ("≮",)),
    ],
)
def test_smart_leaves_a_text_alone_that_is_ucs2_anyway(
    text: str, costly: tuple[str, ...]
) -> None:
    prepared = prepare_text(text, SMART)
    assert prepared == prepare_text(text, UNICODE)
    assert prepared.text == text
    assert prepared.encoding is Encoding.UCS2
    assert prepared.costly_characters == costly


def test_smart_keeps_characters_whose_equivalents_would_take_another_part() -> None:
    dots = "…" * 70
    assert prepare_text(dots, SMART) == prepare_text(dots, UNICODE)
    assert prepare_text(dots[:53], SMART).text == "..." * 53


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fuoco 🔥!", "Fuoco ?!"),
        ("👨‍👩‍👧 👍🏽 🇮🇹 ❤️‍🔥", "? ? ? ?"),
        ("Zona 1️⃣", "Zona 1"),
        ("日本 È", "?? E'"),
        ("rotto \udc00", "rotto ?"),
        ("a ≮ b", "a ? b"),
    ],
)
def test_gsm7_puts_one_question_mark_for_a_sign_without_equivalent(
    text: str, expected: str
) -> None:
    assert prepare_text(text, GSM7).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("È «ok» 21 °C…\xa0\u200b\u2028", "È «ok» 21 °C…\xa0\u200b\u2028"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\tb\x0cc\x0bd\x85e", "a b\nc\nd\ne"),
        ("\x00\x07a\x1b\x7f\x9fb", "ab"),
        ("e\u0300 E\u0300", "è È"),
        ("\ud83d\ude00 \ud83d \ude00", "😀 � �"),
    ],
)
def test_unicode_changes_only_what_cannot_be_sent(text: str, expected: str) -> None:
    assert prepare_text(text, UNICODE).text == expected


def test_a_prepared_text_does_not_show_its_text_in_its_repr() -> None:
    shown = repr(prepare_text("Segreto di casa È", UNICODE))
    assert "Segreto" not in shown
    assert "È" not in shown


@pytest.mark.parametrize(
    ("title", "message", "expected"),
    [
        (None, "porta aperta", "porta aperta"),
        ("", "porta aperta", "porta aperta"),
        ("  ", "porta aperta", "porta aperta"),
        ("Allarme", "porta aperta", "Allarme\nporta aperta"),
        (" Allarme\ncasa ", "porta\naperta", "Allarme casa\nporta\naperta"),
        ("Allarme", "", "Allarme"),
    ],
)
def test_a_title_stands_on_a_line_of_its_own_before_the_text(
    title: str | None, message: str, expected: str
) -> None:
    assert join_title(title, message) == expected
