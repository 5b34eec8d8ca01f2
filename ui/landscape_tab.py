"""The tab of the plots: the passages by meaning, the last question among them; the documents."""

from collections.abc import Collection
from typing import Any, Protocol

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from index.landscape import Landscape
from index.records import Passage
from models.errors import FootnoteError
from ui.landscape import figure, found_list, holdings
from ui.parts import QUICK, html
from ui.render import alert
from ui.session import Session, last_answer


class Mapped(Protocol):
    """What can be looked at; the real one is ``index.library.Library``."""

    def landscape(self, *, found: Collection[Passage] = ()) -> Landscape | None:
        """The passages in the plane, those in any case; None if there is no index."""

    def holdings(self) -> list[tuple[str, int]]:
        """The documents, each with its number of passages; the largest first."""

    def place(self, landscape: Landscape, text: str) -> NDArray[np.float64]:
        """Where a text would be there: (2,)."""


class LandscapeTab:
    """The components of the tab, and what happens to them."""

    def __init__(self, mapped: Mapped) -> None:
        """Lays the tab out, among the tabs of the page."""
        self._mapped = mapped
        with gr.Tab("Map", id="map") as self.tab, gr.Column(elem_classes="map"):
            self.about = html("")
            self.plot = gr.Plot(show_label=False, container=False)
            self.found = html("")
            html("<h3>What the index holds</h3>")
            self.holdings = gr.Plot(show_label=False, container=False)

    def wire(self, session: gr.State) -> None:
        """``session`` is asked for the last question."""
        drawn = [self.about, self.plot, self.found, self.holdings]
        self.tab.select(self.show, [session], drawn, **QUICK | {"show_progress": "full"}).then(
            None, None, None, js="() => footnoteOpensPoints()", **QUICK
        )

    def show(self, session: Session | None) -> dict[Any, Any]:
        """The index as it is now."""
        try:
            last = last_answer(session.turns) if session else None
            found = [hit.passage for hit in last.hits] if last else []
            landscape = self._mapped.landscape(found=found)
            if landscape is None:
                return {self.about: "<p>No document is indexed yet.</p>"}
            sizes = self._mapped.holdings()
            at = (last.query, self._mapped.place(landscape, last.query)) if last else None
        except FootnoteError as error:
            return {self.about: alert(str(error))}
        count = len(landscape.passages)
        of = f" of {landscape.total:,}" if count < landscape.total else ""
        return {
            self.about: f'<p class="quiet">{count:,}{of} passages: what stands near in meaning '
            "stands near here. Point at one to read how it begins, press it to read on.</p>",
            self.plot: figure(landscape, found=found, question=at),
            self.found: found_list(found),
            self.holdings: holdings(sizes),
        }
