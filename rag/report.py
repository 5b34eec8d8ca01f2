"""The report of an evaluation: a JSON file, and one page with charts and every case to read."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from matplotlib.figure import Figure as Drawing

from rag.evaluate import Case, Figure


@dataclass(frozen=True, slots=True)
class About:
    """What was measured, for whoever reads the figures later."""

    questions: str  # the file
    asked: int
    model: str  # empty if only the retrieval was measured
    seed: int | None  # of the sample; None if all were asked
    without_gold: bool


def write_report(
    folder: Path, about: About, figures: Sequence[Figure], cases: Sequence[Case]
) -> tuple[Path, Path]:
    """Writes ``evaluation.json`` and ``evaluation.html`` into ``folder``; gives their paths.

    The page holds all it shows: it loads nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / "evaluation.json", folder / "evaluation.html"
    record = {
        "about": asdict(about),
        "figures": [asdict(figure) for figure in figures],
        "cases": [_record(case) for case in cases],
    }
    data.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    template = Environment(autoescape=True, loader=PackageLoader("rag", ".")).get_template(
        "report.html"
    )
    charts = [_bars(figures), _seconds(cases)]
    page.write_text(
        template.render(
            about=about,
            figures=figures,
            charts=[Markup(chart) for chart in charts if chart],  # noqa: S704  (drawn here)
            cases=cases,
        ),
        encoding="utf-8",
    )
    return data, page


def _record(case: Case) -> dict[str, Any]:
    """The case without the passages that were read, which are most of an answer's size."""
    record = asdict(case)
    if case.answer:
        del record["answer"]["hits"]
    return record


def _bars(figures: Sequence[Figure]) -> str:
    """The shares with their intervals."""
    shares = [figure for figure in figures if figure.unit == "share"][::-1]
    if not shares:
        return ""
    drawing = Drawing(figsize=(8, 0.6 + 0.32 * len(shares)), layout="constrained")
    axes = drawing.subplots()
    values = [figure.value for figure in shares]
    spread = [
        [max(figure.value - figure.low, 0) for figure in shares],
        [max(figure.high - figure.value, 0) for figure in shares],
    ]
    axes.barh([figure.name for figure in shares], values, xerr=spread, color="#8fb3d9")
    axes.set_xlim(0, 1)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(drawing)


def _seconds(cases: Sequence[Case]) -> str:
    """How long the answers took."""
    stages = dict.fromkeys(stage for case in cases for stage in case.seconds)
    if not stages:
        return ""
    drawing = Drawing(figsize=(8, 2.4), layout="constrained")
    axes = drawing.subplots()
    for stage in stages:
        seconds = [case.seconds[stage] for case in cases if stage in case.seconds]
        axes.ecdf(seconds, label=stage)
    axes.set_xlabel("seconds")
    axes.set_ylabel("share of the questions")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(drawing)


def _svg(drawing: Drawing) -> str:
    file = io.StringIO()
    drawing.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
