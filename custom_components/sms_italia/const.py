"""Constants that several modules of the integration share."""

from typing import Final

DOMAIN: Final = "sms_italia"

SUBENTRY_TYPE_RECIPIENT: Final = "recipient"
SUBENTRY_TYPE_ESCALATION: Final = "escalation"

CONF_PROVIDER: Final = "provider"
"""The key of the provider in the entry's data, beside the account's settings."""

CONF_CALLBACK_KEY: Final = "callback_key"
"""The key in the entry's data that signs the references of delivery callbacks."""

CONF_NOTIFY_ACTION: Final = "notify_action"
"""The key in the entry's data of the name of `notify.<account>`, without the domain."""

CONF_NUMBERS: Final = "numbers"
"""The numbers (E.164) of a recipient in its subentry; the title is its name."""

# An escalation in its subentry; the title is its name, waits are in minutes.
CONF_MEMBERS: Final = "members"
CONF_WAIT: Final = "wait"
CONF_ROUNDS: Final = "rounds"
CONF_UNTIL: Final = "until"
CONF_TELL_OTHERS: Final = "tell_others"
CONF_QUIET: Final = "quiet"

# Options of an account; each provider declares those that only it has.
CONF_ENCODING: Final = "encoding"
CONF_MAX_PARTS: Final = "max_parts"
CONF_BUNDLE_AFTER: Final = "bundle_after"
CONF_DAILY_LIMIT: Final = "daily_limit"
CONF_ALLOWED_COUNTRIES: Final = "allowed_countries"
CONF_LOW_CREDIT: Final = "low_credit"
CONF_RETRY_FOR: Final = "retry_for"
CONF_FALLBACK: Final = "fallback"
CONF_RESEND_UNCERTAIN: Final = "resend_uncertain"
CONF_FAILOVER_ON_FAILED_DELIVERY: Final = "failover_on_failed_delivery"
CONF_DELIVERY_REPORTS: Final = "delivery_reports"
CONF_RECEIVE: Final = "receive"
CONF_HISTORY_DAYS: Final = "history_days"

# Sections of the account form and of the options form.
SECTION_ADVANCED: Final = "advanced"
SECTION_TEXT: Final = "text"
SECTION_LIMITS: Final = "limits"
SECTION_RELIABILITY: Final = "reliability"
SECTION_REPORTS: Final = "reports"
SECTION_PROVIDER: Final = "provider"

DAILY_LIMIT_MAX: Final = 100_000
"""The highest possible daily limit, in parts."""
