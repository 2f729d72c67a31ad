"""Every document that code or documentation cites is in the repository.

A citation is `docs/<path>.md`, with the number of a heading behind it or without one.
Looked at are the docstrings and comments of all Python files, and the pages for
developers. A name stands for a file of the repository's root or of the citing file's
own folder.

The pages for developers also name Python files: with the path from the root, from the
component, or from a folder that the same paragraph or row of a table names.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
import io
from pathlib import Path
import re
import tokenize
from typing import override

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("custom_components", "simulator", "tests", "script", "benchmarks")
PAGES = "docs/development"
GUIDE = "CONTRIBUTING.md"
COMPONENT = "custom_components/sms_italia"

_CITATION = re.compile(
    r"(?<![\w/.:-])(?P<name>(?:\.{1,2}/)*(?:[\w.-]+/)*[\w-]+\.(?:md|txt))\b"
    r"(?:`?,?\s+(?:sections?\s+)?(?P<number>[0-9]+(?:\.[0-9]+)*))?"
)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_FOLDER = re.compile(r"`((?:[\w-]+/)+)`")
_PARAGRAPH = re.compile(r"^\|.*$|(?:^(?!\|).+\n?)+", re.MULTILINE)
_MODULE = re.compile(r"`(?P<name>(?:[\w-]+/)*\w+\.py)`(?!:\n*\Z)")
"""Without a name that stands alone before a code block: the text of a made-up file."""
_HEADING = re.compile(r"^#{1,6} (?P<number>[0-9]+(?:\.[0-9]+)*)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """Text that is written for people; `line` is where it begins."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """The name of a document in a file, and the number of a heading if it says one."""

    path: Path
    line: int
    name: str
    number: str | None

    @override
    def __str__(self) -> str:
        """Return where it is and what it says."""
        return f"{self.path}:{self.line}: {self.name} {self.number or ''}".rstrip()


def prose_of_code(source: str) -> Iterator[Prose]:
    """Yield the docstrings of a Python file, those of attributes too, and its comments.

    Comments on lines of their own, one below the other, are one text: a citation may be
    wrapped.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str() as text), lineno=line):
                yield Prose(line=line, text=text)
            case _:
                pass
    block = Prose(line=-1, text="")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        comment = Prose(line=token.start[0], text=token.string.lstrip("#:! "))
        if not token.line.lstrip().startswith("#"):
            yield comment
        elif comment.line == block.line + block.text.count("\n") + 1:
            block = Prose(line=block.line, text=f"{block.text}\n{comment.text}")
        else:
            yield block
            block = comment
    yield block


def prose_of_page(source: str) -> Iterator[Prose]:
    """Yield a Markdown page with the targets of its links, without its code blocks."""
    yield Prose(line=1, text=_LINK.sub(_target, _without_code(source)))


def _without_code(page: str) -> str:
    """Return a Markdown page with empty lines in place of its code blocks."""
    return _FENCED.sub(lambda block: "\n" * block[0].count("\n"), page)


def _target(link: re.Match[str]) -> str:
    """Return the target of a link, on as many lines as the link had."""
    return link["target"] + "\n" * link[0].count("\n")


def citations_in(path: Path, root: Path) -> Iterator[Citation]:
    """Yield the citations in a Python file or a Markdown page."""
    source = path.read_text("utf-8")
    read = prose_of_code if path.suffix == ".py" else prose_of_page
    for prose in read(source):
        for found in _CITATION.finditer(prose.text):
            yield Citation(
                path=path.relative_to(root),
                line=prose.line + prose.text.count("\n", 0, found.start()),
                name=found["name"],
                number=found["number"],
            )


def headings_of(path: Path) -> list[str]:
    """Return the numbers that the headings of a page begin with."""
    return _HEADING.findall(_FENCED.sub("", path.read_text("utf-8")))


def resolves(citation: Citation, root: Path) -> bool:
    """Return whether the document is in the repository and has the heading."""
    folder = (root / citation.path).parent
    for start in (root, folder):
        document = (start / citation.name).resolve()
        if document.is_file() and document.is_relative_to(root.resolve()):
            return citation.number is None or citation.number in headings_of(document)
    return False


def files_of(root: Path) -> list[Path]:
    """Return the files whose citations are looked at."""
    code = [path for room in CODE for path in sorted((root / room).rglob("*.py"))]
    pages = [*sorted((root / PAGES).rglob("*.md")), root / GUIDE]
    return [*code, *(page for page in pages if page.is_file())]


def missing_modules(page: Path, root: Path) -> Iterator[Citation]:
    """Yield the Python files that a page names and that are not there."""
    roots = [root, root / COMPONENT]
    text = _without_code(page.read_text("utf-8"))
    for paragraph in _PARAGRAPH.finditer(text):
        folders = ["", *_FOLDER.findall(paragraph[0])]
        starts = [start / folder for start in roots for folder in folders]
        for module in _MODULE.finditer(paragraph[0]):
            if not any((start / module["name"]).is_file() for start in starts):
                place = paragraph.start() + module.start()
                yield Citation(
                    path=page.relative_to(root),
                    line=1 + text.count("\n", 0, place),
                    name=module["name"],
                    number=None,
                )


def broken_in(root: Path) -> list[str]:
    """Return each citation that leads nowhere, with its place."""
    files = files_of(root)
    citations = [
        citation
        for path in files
        for citation in citations_in(path, root)
        if not resolves(citation, root)
    ]
    pages = [path for path in files if path.suffix == ".md"]
    missing = [module for page in pages for module in missing_modules(page, root)]
    return [str(citation) for citation in (*citations, *missing)]


# The repository


