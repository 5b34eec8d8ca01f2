"""Other words for the same, by the real embedding model."""

import pytest

from index.embed import SentenceEmbedder
from rag.nearness import nearness


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_the_real_model_knows_other_words() -> None:
    claim = "The armies of both countries have trained together."
    embedder = SentenceEmbedder()
    sentence, *evidence = embedder.read(
        [
            claim,
            "The two countries engage in joint military exercises.",
            "The two countries sign many contracts about oil.",
        ]
    )
    near = nearness(claim, sentence, evidence)
    assert near.words["armi"][0] > near.words["armi"][1]
    assert near.words["train"][0] > near.words["train"][1]
