"""The plots of the collection: its passages by meaning, and what it holds."""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import qualitative

from index.landscape import Landscape
from index.records import Passage
from models.progress import counted
from ui.render import act, plain, shorten

_NAMED = 10
"""Documents with a colour and a place in the legend of their own; the others share one."""

_HOVER = 240  # characters of a passage
_LINE = 60  # characters of one line of it

_BARS = 20

_INK = "#78716c"  # legible on light and on dark

_LOOK: dict[str, Any] = {
    "margin": {"l": 0, "r": 0, "t": 8, "b": 8},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": _INK, "size": 13},
    "hoverlabel": {"align": "left"},
}


def figure(
    landscape: Landscape,
    *,
    found: Collection[Passage] = (),
    question: tuple[str, NDArray[np.float64]] | None = None,
) -> go.Figure:
    """The passages, coloured by document; those ``found`` for the last question are ringed.

    ``question`` is its text and its point, (2,). Each point of a passage has its document, start
    and end as custom data, which page.js opens.
    """
    sizes = Counter(passage.document for passage in landscape.passages)
    named = [document for document, _ in sizes.most_common(_NAMED)]
    groups: dict[str, list[int]] = {document: [] for document in named}
    for row, passage in enumerate(landscape.passages):
        name = passage.document if passage.document in groups else "further documents"
        groups.setdefault(name, []).append(row)
    plot = go.Figure()
    for (name, rows), colour in zip(groups.items(), cycle(qualitative.Safe), strict=False):
        plot.add_trace(_points(landscape, rows, name=_shown(shorten(name, 40)), colour=colour))
    wanted = set(found)
    ringed = [row for row, passage in enumerate(landscape.passages) if passage in wanted]
    if ringed:
        rings = _points(landscape, ringed, name="found for the last question", colour=_INK)
        rings.marker.update(symbol="circle-open", size=15, line={"width": 2})
        plot.add_trace(rings)
    if question:
        text, (x, y) = question
        plot.add_trace(
            go.Scatter(
                x=[x],
                y=[y],
                mode="markers",
                name="the last question",
                marker={"symbol": "x", "size": 13, "color": _INK},
                hovertext=[_hover(text)],
                hoverinfo="text",
            )
        )
    axis = {"visible": False}
    plot.update_layout(
        _LOOK,
        xaxis=axis,
        yaxis=axis | {"scaleanchor": "x"},
        height=560,
        legend={"itemsizing": "constant", "orientation": "h", "y": -0.02, "yanchor": "top"},
        showlegend=True,
    )
    return plot


def found_list(found: Sequence[Passage]) -> str:
    """The passages that were found for the last question, to be read without the plot."""
    items = "".join(
        f"<li><bdi>{plain(shorten(one.document, 60))}</bdi>: "
        f'<span dir="auto">{plain(shorten(one.text, _LINE))}</span> '
        f"{act('Read', 'open', document=one.document, start=one.start, end=one.end)}</li>"
        for one in found
    )
    return f"<h3>Found for the last question</h3><ul>{items}</ul>" if items else ""


def holdings(documents: Sequence[tuple[str, int]]) -> go.Figure:
    """How many passages each of ``documents`` has: bars, the largest on top.

    Only of the largest; the others are one bar. Each has its document as custom data.
    """
    shown: list[tuple[str, int, list[str] | None]] = [
        (name, count, [name]) for name, count in documents[:_BARS]
    ]
    if others := documents[_BARS:]:
        total = sum(count for _, count in others)
        shown.append((counted(len(others), "further document"), total, None))
    plot = go.Figure(
        go.Bar(
            x=[count for _, count, _ in shown],
            y=list(range(len(shown))),  # names that were cut may be the same
            customdata=[opens for _, _, opens in shown],
            hovertext=[f"{_shown(name)}: {counted(count, 'passage')}" for name, count, _ in shown],
            hoverinfo="text",
            orientation="h",
            marker={"color": qualitative.Safe[0]},
        )
    )
    plot.update_layout(
        _LOOK,
        xaxis={"title": "passages", "fixedrange": True, "gridcolor": "rgba(120,113,108,0.25)"},
        yaxis={
            "autorange": "reversed",
            "automargin": True,
            "fixedrange": True,
            "tickvals": list(range(len(shown))),
            "ticktext": [_shown(shorten(name, 40)) for name, _, _ in shown],
        },
        height=90 + 28 * len(shown),
    )
    return plot


def _points(landscape: Landscape, rows: Sequence[int], *, name: str, colour: str) -> go.Scatter:
    passages = [landscape.passages[row] for row in rows]
    return go.Scatter(
        x=landscape.points[list(rows), 0].tolist(),
        y=landscape.points[list(rows), 1].tolist(),
        mode="markers",
        name=name,
        marker={"size": 8, "color": colour, "opacity": 0.85},
        hovertext=[f"<b>{_shown(one.document)}</b><br>{_hover(one.text)}" for one in passages],
        hoverinfo="text",
        customdata=[[one.document, one.start, one.end] for one in passages],
    )


def _hover(text: str) -> str:
    """The beginning of ``text`` in short lines. Plotly reads tags, so none is left in it."""
    lines = [""]
    for word in shorten(text, _HOVER).split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > _LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(map(_shown, lines))


def _shown(text: str) -> str:
    """``text`` as Plotly shows it: it reads tags, and of quotation marks no entities."""
    return plain(text, quote=False)
