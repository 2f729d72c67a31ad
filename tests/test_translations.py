"""Every text of the UI is there, in English and in Italian, and none too many."""

from collections.abc import Iterable, Iterator, Mapping
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import NumberSelector, SelectSelector
import pytest

from custom_components.sms_italia import config_flow
from custom_components.sms_italia.const import (
    DOMAIN,
    SECTION_ADVANCED,
    SUBENTRY_TYPE_ESCALATION,
    SUBENTRY_TYPE_RECIPIENT,
)
from custom_components.sms_italia.flows.account import AccountError
from custom_components.sms_italia.flows.escalation import (
    _NUMBERS as ESCALATION_NUMBERS,
    EscalationError,
)
from custom_components.sms_italia.flows.options import OptionsError, options_fields
from custom_components.sms_italia.flows.recipient import RecipientError
from custom_components.sms_italia.flows.selectors import range_error
from custom_components.sms_italia.providers import (
    PROVIDERS,
    FieldKind,
    Placement,
    SettingsField,
)

from .accounts import Accounts

LANGUAGES = ("en", "it")
EACH_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)

FOLDER = Path(config_flow.__file__).parent / "translations"
TEXTS: dict[str, dict[str, Any]] = {
    language: json.loads((FOLDER / f"{language}.json").read_text("utf-8"))
    for language in LANGUAGES
}

_PLACEHOLDER = re.compile(r"\{(\w+)\}")

ALWAYS_SEVERAL = {
    ".common.bundle_heading",
    ".common.calls_refused",
    ".exceptions.too_many_numbers.message",
    ".issues.provider_wait.description",
}
"""The texts whose number is never 1."""

SUBENTRIES = {
    SUBENTRY_TYPE_RECIPIENT: {"name", "numbers", "send_test"},
    SUBENTRY_TYPE_ESCALATION: {
        "name",
        "members",
        "wait",
        "rounds",
        "until",
        "tell_others",
        "quiet",
    },
}
"""The fields of each type of subentry."""

CREDENTIALS = {FieldKind.USERNAME, FieldKind.SECRET}
ALL_FIELDS = [field for provider in PROVIDERS.values() for field in provider.fields]


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Return every text below, with its path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value


def placeholders(*texts: object) -> set[str]:
    """Return the placeholders of all texts."""
    return set(_PLACEHOLDER.findall(json.dumps(texts)))


def texts_at(language: str, path: str) -> Mapping[str, Any]:
    """Return the texts below a path, whose keys are separated by full stops."""
    texts = TEXTS[language]
    for key in path.split("."):
        texts = texts[key]
    return texts


def assert_keys(language: str, path: str, expected: Iterable[str]) -> None:
    """Assert that the texts below a path have these keys, and no others."""
    found, wanted = texts_at(language, path).keys(), {*expected}
    assert found == wanted, (
        f"translations/{language}.json, {path}: add {sorted(wanted - found)}, "
        f"remove {sorted(found - wanted)}"
    )


def assert_step(language: str, path: str) -> None:
    """Assert that a step has a title and a description."""
    assert_keys(language, path, {*texts_at(language, path)} | {"title", "description"})


def assert_account_form(
    language: str, path: str, fields: Iterable[SettingsField]
) -> None:
    """Assert that a step has the texts of these fields, and of no others."""
    fields = list(fields)
    main = {field.key for field in fields if field.placement is Placement.MAIN}
    folded_in = {field.key for field in fields if field.placement is Placement.ADVANCED}
    sections = {SECTION_ADVANCED: folded_in} if folded_in else {}
    assert_step(language, path)
    assert_fields(language, path, main)
    assert_sections(language, f"{path}.sections", sections)


def assert_fields(language: str, path: str, fields: Iterable[str]) -> None:
    """Assert that each of these fields has a label and a description."""
    fields = list(fields)
    assert_keys(language, f"{path}.data", fields)
    assert_keys(language, f"{path}.data_description", fields)


def assert_sections(
    language: str, path: str, sections: Mapping[str, Iterable[str]]
) -> None:
    """Assert that sections have a name and the texts of these fields only."""
    assert_keys(language, path, sections)
    for name, fields in sections.items():
        assert_keys(language, f"{path}.{name}", {"name", "data", "data_description"})
        assert_fields(language, f"{path}.{name}", fields)


def test_both_languages_say_the_same_things() -> None:
    """No text is missing in one of them, nor a placeholder in a text."""
    english, italian = (dict(leaves(TEXTS[language])) for language in LANGUAGES)

    in_one_only = sorted(english.keys() ^ italian.keys())
    assert not in_one_only, "translations/en.json and it.json differ"
    for path, text in english.items():
        assert placeholders(text) == placeholders(italian[path]), path


