"""The embedding model: as its reference, from the same weights, also in 8 bits."""

import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from index import embed, onnx_file
from index.embed import SentenceEmbedder
from index.embed_reference import ReferenceEncoder
from index.encoders import Reading
from index.onnx_model import Encoder
from models.errors import ModelError
from models.paths import encoders_folder
from models.resolve import local_path
from tests.conftest import WEIGHTS

CORPUS = Path(__file__).parents[1] / "corpus"

TEXTS = [
    *(part for path in sorted(CORPUS.glob("*.md")) for part in path.read_text().split("\n\n")),
    "Zürich, naïve; 35 % of “all” — 東京 🙂",
    "a",
    "word " * 600,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(WEIGHTS.parent))
        return local_path("all-minilm-l6-v2")


@pytest.fixture(scope="module")
def reference(folder: Path) -> ReferenceEncoder:
    return ReferenceEncoder(folder)


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_texts_are_read_as_by_the_reference(reference: ReferenceEncoder) -> None:
    ours = SentenceEmbedder().read(TEXTS)
    for one, other in zip(ours, reference.read(TEXTS), strict=True):
        assert one.vector == pytest.approx(other.vector, abs=1e-5)
        assert one.tokens == pytest.approx(other.tokens, abs=1e-4)
        assert one.spans.tolist() == other.spans.tolist()


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_documents_have_nearly_those_and_none_depends_on_the_others(
    reference: ReferenceEncoder,
) -> None:
    embedder = SentenceEmbedder()
    ours = embedder.embed(TEXTS)
    assert ours.dtype == np.float32
    assert np.linalg.norm(ours, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    cosines = (ours * reference.embed(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.99
    assert cosines.mean() > 0.998
    alone = np.array([embedder.embed([text])[0] for text in TEXTS[:12]])
    assert (alone == ours[:12]).all()
    assert embedder.embed([]).shape == (0, 384)


@pytest.mark.real
def test_seven_bits_are_taken_where_eight_overflow(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx_file.make(folder, tmp_path / "eight.onnx", is_small=True)
    likeness = iter([0.5, 0.995])
    monkeypatch.setattr(onnx_file, "_likeness", lambda *_: next(likeness))
    onnx_file.make(folder, tmp_path / "seven.onnx", is_small=True)
    (seven,) = Encoder(tmp_path / "seven.onnx", folder).embed(TEXTS[:1])
    (eight,) = Encoder(tmp_path / "eight.onnx", folder).embed(TEXTS[:1])
    assert 0.99 < seven @ eight < 0.99999


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_a_damaged_file_is_made_again() -> None:
    embed._loaded.cache_clear()
    good = SentenceEmbedder().embed_query(TEXTS[0])
    (path,) = encoders_folder().glob("*-8bit-*.onnx")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    embed._loaded.cache_clear()
    assert SentenceEmbedder().embed_query(TEXTS[0]) == pytest.approx(good)
    assert SentenceEmbedder().embed_query(TEXTS[0]) == pytest.approx(good)
    assert len(list(encoders_folder().glob("*-8bit-*"))) == 1  # and the damaged one is gone


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_other_models_are_run_by_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: object, **__: object) -> None:
        raise onnx_file.NotSupportedError

    embed._loaded.cache_clear()
    monkeypatch.setattr(onnx_file, "make", unable)
    vector = SentenceEmbedder().embed_query(TEXTS[0])
    assert vector == pytest.approx(SentenceEmbedder().embed([TEXTS[0]])[0], abs=1e-5)
    embed._loaded.cache_clear()


def test_a_folder_that_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        embed._encoder(tmp_path, "0" * 64, is_small=False)


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_a_question_is_embedded_without_pytorch_and_nothing_is_reported() -> None:
    program = (
        "import os, sys; from index.embed import SentenceEmbedder;"
        "SentenceEmbedder().embed_query('Who came?');"
        "print('torch' in sys.modules, os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["False", "1"]


class Counting:
    """Reads as letters are counted, and remembers what it was asked to read."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, texts: list[str]) -> list[Reading]:
        self.asked += texts
        nothing = np.zeros((0, 1), np.float32), np.zeros((0, 2), np.int64)
        return [Reading(np.full(1, len(text), np.float32), *nothing) for text in texts]


def test_what_was_read_lately_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Counting()
    monkeypatch.setattr(embed, "_encoder", lambda *_, **__: encoder)
    monkeypatch.setattr(SentenceEmbedder, "_folder", Path("nowhere"))
    monkeypatch.setattr(embed, "_KEPT", 3)
    embedder = SentenceEmbedder()

    def read(*texts: str) -> list[float]:
        return [float(reading.vector[0]) for reading in embedder.read(list(texts))]

    assert read("a", "bb", "a") == [1, 2, 1]
    assert encoder.asked == ["a", "bb"]
    assert read("ccc", "a") == [3, 1]
    assert encoder.asked == ["a", "bb", "ccc"]
    assert read("dddd", "bb", "a", "ccc", "eeeee") == [4, 2, 1, 3, 5]  # more than are kept
    assert read("eeeee", "ccc") == [5, 3]
    assert encoder.asked == ["a", "bb", "ccc", "dddd", "eeeee"]
    assert read("bb") == [2]
    assert encoder.asked[5:] == ["bb"]  # read long ago
    deepcopy(embedder)  # as it is sent to other processes: it holds no lock and no texts
