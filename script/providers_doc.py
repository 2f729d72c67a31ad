"""Writes docs/providers.md out of the code: python -m script.providers_doc.

What the providers document stands in `facts` of each provider, and which test proves
it in the decorators `proves` of tests/providers. The file is never edited by hand.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
import sys

from custom_components.sms_italia.providers.client import Capabilities, Provider
from custom_components.sms_italia.providers.facts import Fact, FactKind, Source
from custom_components.sms_italia.providers.registry import PROVIDERS

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "providers"
DOCUMENT = ROOT / "docs" / "providers.md"
ANYWHERE = "*"

_HEAD = """\
# What the providers document, and how SMS Italia uses it

<!-- Written by script/providers_doc. Do not edit. -->

Each table has everything that a provider's pages name: parameters, answer fields,
errors and statuses, how each is used, and the tests in `tests/providers` that prove it.
The statuses are the six words used everywhere: queued, sent, delivered, failed,
expired, uncertain. An error is followed by its kind: auth, credit, recipient, sender,
text, duplicate, throttled, unavailable, refused.

The source tells how sure a fact is: **page** is the provider's page that the client was
written from, **official** other documentation or code that the provider publishes, and
**hint** something seen elsewhere, which may be wrong: the client survives it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A test, and the facts that it proves; see tests/providers/proofs.py."""

    test: str
    provider: str
    where: str
    names: tuple[str, ...]
    of: str | None

    def covers(self, provider: str, fact: Fact) -> bool:
        """Tell whether the test proves this fact."""
        return (
            self.provider == provider
            and self.where in {ANYWHERE, fact.where}
            and (not self.names or fact.name in self.names)
            and self.of in {None, fact.kind}
        )


def proofs() -> list[Proof]:
    """Return what the tests say that they prove, in the order of files and lines."""
    return [
        proof for path in sorted(TESTS.glob("test_*.py")) for proof in _proofs_in(path)
    ]


def _proofs_in(path: Path) -> Iterator[Proof]:
    """Yield the proofs of one file, which is read and not run."""
    tree = ast.parse(path.read_text("utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Name(id="proves")):
                        yield _proof(node.name, decorator, constants)
                    case _:
                        pass


def _proof(test: str, call: ast.Call, constants: Mapping[str, object]) -> Proof:
    """Return what one decorator says."""

    def text(node: ast.expr) -> str:
        value = (
            constants[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)
        )
        if not isinstance(value, str):
            raise TypeError(test)
        return value

    provider, where, *names = map(text, call.args)
    named = {keyword.arg: text(keyword.value) for keyword in call.keywords}
    return Proof(
        test=test,
        provider=provider,
        where=where,
        names=tuple(names),
        of=named.get("of"),
    )


def document() -> str:
    """Return the whole document."""
    found = proofs()
    sections = [_HEAD, *(_section(key, found) for key in PROVIDERS)]
    return "\n".join(sections)


def _section(key: str, found: list[Proof]) -> str:
    """Return a provider's section."""
    provider = PROVIDERS[key]
    lines = [f"## {provider.name}", "", *_abilities(provider)]
    by_kind: dict[FactKind, list[Fact]] = {kind: [] for kind in FactKind}
    for fact in provider.facts:
        by_kind[fact.kind].append(fact)
    for kind, facts in by_kind.items():
        lines += [
            "",
            f"### {provider.name}: {_PLURALS[kind]}",
            "",
            "| where | name | how it is used | source | proved by |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_row(key, fact, found) for fact in facts]
    return "\n".join([*lines, ""])


_PLURALS: Mapping[FactKind, str] = {
    FactKind.PARAMETER: "parameters",
    FactKind.ANSWER: "answer fields",
    FactKind.ERROR: "errors",
    FactKind.STATUS: "statuses",
}


def _abilities(provider: Provider) -> list[str]:
    """Return what a provider can do, as a list."""
    can: Capabilities = provider.capabilities
    features = ", ".join(sorted(str(feature) for feature in can.features))
    lines = [
        f"- Features: {features}.",
        (
            f"- Recipients in one request: {can.recipients_per_submission}; up to"
            f" {can.recipients_told_at_once} the answer tells of each."
        ),
        f"- Messages in one status request: {can.refs_per_report_query}.",
        f"- Parts of one message, at most: {can.max_parts}.",
    ]
    if can.personal_texts_told_at_once:
        lines.append(
            "- Texts of their own, up to which the answer tells of each:"
            f" {can.personal_texts_told_at_once}."
        )
    if can.picture is not None:
        types = ", ".join(sorted(can.picture.types))
        lines.append(
            f"- Pictures that are sent: {types}, up to"
            f" {can.picture.max_bytes // 1024} KiB."
        )
    return lines


def _row(key: str, fact: Fact, found: list[Proof]) -> str:
    """Return the row of a fact."""
    tests = [f"`{proof.test}`" for proof in found if proof.covers(key, fact)]
    cells = (
        f"`{fact.where}`" if " /" in fact.where else fact.where,
        f"`{fact.name}`",
        fact.use,
        _SOURCES[fact.source],
        "<br>".join(dict.fromkeys(tests)),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


_SOURCES: Mapping[Source, str] = {
    Source.PAGE: "page",
    Source.OFFICIAL: "official",
    Source.HINT: "hint",
}


def main() -> int:
    """Write the document; the answer is the exit code."""
    DOCUMENT.write_text(document(), "utf-8")
    print(DOCUMENT.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
