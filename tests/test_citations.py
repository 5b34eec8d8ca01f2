"""Every format, from file to footnote: a quote is its document's text at its place."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.build import build
from index.generation import Store
from index.load import load_document
from index.search import Index
from index.sentences import sentence_spans
from rag import Chat
from tests import formats
from tests.documents import write_samples
from tests.fakes import ListSearch, ScriptedModel, WordEmbedder, document


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "samples"
    folder.mkdir()
    return write_samples(folder)


def test_there_is_a_sample_of_every_format(samples: dict[str, Path]) -> None:
    suffixes = {path.suffix for path in samples.values()}
    office = {".docx", ".pptx", ".xlsx", ".csv", ".epub"}
    mail = {".eml", ".mbox", ".json", ".jsonl"}
    assert suffixes >= {".txt", ".md", ".html", ".pdf"} | office | mail


@pytest.mark.slow
def test_a_quote_is_the_documents_text_at_its_place(samples: dict[str, Path], store: Store) -> None:
    """Each long sentence of each sample, answered by heart, cites that very sentence."""
    folder = next(iter(samples.values())).parent
    build(folder, store=store, embedder=WordEmbedder())
    index = Index.open(store=store, embedder=WordEmbedder())
    cited = 0
    for path in samples.values():
        source = load_document(path, id=path.relative_to(folder).as_posix())
        for span in sentence_spans(source.text):
            text = source.text[span.start : span.end]
            if not text.endswith(".") or len(text.split()) < 8 or "\n" in text:
                continue
            answer = Chat(search=index, generate=ScriptedModel(text)).ask(text)
            assert answer.citations, text
            for citation in answer.citations:
                original = load_document(folder / citation.document, id=citation.document)
                assert original.text[citation.start : citation.end] == citation.quote
                assert citation.sha256 == original.sha256
                cited += 1
            assert text in {citation.quote for citation in answer.citations}
    assert cited >= 20


def test_a_pdf_citation_names_its_page(samples: dict[str, Path]) -> None:
    path = next(path for path in samples.values() if path.suffix == ".pdf")
    source = load_document(path, id="sample.pdf")
    pages = [section for section in source.sections if section.kind == "page"]
    assert len(pages) >= 2
    for page in pages:
        spans = sentence_spans(source.text[page.start : page.end])
        quote = max((source.text[page.start :][s.start : s.end] for s in spans), key=len)
        answer = Chat(search=ListSearch(source), generate=ScriptedModel(quote)).ask(quote)
        assert quote in {c.quote for c in answer.citations if c.page == int(page.label)}


words = st.sampled_from(
    "Troops ships cargo U.S. 35 tons landed “quoted” Guaidó — Москва 3.5 million e.g. 🚢".split()
)
sentences = st.lists(words, min_size=3, max_size=12).map(lambda w: "The " + " ".join(w) + ".")


@pytest.mark.slow
@given(st.lists(sentences, min_size=1, max_size=8), st.sampled_from([" ", "\n", "\n\n", "\r\n\t"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_answer_over_any_text_quotes_exactly(parts: list[str], gap: str) -> None:
    source = document(gap.join(parts))
    chat = Chat(search=ListSearch(source), generate=ScriptedModel(" ".join(parts)))
    for citation in chat.ask(parts[0]).citations:
        assert source.text[citation.start : citation.end] == citation.quote


def test_the_page_of_formats_is_up_to_date() -> None:
    written = formats.PAGE.read_text(encoding="utf-8")
    assert written == formats.page(), "run 'make formats'"
    assert "| NO |" not in written
