"""A conversation to keep or to send: as Markdown, and as one web page that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path
from string import Template

from ui import render
from ui.turn import Turn

_PAGE = Template(Path(__file__).with_name("export.html").read_text(encoding="utf-8"))


def as_markdown(title: str, turns: Sequence[Turn]) -> str:
    """The questions and answers, each answer with its footnotes."""
    parts = [f"# {_line(title)}"]
    for turn in turns:
        parts.append(f"## {_line(turn.question)}")
        if not turn.answer:
            ending = "(Stopped.)" if turn.stage == "stopped" else "(Not answered yet.)"
            written = [turn.text.strip(), turn.problem or ending]
            parts += [_escaped(text) for text in written if text]
            continue
        parts.append(_escaped(turn.answer.marked_text))
        for citation in turn.answer.citations:
            about = "; ".join(filter(None, [citation.title, citation.place, citation.origin]))
            quote = "\n> ".join(_escaped(citation.quote).splitlines())
            parts.append(f"> \\[{citation.number}\\] “{quote}”  \n> {_escaped(about)}")
    return "\n\n".join(parts) + "\n"


def as_page(title: str, turns: Sequence[Turn]) -> str:
    """The same as HTML, whose marks lead to the quotes under each answer."""
    body = "".join(
        render.exchange(turn, is_saved=True) + render.quotes(turn, is_saved=True) for turn in turns
    )
    return _PAGE.substitute(title=render.plain(title), body=body)


def _line(text: str) -> str:
    return _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    """``text`` so that Markdown shows it and obeys nothing in it."""
    marks = set("\\`*_{}[]<>#+-!|~&")
    return "".join(f"\\{letter}" if letter in marks else letter for letter in text)
