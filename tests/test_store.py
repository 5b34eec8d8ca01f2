"""What is written to an index is what is read from it, whatever it is."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.build import build
from index.generation import FORMAT, Manifest, Store, Writer
from index.local_files import current_generation
from index.local_store import LocalStore
from index.records import Document, Section, Skipped
from index.split import split
from models.errors import StoreError
from tests.fakes import WordEmbedder

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
"""Readers clean what they read: no surrogate and no NUL is left."""
_KINDS = st.sampled_from(["page", "slide", "sheet", "row", "chapter", "message", "heading"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(_TEXT) + "A sentence."
    spans = draw(st.lists(st.tuples(_KINDS, _TEXT, st.integers(0, len(text))), max_size=4))
    sections = tuple(
        Section(kind, label, start, len(text))  # type: ignore[arg-type]
        for kind, label, start in sorted(spans, key=lambda span: span[2])
    )
    return Document(
        id=draw(_TEXT), title=draw(_TEXT), text=text, sha256="0" * 64, sections=sections,
        author=draw(_TEXT), date=draw(_TEXT), source=draw(_TEXT),
        copies=tuple(draw(st.lists(_TEXT, max_size=3))),
    )  # fmt: skip


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(documents(), min_size=1, max_size=4, unique_by=lambda document: document.id))
def test_documents_come_back_as_they_went(written: list[Document]) -> None:
    come_back(LocalStore(), written)


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(documents(), min_size=1, max_size=4, unique_by=lambda document: document.id))
def test_documents_come_back_from_milvus(milvus: Store, written: list[Document]) -> None:
    come_back(milvus, written)


def come_back(store: Store, written: list[Document]) -> None:
    with store.writing("default"), store.writer("default") as writer:
        for document in written:
            passages = tuple(split(document))
            writer.add(document, passages, [b"digest"] * len(passages))
        writer.add_problem("0" * 64, "is damaged")
        writer.add_skipped([Skipped("b", "none"), Skipped("a.exe", "is none")])
        vectors = np.ones((writer.passages, 2), dtype=np.float32)
        writer.publish(vectors, manifest(writer))
    generation = store.open("default")
    assert generation
    try:
        assert generation.document_ids() == sorted(document.id for document in written)
        assert [row[0] for row in generation.summaries()] == generation.document_ids()
        row = 0
        for document in written:
            assert generation.document(document.id) == document
            rows = generation.rows_of([document.id])
            assert generation.passages(rows) == split(document)
            assert rows == list(range(row, row + len(rows)))
            row += len(rows)
            assert generation.stored(document.id) == (document, tuple(split(document)))
        assert generation.problems() == {"0" * 64: "is damaged"}
        skipped = generation.skipped()
        assert [(one.path, one.reason) for one in skipped] == [("a.exe", "is none"), ("b", "none")]
    finally:
        generation.close()


def manifest(writer: Writer) -> Manifest:
    return Manifest(
        format=FORMAT, folder="/", embedder="ones", embedder_digest="", dimension=2,
        metric="cosine", passage_size=700, readers=1, ocr=False, documents=writer.documents,
        passages=writer.passages, created="",
    )  # fmt: skip


@given(documents())
def test_a_place_names_every_section_around_it(document: Document) -> None:
    for offset in range(len(document.text)):
        place = document.place_at(offset)
        for section in document.sections:
            inner = document.section_at(offset, section.kind)
            assert inner is None or inner in place
            if inner is None:
                assert not section.start <= offset < section.end


def test_the_folder_is_remembered_also_while_it_is_away(tmp_path: Path, store: Store) -> None:
    assert store.remembered_folder("default") is None
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"All is {name}.")
        build(tmp_path / name, store=store, embedder=WordEmbedder())
    shutil.rmtree(tmp_path / "old")
    assert store.remembered_folder("default") == tmp_path / "new"
    shutil.rmtree(tmp_path / "new")
    assert store.remembered_folder("default") == tmp_path / "new"


def test_an_index_without_a_manifest_asks_for_its_folder(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("All is well.")
    build(tmp_path / "texts", embedder=WordEmbedder())
    generation = current_generation("default")
    assert generation
    for path in generation.parent.rglob("manifest.json"):
        path.write_text("{}")
    with pytest.raises(StoreError, match="which folder it was made from: run 'footnote index FOLD"):
        LocalStore().remembered_folder("default")
