"""The ways to send that are measured, and what all of them send."""

from enum import StrEnum


class Contender(StrEnum):
    """A way to send a text to a provider."""

    CAREFUL = "careful"
    CAREFUL_ONE_TEXT = "careful_one_text"
    REST_COMMAND = "rest_command"
    REST_NOTIFY = "rest_notify"
    OUR_ACTION = "our_action"
    OUR_ENTITY = "our_entity"
    OUR_ACTION_ONE_TEXT = "our_action_one_text"


TURN = 10
UNCOUNTED = 3
"""Texts that a contender sends in its turn, and uncounted ones before them: what the
previous contender left behind must not count."""

SENT_FOR_EACH_COUNTED = (TURN + UNCOUNTED) / TURN

TEXT = "Porta d'ingresso aperta: {contender} {turn}"
"""What is sent: one part of GSM-7, and no two are alike."""

RECIPIENTS = 10
"""Of one action for several recipients."""


def number(turn: int) -> str:
    """Return a number for each turn, in E.164."""
    return f"+39333{turn:07}"
