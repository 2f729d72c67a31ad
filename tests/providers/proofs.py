"""Which test proves which documented fact: what docs/providers.md is made with."""

from collections.abc import Callable


def proves[**P, R](
    provider: str,  # noqa: ARG001 - read from the source, by script/providers_doc
    where: str,  # noqa: ARG001 - as above
    *names: str,  # noqa: ARG001 - as above
    of: str | None = None,  # noqa: ARG001 - as above
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a test as the proof of facts, by their provider, place and names.

    Without names, those of the kind `of` are meant, or all of the place; the place
    "*" is any. Arguments must be strings, or names of the module's own constants.
    """
    return lambda test: test
