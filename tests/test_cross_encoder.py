"""Cross-encoders: real ones with chance weights, which need no download."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.build import build
from index.cross_encoder import CrossEncoderEntailment, CrossEncoderReranker
from index.search import Index
from models.errors import ModelError
from rag import Chat
from tests.fakes import ListSearch, ScriptedModel, WordEmbedder, document

pytestmark = pytest.mark.slow

NLI_LABELS = ("contradiction", "entailment", "neutral")


def cross_encoder(folder: Path, labels: tuple[str, ...]) -> str:
    """A cross-encoder with an output for each of ``labels``, always of the same weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *letters]
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join([*words, *(f"##{x}" for x in letters)]))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=58,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=1.0,
        id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
    )
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


def test_a_reranker_has_the_last_word(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for name in "abcdef":
        (documents / f"{name}.txt").write_text(f"Planes landed near the {name * 4} river.")
    build(documents, embedder=WordEmbedder())
    reranker = CrossEncoderReranker(cross_encoder(tmp_path / "model", ("score",)))
    query = "Where did the planes land?"
    hits = Index.open(embedder=WordEmbedder(), reranker=reranker).search(query, limit=4)
    expected = reranker.scores(query, [hit.passage.text for hit in hits])
    assert [hit.score for hit in hits] == pytest.approx(expected.tolist(), abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert reranker.scores(query, []).shape == (0,)


def test_a_model_that_is_not_here() -> None:
    with pytest.raises(ModelError, match=r"reranker .* run 'hf download no/such-model' first"):
        CrossEncoderReranker("no/such-model")
    with pytest.raises(ModelError, match=r"NLI model .* run 'hf download no/such-model' first"):
        CrossEncoderEntailment("no/such-model")


def test_an_nli_model_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has 3 outputs, .* goes to --nli"):
        CrossEncoderReranker(cross_encoder(tmp_path, NLI_LABELS))


def test_entailment_is_found_by_its_name(tmp_path: Path) -> None:
    """The outputs of one model, each called entailment in its turn, are a distribution."""
    texts = ["Planes landed on a river.", "It snowed."]
    found = []
    for at in range(3):
        labels = NLI_LABELS[at:] + NLI_LABELS[:at]
        model = CrossEncoderEntailment(cross_encoder(tmp_path / str(at), labels))
        found.append(model.probabilities(texts, "Planes landed."))
    assert np.sum(found, axis=0) == pytest.approx([1, 1], abs=1e-5)
    assert np.ptp(found, axis=0).min() > 0.01
    assert model.probabilities([], "Planes landed.").shape == (0,)


@pytest.mark.parametrize("labels", [("LABEL_0", "LABEL_1"), ("entailment",)])
def test_a_model_without_entailment(tmp_path: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="has no output called entailment: give a cross-encoder"):
        CrossEncoderEntailment(cross_encoder(tmp_path, labels))


class Doubt:
    """Holds that a text entails only what it says word for word."""

    def probabilities(self, texts: Sequence[str], sentence: str) -> NDArray[np.float32]:
        return np.array([0.9 if sentence in text else 0.1 for text in texts], dtype=np.float32)


def test_a_quote_must_convince_the_nli_model_too() -> None:
    search = ListSearch(document("The planes carried 35 tons of cargo."))
    question = "How much cargo did the planes carry?"
    said = "The planes carried 35 tons of cargo.", "The planes carried cargo of 35 tons."
    for text, is_refused in zip(said, (False, True), strict=True):
        chat = Chat(search=search, generate=ScriptedModel(text, text, odds=-1), strictness=0)
        assert not chat.ask(question).is_refusal
        checked = Chat(
            search=search,
            generate=ScriptedModel(text, text, odds=-1),
            strictness=0,
            entailment=Doubt(),
        )
        answer = checked.ask(question)
        assert answer.is_refusal == is_refused
        assert [citation.support for citation in answer.citations] == [0.9] * (not is_refused)