def test_every_citation_leads_to_a_document_and_its_heading() -> None:
    broken = broken_in(ROOT)

    assert not broken, "\n".join(["citations that lead nowhere:", *broken])


def test_there_are_citations_to_look_at() -> None:
    files = files_of(ROOT)
    cited = {
        citation.number
        for path in files
        for citation in citations_in(path, ROOT)
        if resolves(citation, ROOT)
    }

    assert {path.relative_to(ROOT).parts[0] for path in files} == {*CODE, "docs", GUIDE}
    assert len(cited) > 10


@pytest.mark.parametrize(
    "page", sorted((ROOT / PAGES).rglob("*.md")), ids=lambda page: page.stem
)
def test_a_number_names_one_heading_of_a_page(page: Path) -> None:
    numbers = headings_of(page)

    assert len(numbers) == len(set(numbers))


# The checker, on made-up files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with one page and one guide for developers."""
    pages = tmp_path / PAGES
    (pages / "apis").mkdir(parents=True)
    (pages / "apis" / "one.md").write_text(
        "# One\n\n## 2.3 Sending\n\n```\n## 9 No heading\n```\n\n### 2.3.1 More\n"
    )
    (tmp_path / "LIESMICH.md").write_text("# Read me\n")
    (tmp_path / "simulator").mkdir()
    return tmp_path


ONE = f"{PAGES}/apis/one.md"


@pytest.mark.parametrize(
    "source",
    [
        f'"""Sends ({ONE} 2.3)."""\n',
        f'"""Sends; {ONE} 2.3.1.\n\nMore."""\n',
        f'"""Sends, as {ONE}\n2.3 says."""\n',
        f"# Sends, as {ONE}\n# 2.3 says.\nx = 1\n",
        f'"""Sends: `{ONE}`, section 2.3."""\n',
        f'x = 1\n"""Sends ({ONE} 2.3)."""\n',
        f'"""Sends ({ONE})."""\n',
        '"""Sends; see LIESMICH.md."""\n',
        '"""Sends; https://example.org/docs/other.md 7."""\n',
        'x = "plan.md"\n',
        '"""Writes every *.md."""\n',
        "",
    ],
)
def test_a_citation_that_leads_somewhere_is_fine(source: str, root: Path) -> None:
    (root / "simulator" / "two.py").write_text(source)

    assert broken_in(root) == []


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        ('"""Sends (plan.md, section 5.3)."""\n', "1: plan.md 5.3"),
        ('"""Sends (facts.md, 2.3)."""\n', "1: facts.md 2.3"),
        ('"""Sends (page-of-one.txt)."""\n', "1: page-of-one.txt"),
        ('"""Sends; one.md 2.3."""\n', "1: one.md 2.3"),
        (f'"""Sends ({ONE} 2.4)."""\n', f"1: {ONE} 2.4"),
        (f'"""Sends ({ONE} 2)."""\n', f"1: {ONE} 2"),
        (f'"""Sends ({ONE}, section 9)."""\n', f"1: {ONE} 9"),
        (f'"""Sends.\n\nAs {ONE}\n2.4 says."""\n', f"3: {ONE} 2.4"),
        (f'x = 1\n"""Sends ({ONE} 2.4)."""\n', f"2: {ONE} 2.4"),
        (f"x = 1\n# As {ONE}\n# 2.4 says.\n", f"2: {ONE} 2.4"),
        ("x = 1  # as plan.md says\n\n# 7 of them\n", "1: plan.md"),
        ("x = 1  # as plan.md\ny = 2  # 7 of them\n", "1: plan.md"),
        ("x = 1\n# One.\n# Two: plan.md.\n", "3: plan.md"),
        ('"""Sends; docs/../../plan.md."""\n', "1: docs/../../plan.md"),
    ],
)
def test_a_citation_that_leads_nowhere_is_named_with_its_place(
    source: str, broken: str, root: Path
) -> None:
    (root.parent / "plan.md").write_text("# Outside\n")
    (root / "simulator" / "two.py").write_text(source)

    assert broken_in(root) == [f"simulator/two.py:{broken}"]


def test_a_page_cites_its_neighbours_by_their_name(root: Path) -> None:
    page = root / PAGES / "two.md"
    page.write_text(
        "See `apis/one.md 2.3`, [the\nfirst one.md](apis/one.md), section 2.3.\n"
        "```\nplan.md\n```\n"
        "But apis/one.md 7, or [this](../plan.md).\n"
    )

    assert broken_in(root) == [
        f"{PAGES}/two.md:6: apis/one.md 7",
        f"{PAGES}/two.md:6: ../plan.md",
    ]


def test_a_page_names_python_files_by_a_path_that_can_be_followed(root: Path) -> None:
    (root / COMPONENT / "flows").mkdir(parents=True)
    (root / COMPONENT / "flows" / "options.py").touch()
    (root / "simulator" / "two.py").touch()
    page = root / PAGES / "two.md"
    page.write_text(
        "`options.py`, `flows/options.py`, `simulator/two.py`\n\n"
        "In `flows/`:\n`options.py`.\n\n"
        "`flows/new.py`:\n\n```\n`new.py`\n```\n\n"
        "| `flows/` | `options.py` |\n| --- | --- |\n| `two.py` | `options.py` |\n"
    )

    assert broken_in(root) == [
        f"{PAGES}/two.md:1: options.py",
        f"{PAGES}/two.md:14: two.py",
        f"{PAGES}/two.md:14: options.py",
    ]


def test_the_guide_is_looked_at_too(root: Path) -> None:
    (root / GUIDE).write_text(f"Read [this]({ONE}) and\nplan.md.\n")

    assert broken_in(root) == [f"{GUIDE}:2: plan.md"]
