"""What is written to an index is what is read from it, whatever it is."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.build import build
from index.generation import FORMAT, Manifest
from index.records import Document, Section
from index.split import split
from index.store import (
    Generation,
    GenerationWriter,
    current_generation,
    remembered_folder,
    writing,
)
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
    with writing("default"), GenerationWriter("default") as writer:
        for document in written:
            passages = tuple(split(document))
            writer.add(document, passages, [b"digest"] * len(passages))
        writer.add_problem("0" * 64, "is damaged")
        vectors = np.ones((writer.passages, 2), dtype=np.float32)
        writer.publish(vectors, manifest(writer))
    folder = current_generation("default")
    assert folder
    generation = Generation("default", folder)
    try:
        assert generation.document_ids() == sorted(document.id for document in written)
        row = 0
        for document in written:
            assert generation.document(document.id) == document
            for passage in split(document):
                assert generation.passages([row]) == [passage]
                row += 1
        assert generation.problems() == {"0" * 64: "is damaged"}
    finally:
        generation.close()


def manifest(writer: GenerationWriter) -> Manifest:
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


def test_the_folder_is_remembered_also_while_it_is_away(tmp_path: Path) -> None:
    assert remembered_folder("default") is None
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"All is {name}.")
        build(tmp_path / name, embedder=WordEmbedder())
    shutil.rmtree(tmp_path / "old")
    assert remembered_folder("default") == tmp_path / "new"
    shutil.rmtree(tmp_path / "new")
    assert remembered_folder("default") == tmp_path / "new"
    generation = current_generation("default")
    assert generation
    for path in generation.parent.rglob("manifest.json"):
        path.write_text("{}")
    with pytest.raises(StoreError, match="which folder it was made from: run 'footnote index FOLD"):
        remembered_folder("default")
