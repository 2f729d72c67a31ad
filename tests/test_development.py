"""The development instance: what script/develop prints."""

from script.development import report
from simulator import PROVIDERS, Simulator


async def test_all_that_the_forms_ask_for_is_printed(simulator: Simulator) -> None:
    """Of each provider, with the phones and the login."""
    printed = "\n".join(report.addresses("http://127.0.0.1:8123", simulator))

    for provider in PROVIDERS:
        assert simulator.url(provider) in printed
        for value in simulator.credentials(provider).values():
            assert value in printed
    assert f"{simulator.address}/" in printed
    assert "http://127.0.0.1:8123" in printed