@EACH_LANGUAGE
def test_texts_are_fit_for_the_frontend(language: str) -> None:
    """Nothing is empty, and no text breaks the frontend's message format."""
    for path, text in leaves(TEXTS[language]):
        assert text == text.strip() != "", path
        assert "[%key:" not in text, path
        assert "://" not in text, path
        # An apostrophe before a brace quotes it; "<" would begin a tag.
        assert "'{" not in text, path
        assert "<" not in text, path
        assert re.sub(_PLACEHOLDER, "", text).count("{") == 0, path


@EACH_LANGUAGE
def test_errors_have_no_bold_type_and_no_links(language: str) -> None:
    """The frontend shows the signs of Markdown in them as they are."""
    for path, text in leaves(TEXTS[language]):
        if ".error." in path or path.startswith(".exceptions."):
            assert not re.search(r"\*\*|\]\(", text), path


@EACH_LANGUAGE
def test_no_sentence_is_wrong_for_one(language: str) -> None:
    """A number that may be 1 stands before no noun in the plural."""
    numbers = r"\{(?:count|limit|spent|parts|max_parts|most|minutes)\} (?!euro)\w+"

    found = {path for path, text in leaves(TEXTS[language]) if re.search(numbers, text)}

    assert found <= ALWAYS_SEVERAL


@EACH_LANGUAGE
def test_no_two_entities_have_the_same_name(language: str) -> None:
    """The logbook and the lists show nothing else to tell those of a device apart."""
    entities = TEXTS[language]["entity"].values()
    names = [one["name"] for of_domain in entities for one in of_domain.values()]
    assert len(names) == len(set(names))


@EACH_LANGUAGE
def test_the_menu_describes_every_provider(language: str) -> None:
    """A label, and what one needs to have."""
    step = "config.step.user"
    menu = {"menu_options", "menu_option_descriptions"}

    assert_keys(language, step, {"title", "description", *menu})
    for part in menu:
        assert_keys(language, f"{step}.{part}", PROVIDERS)


@EACH_LANGUAGE
def test_every_field_of_an_account_is_described(language: str) -> None:
    """In the form of each provider, and in those that change an account."""
    steps = "config.step"

    others = {"user", "unencrypted", "reauth_confirm", "reconfigure"}
    assert_keys(language, steps, {*others, *PROVIDERS})
    for key, provider in PROVIDERS.items():
        assert_account_form(language, f"{steps}.{key}", provider.fields)
    assert_account_form(language, f"{steps}.reconfigure", ALL_FIELDS)
    assert_account_form(
        language,
        f"{steps}.reauth_confirm",
        [field for field in ALL_FIELDS if field.kind in CREDENTIALS],
    )


@EACH_LANGUAGE
def test_every_error_and_abort_of_a_flow_has_a_text(language: str) -> None:
    """Those of the account and of the recipient."""
    recipient = f"config_subentries.{SUBENTRY_TYPE_RECIPIENT}"
    escalation = f"config_subentries.{SUBENTRY_TYPE_ESCALATION}"
    changed = "reconfigure_successful"
    aborts = {"already_configured", "reauth_successful", "unique_id_mismatch", changed}

    assert_keys(language, "config.error", AccountError)
    assert_keys(language, "config.abort", aborts)
    assert_keys(language, f"{recipient}.error", RecipientError)
    assert_keys(language, f"{recipient}.abort", {"tested", changed})
    ranges = map(range_error, ESCALATION_NUMBERS)
    assert_keys(language, f"{escalation}.error", {*EscalationError, *ranges})


@EACH_LANGUAGE
@pytest.mark.parametrize(("subentry", "fields"), SUBENTRIES.items())
def test_the_form_of_a_subentry_is_described(
    language: str, subentry: str, fields: set[str]
) -> None:
    """With the button that opens it."""
    assert_keys(language, "config_subentries", SUBENTRIES)
    path = f"config_subentries.{subentry}"

    assert texts_at(language, path)["entry_type"]
    assert_keys(language, f"{path}.initiate_flow", {"user", "reconfigure"})
    for step in ("user", "reconfigure"):
        assert_step(language, f"{path}.step.{step}")
        assert_fields(language, f"{path}.step.{step}", fields)


@EACH_LANGUAGE
def test_the_menu_about_a_landline_is_described(language: str) -> None:
    """With the numbers that it is about."""
    steps = f"config_subentries.{SUBENTRY_TYPE_RECIPIENT}.step"

    assert_keys(language, steps, {"user", "reconfigure", "landline"})
    menu = f"{steps}.landline"
    assert_step(language, menu)
    assert placeholders(texts_at(language, menu)["description"]) == {"number"}
    assert_keys(language, f"{menu}.menu_options", {"change_numbers", "keep_landline"})


