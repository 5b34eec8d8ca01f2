"""The plot of the passages: points by meaning, colours by document, and no text comes to life."""

from pathlib import Path

import numpy as np
import pytest

from index import landscape as landscape_step
from index.build import build
from index.generation import Store
from index.landscape import Landscape
from index.library import Library
from index.records import Passage
from tests.fakes import WordEmbedder
from tests.test_render import HOSTILE, TAGS, Page
from ui.landscape import figure, found_list, holdings


def library_of(store: Store, folder: Path, *texts: str) -> Library:
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text)
    build(folder, store=store, embedder=WordEmbedder())
    return Library("default", store=store, embedder=WordEmbedder())


def test_what_is_near_in_meaning_is_near_in_the_plane(tmp_path: Path, store: Store) -> None:
    library = library_of(
        store,
        tmp_path / "texts",
        "Two planes landed near the capital.",
        "Two planes landed near the city.",
        "The ministers discussed oil prices.",
    )
    found = library.landscape()
    assert found
    assert (len(found.passages), found.points.shape, found.total) == (3, (3, 2), 3)
    one, other, far = found.points
    assert np.linalg.norm(one - other) < np.linalg.norm(one - far)
    asked = library.place(found, "Which planes landed near the capital?")
    assert np.linalg.norm(asked - one) < np.linalg.norm(asked - far)


def test_of_many_passages_some_are_drawn(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landscape_step, "MOST", 4)
    library = library_of(
        store, tmp_path / "texts", *(f"Text number {n} of nine." for n in range(9))
    )
    first, second = library.landscape(), library.landscape()
    assert first
    assert second
    assert (len(first.passages), first.total) == (4, 9)
    assert first.passages == second.passages
    assert first.points == pytest.approx(second.points)
    left = {f"{n}.txt" for n in range(9)} - {passage.document for passage in first.passages}
    text = f"Text number {min(left)[0]} of nine."
    absent = Passage(min(left), "", text, 0, len(text))
    whole = library.landscape(found=[absent])
    assert whole
    assert len(whole.passages) == 5
    assert absent in whole.passages


def test_without_an_index_or_with_two_passages(tmp_path: Path, store: Store) -> None:
    assert Library("default").landscape() is None
    library = library_of(store, tmp_path / "texts", "Two planes landed.", "The ministers spoke.")
    found = library.landscape()
    assert found
    assert found.points.tolist() == [[0, 0], [0, 0]]
    assert library.place(found, "Who?").tolist() == [0, 0]


def passages(*texts: str, documents: int = 1) -> Landscape:
    whole = [
        Passage(f"{at % documents}.md", "", text, 10 * at, 10 * at + 9)
        for at, text in enumerate(texts)
    ]
    return Landscape(whole, np.arange(2.0 * len(texts)).reshape(-1, 2), len(texts), None)


def test_each_point_leads_to_its_passage() -> None:
    found = passages("One.", "Two.", "Three.", documents=2)
    plot = figure(found, found=found.passages[2:], question=("Who?", np.array([0.5, 0.5])))
    first, second, rings, question = plot.data
    assert [list(point) for point in first.customdata] == [["0.md", 0, 9], ["0.md", 20, 29]]
    assert (first.name, second.name) == ("0.md", "1.md")
    assert [list(point) for point in rings.customdata] == [["0.md", 20, 29]]
    assert (list(question.x), list(question.hovertext)) == ([0.5], ["Who?"])


def test_many_documents_share_the_last_colour() -> None:
    found = passages(*["A text."] * 60, documents=30)
    names = [trace.name for trace in figure(found).data]
    assert len(names) == 11 == len({trace.marker.color for trace in figure(found).data})
    assert names[-1] == "further documents"
    assert sum(len(trace.x) for trace in figure(found).data) == 60


@pytest.mark.parametrize("text", HOSTILE)
def test_no_tag_is_left_in_what_plotly_shows(text: str) -> None:
    whole = [Passage(text, text, text, 0, 9)]
    found = Landscape(whole, np.zeros((1, 2)), 1, None)
    plot = figure(found, found=whole, question=(text, np.zeros(2)))
    for trace in plot.data:
        shown = [trace.name, *trace.hovertext]
        for own in ("<b>", "</b>", "<br>"):
            shown = [one.replace(own, "") for one in shown]
        assert not any("<" in one or "&quot;" in one for one in shown if "&" not in text)


def test_what_the_index_holds_is_bars_the_largest_first() -> None:
    documents = [(HOSTILE[0], 30), *((f"{n}.txt", 2) for n in range(25))]
    plot = holdings(documents)
    (bars,) = plot.data
    names = plot.layout.yaxis.ticktext
    assert bars.x[:2] == (30, 2)
    assert len(bars.x) == 21
    assert bars.x[-1] == 12
    assert names[-1] == "6 further documents"
    assert bars.customdata[0] == [HOSTILE[0]]
    assert bars.customdata[-1] is None
    assert "<script" not in "".join((*names, *bars.hovertext))


def test_what_was_found_is_a_list_too() -> None:
    page = Page(found_list([Passage(HOSTILE[0], "", HOSTILE[0], 3, 9)]))
    assert "Found for the last question" in page.text
    assert set(page.tags) <= TAGS
    assert found_list([]) == ""
