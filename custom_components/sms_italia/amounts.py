"""How amounts in euro are rounded, the same wherever they are shown."""

from decimal import Decimal

_EXACT = Decimal("0.0001")
_CENT = Decimal("0.01")


def as_euro(value: Decimal) -> Decimal:
    """Return an amount with its cents, and two digits more where they are not 0."""
    exact = value.quantize(_EXACT)
    rounded = value.quantize(_CENT)
    return rounded if rounded == exact else exact.normalize()


def euro_number(value: Decimal | None) -> float | None:
    """Return an amount as JSON and attributes have it, None if it is not known."""
    return None if value is None else float(as_euro(value))
