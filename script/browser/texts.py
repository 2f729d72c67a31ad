"""The texts on the screen, in the language of the run."""

from dataclasses import dataclass
from enum import StrEnum
import json

from script.home_assistant.configuration import INTEGRATION

type _Texts = dict[str, str | _Texts]


class Language(StrEnum):
    """A language that the integration speaks."""

    ENGLISH = "en"
    ITALIAN = "it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of Home Assistant's own frontend, and the texts that are typed.

    `locale` is the browser's; `decimal` stands before the cents.
    """

    locale: str
    decimal: str
    log_in: str
    add_integration: str
    submit: str
    finish: str
    add_target: str
    add_trigger: str
    perform: str
    press: str
    configure: str
    reconfigure: str
    options_saved: str
    close: str
    no_repairs: str
    repaired: str
    alarm: str
    greeting: str
    scheduled: str
    late: str
    escalation: str
    smoke: str
    by_card: str
    save: str


LABELS = {
    Language.ENGLISH: Labels(
        locale="en-GB",
        decimal=".",
        log_in="Log in",
        add_integration="Add integration",
        submit="Submit",
        finish="Finish",
        add_target="Add target",
        add_trigger="Add trigger",
        perform="Perform action",
        press="Press",
        configure="Configure",
        reconfigure="Reconfigure",
        options_saved="Options successfully saved.",
        close="Close",
        no_repairs="There are currently no repairs pending",
        repaired="The issue is repaired!",
        alarm="Water leak in the laundry",
        greeting="Back at eight",
        scheduled="Merry Christmas",
        late="Starting without you",
        escalation="Night",
        smoke="Smoke in the attic",
        by_card="By card",
        save="Save",
    ),
    Language.ITALIAN: Labels(
        locale="it-IT",
        decimal=",",
        log_in="Accedi",
        add_integration="Aggiungi integrazione",
        submit="Invia",
        finish="Finito",
        add_target="Aggiungi destinazione",
        add_trigger="Aggiungi attivazione",
        perform="Esegui azione",
        press="Premi",
        configure="Configura",
        reconfigure="Riconfigurare",
        options_saved="Opzioni salvate correttamente.",
        close="Chiudi",
        no_repairs="Al momento non ci sono riparazioni in sospeso",
        repaired="Il problema è stato risolto!",
        alarm="Perdita d'acqua in lavanderia",
        greeting="Torno alle otto",
        scheduled="Buon Natale",
        late="Iniziamo senza di te",
        escalation="Notte",
        smoke="Fumo in soffitta",
        by_card="Per scheda",
        save="Salva",
    ),
}


class OwnTexts:
    """The integration's own texts, from its translation file."""

    def __init__(self, language: Language) -> None:
        """Read the file of a language."""
        self.language = language
        path = INTEGRATION / "translations" / f"{language}.json"
        self._texts: _Texts = json.loads(path.read_text("utf-8"))

    def __getitem__(self, path: str) -> str:
        """Return the text under keys joined by dots; KeyError if it is missing."""
        found: str | _Texts = self._texts
        for key in path.split("."):
            if isinstance(found, str):
                raise KeyError(path)
            found = found[key]
        if not isinstance(found, str):
            raise KeyError(path)
        return found


def card_texts(language: Language) -> dict[str, str]:
    """Return the texts of the card, whose module has them as JSON."""
    module = (INTEGRATION / "frontend" / "texts.js").read_text("utf-8")
    _, _, texts = module.partition("export const TEXTS = ")
    found: dict[str, dict[str, str]] = json.loads(texts.rstrip().removesuffix(";"))
    return found[language]
