"""Markdown, kept as its source: a quote is found again in the file as it is."""

import re

from index.formats.content import (
    Content,
    Heading,
    clean,
    first_line_title,
    heading_sections,
    named_title,
    one_line,
)
from index.formats.metadata import iso_date, named_author, web_address
from index.formats.text import decode

_FRONT_MATTER = re.compile(r"(---|\+\+\+)\n((?:.*\n)*?)(?:\1|\.\.\.)(?:\n|$)")
_KEY = re.compile(r"""^["']?[\w-]+["']?[ ]*[:=]""", re.MULTILINE)
# A key and its value on one line; a list, a mapping, or a text that begins below is not one.
_FRONT_LINE = re.compile(r"""^["']?([\w-]+)["']?[ ]*[:=][ ]*([^\s\[{|>&*!#].*)$""", re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t](.*))?$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)$")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}$")
_NOT_WORDS = re.compile(r" {4}|\t| {0,3}(?:[>|]|[-*+][ \t]|\d{1,9}[.)][ \t])")  # code, quote, list

_MAX_HEADING = 500  # characters of a heading that become its label


def read(data: bytes) -> Content:
    """The source without its front matter; a section for each heading outside of code.

    Raises DocumentError if ``data`` is not text.
    """
    source = clean(decode(data))
    front = _FRONT_MATTER.match(source)
    says: dict[str, str] = {}
    if front and _KEY.search(front[2]):
        says = _front_lines(front[2])
        source = source[front.end() :]
    text = clean(source)
    levels = _headings(text)
    headings = [heading for _, heading in levels]
    first = next((heading.label for level, heading in levels if level == 1), None)
    title = (
        named_title(says.get("title", ""))
        or named_title(first or (headings[0].label if headings else ""))
        or first_line_title(text)
    )
    return Content(
        text,
        title,
        heading_sections(text, headings),
        author=named_author(says.get("author", "")),
        date=iso_date(says.get("date", "")),
        source=web_address(says.get("source", "")) or web_address(says.get("url", "")),
    )


def _front_lines(front: str) -> dict[str, str]:
    """The simple lines of a front matter, YAML or TOML: values by their keys in lower case."""
    says: dict[str, str] = {}
    for key, value in _FRONT_LINE.findall(front):
        quoted = re.match(r"""(["'])(.*?)\1\s*(?:#.*)?$""", value)
        plain = quoted[2] if quoted else re.sub(r"\s#.*$", "", value)
        says.setdefault(key.lower(), plain.strip().strip("\"'"))
    return says


def _headings(text: str) -> list[tuple[int, Heading]]:
    """Every heading with its level, in order (CommonMark 0.31, 4.2, 4.3 and 4.5).

    An underlined heading is taken to be one line: below a longer paragraph, ``---`` is
    nearly always meant as a rule.
    """
    found: list[tuple[int, Heading]] = []
    fence = ""  # the marks that opened the code block we are in
    paragraph: list[tuple[int, str]] = []  # the lines since the last blank one
    position = 0
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
        elif mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
            paragraph = []
        elif heading := _ATX.match(line):
            label = _plain(_without_closing_marks(heading[2] or ""))
            if label:
                found.append((len(heading[1]), Heading(position, label)))
            paragraph = []
        elif len(paragraph) == 1 and (underline := _UNDERLINE.match(line)):
            start, words = paragraph[0]
            if (label := _plain(words)) and not _NOT_WORDS.match(words):
                found.append((1 if underline[1][0] == "=" else 2, Heading(start, label)))
            paragraph = []
        elif not line or _RULE.match(line):
            paragraph = []
        else:
            paragraph.append((position, line))
        position += len(line) + 1
    return found


def _without_closing_marks(words: str) -> str:
    words = words.strip()
    bare = words.rstrip("#")
    return bare if not bare or bare[-1] in " \t" else words


def _plain(words: str) -> str:
    """A heading's words without links, emphasis, code marks, tags and anchors."""
    words = re.sub(r"[ \t]*\{#[^}]*\}$", "", words.strip()[:_MAX_HEADING])
    words = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", words)
    words = re.sub(r"</?[A-Za-z][^<>]*>", "", words)
    for _ in range(2):  # emphasis in emphasis
        words = re.sub(r"(\*{1,3}|~~|`+)(?!\s)([^*~`]+)(?<!\s)\1", r"\2", words)
        words = re.sub(r"(?<!\w)(_{1,3})(?![\s_])(.+?)(?<!\s)\1(?!\w)", r"\2", words)
    return one_line(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", words))