@EACH_LANGUAGE
def test_the_question_about_an_unencrypted_address_is_described(language: str) -> None:
    """With the address, and why the other one is not used."""
    question = "config.step.unencrypted"

    assert_step(language, question)
    assert placeholders(texts_at(language, question)["description"]) == {
        "provider",
        "detail",
        "clear_text_url",
    }
    answers = {"stay_encrypted", "accept_unencrypted"}
    assert_keys(language, f"{question}.menu_options", answers)


@EACH_LANGUAGE
def test_every_option_is_described(language: str) -> None:
    """Those of all providers stand in the one form."""
    sections: dict[str, set[str]] = {}
    for provider in PROVIDERS.values():
        for name, fields in options_fields(provider, "IT", {"id": "Other"}).items():
            sections.setdefault(name, set()).update(map(str, fields))

    assert_keys(language, "options", {"step", "error"})
    numbers = {str(marker) for marker in number_fields()}
    ranges = map(range_error, numbers)
    assert_keys(language, "options.error", {*OptionsError, *ranges})
    assert_step(language, "options.step.init")
    assert_sections(language, "options.step.init.sections", sections)


def number_fields() -> Mapping[str, NumberSelector]:
    """Return the fields of numbers in the options of all providers."""
    return {
        str(marker): field
        for provider in PROVIDERS.values()
        for fields in options_fields(provider, "IT", {"id": "Other"}).values()
        for marker, field in fields.items()
        if isinstance(field, NumberSelector)
    }


@EACH_LANGUAGE
def test_the_error_of_a_number_says_what_the_field_takes(language: str) -> None:
    """In the options, where the error is the section's, it names the field too."""
    sections = texts_at(language, "options.step.init.sections").values()
    labels = {key: label for one in sections for key, label in one["data"].items()}
    for key, field in number_fields().items():
        text = texts_at(language, "options.error")[range_error(key)]
        assert f"“{labels[key]}”" in text
        bounds = [f"{field.config[bound]:.0f}" for bound in ("min", "max")]
        if key == "max_parts":
            bounds[1] = "{max_parts}"
        assert re.findall(r"[0-9]+|{max_parts}", text) == bounds
    escalation = f"config_subentries.{SUBENTRY_TYPE_ESCALATION}.error"
    for key, number in ESCALATION_NUMBERS.items():
        text = texts_at(language, escalation)[range_error(key)]
        bounds = [f"{number.config[bound]:.0f}" for bound in ("min", "max")]
        assert re.findall("[0-9]+", text) == bounds


@EACH_LANGUAGE
def test_every_choice_of_an_option_has_a_text(language: str) -> None:
    """Where a selector names the texts of its choices, they are all there."""
    found: dict[str, set[str]] = {}
    for provider in PROVIDERS.values():
        for fields in options_fields(provider, "IT", {}).values():
            for selector in fields.values():
                if isinstance(selector, SelectSelector):
                    key = selector.config["translation_key"]
                    found[key] = {*map(str, selector.config["options"])}

    assert found.keys() == {
        "encoding",
        "delivery_reports",
        "country",
        "channel",
        "receive_dlr",
    }
    for key, options in found.items():
        assert_keys(language, f"selector.{key}.options", options)


def assert_filled_in(texts: object, result: Mapping[str, Any]) -> None:
    """Assert that a step gives a value to each placeholder of its texts."""
    assert placeholders(texts) <= (result["description_placeholders"] or {}).keys()


async def test_every_placeholder_is_filled_in(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """By every form, for its own texts and for its errors."""
    texts = TEXTS["en"]
    steps, errors = texts["config"]["step"], texts["config"]["error"]
    flow = hass.config_entries.flow
    for key in PROVIDERS:
        menu = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
        assert_filled_in(steps["user"], menu)
        form = await flow.async_configure(menu["flow_id"], {"next_step_id": key})
        assert_filled_in([steps[key], errors], form)

        account = accounts.add(key, recipients={"Anna": ["+393331234567"]})
        reauth = await account.start_reauth_flow(hass)
        assert_filled_in([steps["reauth_confirm"], errors], reauth)
        reconfigure = await account.start_reconfigure_flow(hass)
        assert_filled_in([steps["reconfigure"], errors], reconfigure)
        options = await hass.config_entries.options.async_init(account.entry_id)
        assert_filled_in(texts["options"], options)
        recipient = texts["config_subentries"][SUBENTRY_TYPE_RECIPIENT]
        new = await hass.config_entries.subentries.async_init(
            (account.entry_id, SUBENTRY_TYPE_RECIPIENT),
            context={"source": SOURCE_USER},
        )
        assert_filled_in([recipient["step"]["user"], recipient["error"]], new)
        changed = await account.start_subentry_reconfigure_flow(hass, "anna")
        assert_filled_in(
            [recipient["step"]["reconfigure"], recipient["error"]], changed
        )
