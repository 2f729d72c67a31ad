"""docs/providers.md is made of the code, is whole, and each row of it is proved."""

from collections.abc import Iterator

import pytest

from custom_components.sms_italia.providers.registry import PROVIDERS
from script.providers_doc import DOCUMENT, document, proofs

SMSHOSTING_SEND = "to group text file onlyPush date transactionId sandbox smsFrom"
SEARCH_ERRORS = "NO_PARAMS BAD_ID BAD_MSISDN BAD_DATE BAD_STATUS"
PAGES = {
    ("smshosting", "POST /push/send"): (
        f"{SMSHOSTING_SEND} smsText smsEncoding"
        " from transactionId smsInserted smsNotInserted pushInserted sms[].to sms[].id"
        " sms[].status sms[].statusDetail sms[].type"
        " INSERTED NOT_INSERTED BADNUMBERFORMAT DUPLICATESMS PUSH_UNAVAILABLE"
        " BAD_TRANSACTIONID BAD_DATE BAD_CONTENT_PUSH BAD_ENCODING BAD_TEXT BAD_FROM"
        " BAD_GROUP BAD_CREDIT NO_PUSH NO_VALID_RECIPIENT GENERIC_ERROR"
    ),
    ("smshosting", "POST /push/estimate"): (
        "to group text file onlyPush smsFrom smsText smsEncoding"
        " cost userCredit smsCount pushCount pushAvailable PUSH_UNAVAILABLE"
        " BAD_CONTENT_PUSH BAD_ENCODING BAD_TEXT BAD_FROM BAD_GROUP"
        " NO_VALID_RECIPIENT GENERIC_ERROR"
    ),
    ("smshosting", "GET /push/search"): (
        "id transactionId msisdn fromDate toDate status offset limit"
        " smsList[].id smsList[].to smsList[].text smsList[].from smsList[].status"
        " smsList[].insertDate smsList[].sentDate smsList[].deliveryDate"
        " smsList[].transactionId smsList[].price smsList[].type"
        " smsList[].multimediaContent.id smsList[].multimediaContent.type"
        " metadata.count metadata.offset metadata.limit"
        " PENDING SENT NOSENT DELIVERED NOTDELIVERED PUSH_UNAVAILABLE"
        f" {SEARCH_ERRORS}"
    ),
    ("smshosting", "GET /push/multimedia/{id}"): (
        "id PUSH_UNAVAILABLE NO_PARAMS BAD_ID"
    ),
    ("smshosting", "POST /push/invitation"): (
        "to url PUSH_UNAVAILABLE NO_PARAMS BAD_TO"
    ),
    ("smsviainternet", "POST /api/rest/v1/sms"): (
        "sender gateway send_at text numbers delivery_callback async queue_id credit"
        " sending_sms_count sending_contacts_count sending_cost response"
    ),
    ("transactionale", "POST /platform/api/sms/send"): (
        "phone sender_id body webhook_url receive_dlr id status delivery_status url"
        " country is_two_way"
    ),
    ("transactionale", "GET /platform/api/sms/send/{id}"): (
        "id phone sender_id body status delivery_status country is_two_way"
        " webhook_url receive_dlr url"
    ),
    ("transactionale", "delivery webhook"): (
        "sms_id phone send_time status_time status delivered failed expired"
    ),
    ("inviosmart", "GET /sendsms/"): "destination sender message",
    ("inviosmart", "GET /smsstatus/"): "SMSId 2048",
    ("inviosmart", "GET /account-balance/"): "countryprefix Balance SmsRemainCount",
    ("inviosmart", "every request"): "username password 1001 1002",
}
"""What stands on the four pages, written down from them once more."""


def unproved() -> Iterator[str]:
    """Yield the facts that no test proves."""
    found = proofs()
    for key, provider in PROVIDERS.items():
        for fact in provider.facts:
            if not any(proof.covers(key, fact) for proof in found):
                yield f"{key}: {fact.where}: {fact.name}"


def test_the_document_is_the_one_that_the_code_makes() -> None:
    """Else: script/providers_doc."""
    assert DOCUMENT.read_text("utf-8") == document()


def test_every_documented_fact_is_proved_by_a_test() -> None:
    assert not list(unproved())


def test_every_proof_is_one_of_a_documented_fact() -> None:
    facts = [
        (key, fact) for key, provider in PROVIDERS.items() for fact in provider.facts
    ]
    for proof in proofs():
        covered = [fact.name for key, fact in facts if proof.covers(key, fact)]
        assert covered, proof
        assert set(proof.names) <= set(covered), proof


@pytest.mark.parametrize(("key", "where"), PAGES)
def test_nothing_that_stands_on_a_page_is_missing(key: str, where: str) -> None:
    documented = {fact.name for fact in PROVIDERS[key].facts if fact.where == where}

    assert set(PAGES[key, where].split()) <= documented


@pytest.mark.parametrize("key", PROVIDERS)
def test_every_fact_says_how_it_is_used_and_stands_there_once(key: str) -> None:
    facts = PROVIDERS[key].facts

    assert all(fact.use for fact in facts)
    assert not [fact for fact in facts if "support" in fact.use]
    assert len({(fact.kind, fact.where, fact.name) for fact in facts}) == len(facts)
