"""The English that people read: patterns that make a reader read a sentence twice, and how often each may occur.

CONTRIBUTING.md explains the patterns with examples. A ceiling may only shrink: lower it when you rewrite.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

pytestmark = pytest.mark.text

ROOT = Path(__file__).parent.parent
GUIDE_WIDTH = 100  # characters

#: The messages are help texts, errors and log lines; the code's prose is docstrings and comments.
Kind = Literal["messages", "docs", "code"]
KINDS: tuple[Kind, ...] = ("messages", "docs", "code")

#: The name of a pattern: (what to write instead, regular expression). A space also matches a line break.
PATTERNS = {
    "is no": ("invalid, missing, unknown", r"(?:is|are|was|were) (?:none|no(?! (?:longer|more|later|earlier)))"),
    "not to be had": ("not supported", r"not to be (?:had|seen|found)|that there (?:is|are)"),
    "whoever": (
        "the caller, the worker",
        r"who(?:ever)? (?:is|was|has|had|asks|reads|waits|looks|wants|may)|whoever",
    ),
    "of what": (
        "the jobs, the error",
        r"(?:of|by|for|with|from|at|in) what(?! to)|(?:of|by|to|for) whom?",
    ),
    "one that": ("a job that", r"ones? (?:that|which|who|whose)"),
    "tell": ("report, log, print", r"tell|tells|telling|told"),
    "say": ("state, report, mean", r"say|says|said|saying"),
    "hear": ("receive, allow", r"hear|hears|heard|let|lets"),
    "where": ("if; or name the place", r"where"),
    "so that": ("so", r"so that"),
    "anew": ("again", r"anew|afresh"),
    "besides": (
        "also; during; or else; nothing",
        r"meanwhile|besides?|lest|hence|thereof|therein|as ever",
    ),
    "shall": ("must, will", r"shall"),
    "is wanted": ("must be", r"(?:is|are|was|were) wanted|(?:is|are|was|were|has|have) to be"),
    "becomes of": ("happens to", r"becomes? of|became of"),
    "stands": ("is", r"stands?(?! by)|stood(?! by)"),
    "of its own": ("its own", r"of (?:its|their|his|your|my|our|one's) own"),
    "it is what": ("name the thing", r"(?:it|this|that|they|these|those) (?:is|are|was|were) what"),
    "has it": ("the verb of the API", r"(?:has|have) it(?=[.,;:])"),
    "begin": ("start", r"begins?|beginning|began|begun"),
    "pass over": ("skip", r"pass(?:es|ed|ing)? over"),
    "nobody": ("no worker, no process", r"nobody|nowhere|anybody|somebody"),
    "gate": (
        "the mechanism's name",
        r"gates?|courtesy|promises?|pulses?|journals?|lookouts?|innocent|odd nights?",
    ),
    "and else": ("or else", r"and else"),
    "The same": ("repeat the words", r"\A(?:The same|As above|Both|Ditto)"),
    "Of ...": ("subject, verb, object", r"(?:\A|(?<=[.;:]\s))Of"),
    "What ...": ("name the thing", r"(?:\A|(?<=[.;:]\s))(?:What|Who|Nor|Whatever|Whichever)(?![^.]*\?)"),
}

#: A regular expression of what may stand, with the reason.
EXCEPTIONS = {
    r"(?<!`)`[^`]+`(?!`)": "code",
    r"\b(?:SELECT|DELETE|UPDATE)\b.*": "SQL",
    r"\.where\(": "SQLAlchemy",
    r"\bis None\b": "Python",
}

#: How many there may be: {pattern: (messages, docs, code)}. A pattern that is not here may not occur.
CEILINGS: dict[str, tuple[int, int, int]] = {
    "is no": (0, 0, 2),
    "not to be had": (0, 0, 1),
    "whoever": (0, 0, 1),
    "of what": (0, 0, 1),
    "one that": (0, 0, 1),
    "tell": (0, 0, 1),
    "say": (0, 0, 1),
    "hear": (0, 0, 1),
    "where": (0, 0, 2),
    "so that": (0, 0, 1),
    "anew": (0, 0, 1),
    "besides": (0, 0, 1),
    "shall": (0, 0, 1),
    "is wanted": (0, 0, 1),
    "becomes of": (0, 0, 1),
    "stands": (0, 0, 1),
    "of its own": (0, 0, 3),
    "it is what": (0, 0, 0),
    "has it": (0, 1, 1),
    "begin": (0, 0, 1),
    "pass over": (0, 0, 1),
    "nobody": (0, 0, 1),
    "gate": (0, 0, 0),
    "The same": (0, 0, 1),
    "Of ...": (0, 0, 1),
    "What ...": (0, 0, 1),
}


class Prose(NamedTuple):
    """A text that people read, the line of its file that it starts at included."""

    kind: Kind
    path: Path
    line: int
    text: str


def _regex(pattern: str) -> re.Pattern[str]:
    flags = re.IGNORECASE if pattern[0].islower() else 0
    return re.compile(rf"(?<![\w.-])(?:{PATTERNS[pattern][1]})(?![\w-])".replace(" ", r"\s+"), flags)


def _is_help(node: ast.AST) -> bool:
    """Whether the docstring is printed by `--help`."""
    decorators = getattr(node, "decorator_list", [])
    return any(re.search(r"\b(command|group)\b", ast.unparse(decorator)) for decorator in decorators)


def _docstrings(tree: ast.Module) -> dict[ast.Constant, Kind]:
    found: dict[ast.Constant, Kind] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(ast.Constant(str()) as constant), *_]:
                    found[constant] = "messages" if _is_help(node) else "code"
    return found


def _strings(path: Path, source: str) -> Iterator[Prose]:
    tree = ast.parse(source)
    docstrings = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Prose(docstrings.get(node, "messages"), path, node.lineno, node.value)


def _comments(path: Path, lines: Iterator[tuple[int, int, str]]) -> Iterator[Prose]:
    """Comments, those on adjoining lines as one text."""
    block: list[tuple[int, int, str]] = []
    for line, column, text in lines:
        if block and (line, column) != (block[-1][0] + 1, block[-1][1]):
            yield Prose("code", path, block[0][0], "\n".join(text for *_, text in block))
            block = []
        block.append((line, column, text))
    if block:
        yield Prose("code", path, block[0][0], "\n".join(text for *_, text in block))


def _python(path: Path) -> Iterator[Prose]:
    source = path.read_text()
    yield from _strings(path, source)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = ((*token.start, token.string.lstrip("#: ")) for token in tokens if token.type == tokenize.COMMENT)
    yield from _comments(path, comments)


def _lua(path: Path) -> Iterator[Prose]:
    found = (re.search(r"--+ ?(.*)", line) for line in path.read_text().splitlines())
    yield from _comments(path, ((n, m.start(), m[1]) for n, m in enumerate(found, 1) if m))


@cache
def prose() -> list[Prose]:
    """All that people read: the package, its documentation and its changelog."""
    guides = [
        path for folder in ("*.md", "docs/**/*.md", "examples/**/*.md") for path in sorted(ROOT.glob(folder))
    ]
    found = [Prose("docs", path, 1, path.read_text()) for path in guides]
    for package in ("clock", "clockd", "packaging"):
        for path in sorted((ROOT / package).rglob("*.py")):
            found += _python(path)
        for path in sorted((ROOT / package).rglob("*.lua")):
            found += _lua(path)
    allowed = re.compile("|".join(f"(?:{exception})" for exception in EXCEPTIONS))
    return [each._replace(text=allowed.sub(lambda match: "x" * len(match[0]), each.text)) for each in found]


def places(pattern: str, kind: Kind) -> list[str]:
    """The places of a pattern: file, line, and the words around it."""
    found = []
    for each in prose():
        if each.kind == kind:
            for match in _regex(pattern).finditer(each.text):
                line = each.line + each.text.count("\n", 0, match.start())
                around = " ".join(each.text[max(0, match.start() - 30) : match.end() + 30].split())
                found.append(f"{each.path.relative_to(ROOT)}:{line}: {around}")
    return found


def test_no_pattern_comes_back() -> None:
    """One test, because to read all texts takes longer than to search them."""
    found = []
    for pattern, (instead, _) in PATTERNS.items():
        for kind, ceiling in zip(KINDS, CEILINGS.get(pattern, (0, 0, 0)), strict=True):
            found_places = places(pattern, kind)
            if len(found_places) > ceiling:
                found += [f"{pattern!r}: write instead: {instead}", *found_places]

    assert not found, "\n".join(found)


def test_each_pattern_matches_its_name() -> None:
    for pattern in PATTERNS:
        assert _regex(pattern).search(pattern.removesuffix(" ...") + "."), pattern


@pytest.mark.parametrize("guide", sorted(ROOT.glob("docs/**/*.md")), ids=lambda path: path.stem)
def test_the_lines_of_a_guide_are_short(guide: Path) -> None:
    """Tables, code and addresses have no line breaks."""
    text = re.sub(r"^```.*?^```$", "", guide.read_text(), flags=re.MULTILINE | re.DOTALL)

    long = [line for line in text.splitlines() if len(line) > GUIDE_WIDTH and not line.startswith("|")]

    assert not [line for line in long if " " in line.lstrip("-# ")]
