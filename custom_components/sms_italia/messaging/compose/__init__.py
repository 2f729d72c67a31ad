"""From a request to a dispatch and its messages: pure, nothing is sent or stored."""

from .dispatch import create_dispatch, new_message, request_again
from .estimate import estimate_request, group_sizes, prices_by_country
from .joining import JoinedText, join_texts
from .numbers import (
    NumberError,
    country_of,
    is_landline,
    parse_number,
    parse_numbers,
    split_numbers,
)
from .text import PreparedText, join_title, prepare_text
from .validation import DailyLimits, check_count, daily_limit, has_room

__all__ = [
    "DailyLimits",
    "JoinedText",
    "NumberError",
    "PreparedText",
    "check_count",
    "country_of",
    "create_dispatch",
    "daily_limit",
    "estimate_request",
    "group_sizes",
    "has_room",
    "is_landline",
    "join_texts",
    "join_title",
    "new_message",
    "parse_number",
    "parse_numbers",
    "prepare_text",
    "prices_by_country",
    "request_again",
    "split_numbers",
]
