"""The probability that evidence supports a sentence, from both of their words."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.train_support import train
from index.claims import claim_of
from index.embed import SentenceEmbedder
from rag.support import Signs, nearness, signs
from tests.fakes import WordEmbedder

CLAIM = "Two planes carried 35 tons of cargo to Caracas."


def signs_of(claim: str, *evidence: str) -> Signs:
    sentence, *readings = WordEmbedder().read([claim, *evidence])
    claims = dict(enumerate(map(claim_of, evidence)))
    return signs(claim_of(claim), nearness(claim, sentence, readings), claims)


def test_a_sentence_supports_itself() -> None:
    found = signs_of(CLAIM, CLAIM)
    assert found.aligned == pytest.approx(1.0, abs=1e-4)
    assert (found.missing_numbers, found.missing_names) == (0.0, 0.0)
    assert found.probability > 0.5


@pytest.mark.parametrize(
    "evidence",
    [
        "Two planes carried 53 tons of cargo to Caracas.",
        "Two planes carried 35 tons of cargo to Havana.",
        "Two planes carried 35 tons of cargo.",
        "It rained.",
    ],
)
def test_what_the_evidence_lacks_makes_it_less_likely(evidence: str) -> None:
    assert signs_of(CLAIM, evidence).probability < signs_of(CLAIM, CLAIM).probability


def test_sentences_together_have_what_each_has() -> None:
    one, other = "Two planes carried cargo.", "The 35 tons went to Caracas."
    together = signs_of(CLAIM, one, other)
    assert together.missing_numbers == 0
    assert together.aligned > max(signs_of(CLAIM, one).aligned, signs_of(CLAIM, other).aligned)


def test_a_text_of_nothing_that_tells() -> None:
    assert signs_of("It was so.", "…").aligned == 0.0


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


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_the_weights_can_be_trained(tmp_path: Path) -> None:
    """On a few plain cases, so that the command is known to run; it writes nothing here."""
    pairs = [("supported", CLAIM), ("not_supported", "It rained in Peru all day.")]
    cases = [
        {"claim": CLAIM.replace("35", str(number)), "evidence": [text], "label": label}
        for number in (35, 35, 35, 35, 35)
        for label, text in pairs
    ]
    judged = tmp_path / "judged.jsonl"
    judged.write_text("\n".join(json.dumps(case) for case in cases))
    result = CliRunner().invoke(train, [str(judged), "--no-write"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "AUROC 1.000" in result.output
