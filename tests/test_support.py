"""What supports a sentence, and how likely: with a stand-in for the embedding model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.train_support import train
from index.claims import claim_of
from index.records import Document
from rag.cite import Footnotes
from rag.nearness import nearness
from rag.records import Sentence
from rag.support import SUPPORTED, Signs, signs
from tests.fakes import Thesaurus, WordEmbedder, check_of, document

NEWS = document(
    "Two planes landed outside the capital on Saturday. They carried nearly a hundred troops and "
    "35 tons of cargo. Nobody knows what the cargo was.\n\nThe minister met his counterpart on "
    "Sunday. He called the visit routine.",
    id_="news.txt",
)
LETTER = document(
    "Our reporter counted two planes. They carried 35 tons of cargo.",
    id_="letter.txt",
)


def check(
    text: str,
    *,
    question: str = "",
    among: tuple[Document, ...] = (NEWS, LETTER),
    embedder: WordEmbedder | None = None,
) -> Sentence:
    documents = {d.id: d for d in among}
    supports = check_of(*among, embedder=embedder).support(text, question=question)
    return Footnotes(documents.get).check(text, supports, start=0)


def test_a_first_name_may_stand_beside_the_quote() -> None:
    """But not a surname, and not a first name that the passage does not have."""
    text = "Jorge Arreaza landed in Caracas on Monday. Arreaza bought nine old ships from Peru."

    def statuses(name: str) -> str:
        said = f"In fact {name} bought nine old ships from Peru."
        return check(said, question="Who bought the ships?", among=(document(text),)).status

    assert statuses("Jorge Arreaza") == "supported"
    assert statuses("Pedro Arreaza") != "supported"
    assert statuses("Jorge Perez") != "supported"


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        (
            "The planes carried nearly 100 troops.",
            "They carried nearly a hundred troops and 35 tons of cargo.",
        ),
        ("The planes landed outside the capital on Saturday.",
         "Two planes landed outside the capital on Saturday."),
        ("The minister met his counterpart on Sunday.",
         "The minister met his counterpart on Sunday."),
    ],
)  # fmt: skip
def test_a_supported_sentence_cites_the_sentence_that_says_it(text: str, quote: str) -> None:
    sentence = check(text)
    assert sentence.status == "supported"
    assert sentence.citations[0].quote == quote


def test_a_citation_is_the_documents_text_at_its_place() -> None:
    for citation in check("They carried 35 tons of cargo.").citations:
        source = {d.id: d for d in (NEWS, LETTER)}[citation.document]
        assert source.text[citation.start : citation.end] == citation.quote
        assert citation.sha256 == source.sha256


def test_every_document_that_says_it_is_cited() -> None:
    citations = check("They carried 35 tons of cargo.").citations
    assert {c.document for c in citations} == {"news.txt", "letter.txt"}
    assert [c.number for c in citations] == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "They carried 53 tons of cargo.",
        "They carried nearly a thousand troops.",
        "The minister met Jorge Arreaza on Sunday.",
        "Bananas grow in warm countries.",
        "",
        "…",
    ],
)
def test_what_no_document_says_is_not_supported(text: str) -> None:
    sentence = check(text)
    assert sentence.status != "supported"


def test_a_number_of_the_question_may_stand_beside_the_quote() -> None:
    sentence = check(
        "The two planes carried nearly a hundred troops and 35 tons of cargo.",
        question="What did the two planes carry?",
    )
    assert sentence.status == "supported"
    assert sentence.citations[0].quote.startswith("They carried nearly a hundred troops")


def test_a_number_of_the_answer_must_stand_in_the_quote() -> None:
    sentence = check("The minister met his two counterparts on Sunday.", question="Who met whom?")
    assert sentence.status != "supported"


def test_a_number_of_the_question_that_no_passage_has_is_not_supported() -> None:
    asked = "How much cargo did the 52 planes carry?"
    assert check("The 52 planes carried 35 tons of cargo.", question=asked).status != "supported"


def test_a_further_document_is_cited_only_if_it_says_all_of_it() -> None:
    documents = tuple(
        document(f"The {which} planes of the army carried 35 tons of cargo.", id_=id_)
        for id_, which in [("old.txt", "old"), ("also.txt", "few old"), ("new.txt", "new")]
    )
    citations = check("The old planes carried 35 tons of cargo.", among=documents).citations
    assert {c.document for c in citations} == {"old.txt", "also.txt"}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("The alliance of the two capitals is not new.", "supported"),
        ("The alliance of the two capitals isn't new.", "supported"),
        ("The alliance of the two capitals is new.", "unsupported"),
        ("The general never ruled out an attack.", "supported"),
        ("The general ruled out an attack.", "unsupported"),
        ("The mayor ruled out a strike.", "unsupported"),
        ("The ships did not carry cargo.", "unsupported"),
        ("The ships carry not only cargo.", "supported"),
        ("The mayor threatened his guests.", "supported"),
        ("The envoy has ruled out a war.", "unsupported"),
        ("The envoy has not ruled out a war.", "supported"),
        ("No, the mayor threatened his guests.", "supported"),
        ("The bank does business with us.", "unsupported"),
        ("No. The general ruled out an attack.", "unsupported"),
        ("Yes, the loans have been enough to mend the bridge.", "unsupported"),
        ("The loans have not been enough to mend the bridge.", "supported"),
    ],
)
def test_what_a_document_denies_is_not_said(said: str, status: str) -> None:
    text = (
        "The alliance of the two capitals isn’t really new. The general has not ruled out an "
        "attack. The ships carry cargo. The mayor refused to rule out a strike. "
        "The mayor threatened his guests, but did not threaten us. "
        "The envoy refused to rule out a war while backing the rival. "
        "However, these loans have not been enough to mend the bridge. "
        "The bank refused to do business with us."
    )
    assert check(said, among=(document(text),)).status == status


@pytest.mark.parametrize(
    ("said", "is_said"),
    [
        ("The firm has 17 billion dollars in its hundred accounts.", True),
        ("The firm has $17bn in its 100 accounts.", True),
        ("The firm has 17 billion tons in its hundred accounts.", False),
        ("The firm has held $17bn in its accounts for 100 years.", False),
    ],
)
def test_a_number_is_that_of_its_unit(said: str, is_said: bool) -> None:
    text = "The firm has 17 billion U.S. dollars in its 100 accounts."
    assert (check(said, among=(document(text),)).status == "supported") == is_said


def test_two_sentences_together_can_support_one() -> None:
    sentence = check("Two planes landed outside the capital on Saturday with 35 tons of cargo.")
    assert sentence.status == "supported"
    (citation,) = sentence.citations
    assert (citation.quote[:10], citation.quote[-14:]) == ("Two planes", "tons of cargo.")


def test_two_sentences_that_something_parts_are_two_quotes() -> None:
    text = (
        "Two planes landed outside the capital on Saturday.\n\nShare\n\nThey had 35 tons of cargo."
    )
    sentence = check(
        "Two planes landed outside the capital on Saturday with 35 tons of cargo.",
        among=(document(text),),
    )
    assert [c.quote[:10] for c in sentence.citations] == ["Two planes", "They had 3"]


def test_a_fragment_is_read_with_its_question() -> None:
    sentence = check("35 tons.", question="How much cargo did they carry?")
    assert "35 ton" in sentence.citations[0].quote


def test_a_fragment_is_read_with_the_question_that_its_own_leans_on() -> None:
    (best, *_) = check_of(NEWS, LETTER).support(
        "On Saturday.", question="On what day?", before="How many planes landed?"
    )
    assert best.evidence[0].text.startswith("Two planes landed outside the capital on Saturday")
    assert best.score >= SUPPORTED


def test_a_word_of_the_question_may_be_said_in_another() -> None:
    text, question = "The freight weighed 35 tons.", "What was the weight of the freight?"
    assert check(text, question=question).status != "supported"
    knowing = Thesaurus("cargo freight", "carried weighed")
    sentence = check(text, question=question, embedder=knowing)
    assert sentence.status == "supported"
    assert all("35 tons of cargo" in citation.quote for citation in sentence.citations)


def test_a_word_of_the_answer_may_not() -> None:
    checked = check_of(NEWS, embedder=Thesaurus("minister envoy"))
    question = "Who met his counterpart on Sunday?"
    (known, *_) = checked.support("The minister met his counterpart.", question=question)
    (other, *_) = checked.support("The envoy met his counterpart.", question=question)
    assert known.score > other.score


def test_what_a_question_leaves_open_must_be_said_itself() -> None:
    text, question = "The rebels are losing support.", "Are the rebels gaining or losing support?"
    knowing = Thesaurus("losing gaining")
    among = (document(text), NEWS, LETTER)
    said = check(text, question=question, among=among, embedder=knowing)
    other = check(text.replace("los", "gain"), question=question, among=among, embedder=knowing)
    assert (said.status, other.status) == ("supported", "unsupported")


def test_the_word_of_the_question_that_is_said_least_is_told() -> None:
    checked = check_of(NEWS, embedder=Thesaurus("cargo freight"))
    question = "Who greeted the minister and his freight on Sunday?"
    (other, *_) = checked.support("His counterpart greeted the minister.", question=question)
    (said, *_) = checked.support("His counterpart met the minister.", question=question)
    (like, *_) = checked.support("They carried 35 tons of freight.", question=question)
    assert (other.spoken, said.spoken, like.spoken) == (0.0, 1.0, 1.0)


def test_that_something_was_held_need_not_be_said() -> None:
    text = "He claimed the office after a controversial January election."
    said = "The controversial election was held in January."
    assert check(said, among=(document(text),)).status == "supported"


def test_a_name_of_the_question_that_no_passage_has_is_not_supported() -> None:
    asked = "How many planes has China sent?"
    assert check("China has sent two planes with cargo.", question=asked).status != "supported"


def test_a_heading_inside_a_document_is_no_evidence() -> None:
    text = "# The visit\n\nTwo planes landed.\n\n## What the envoy reported\n\nIt rained."
    assert not check("The envoy reported.", among=(document(text),)).citations


CLAIMS = document(
    "Anna Bell and Carl Dunn spoke on Sunday. Carl Dunn said that the harbour will be closed in "
    "March. He said that the fees will rise. Carl Dunn owns the harbour's only crane, the letter "
    "says.",
    id_="claims.txt",
)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Carl Dunn said that the harbour will be closed in March.", "supported"),
        ("Anna Bell said that the harbour will be closed in March.", "partly"),
        ("Anna Bell has warned that the harbour will be closed in March.", "partly"),
        ("Carl Dunn said that the fees will rise.", "supported"),
        ("Carl Dunn owns the harbour's only crane.", "supported"),
        ("Carl Dunn said that he owns the harbour's only crane.", "partly"),
        ("Carl Dunn explained that he owns the only crane of the harbour.", "unsupported"),
    ],
)
def test_nobody_says_what_another_said(said: str, status: str) -> None:
    asked = "What did Anna Bell and Carl Dunn say of the harbour and the fees?"
    assert check(said, question=asked, among=(CLAIMS,)).status == status


def test_a_neighbour_is_cited_too_where_it_says_much_more() -> None:
    aid = document(
        "The state backed the farmers with money and advice. The aim of the help was to let the "
        "farmers organise their own markets.",
        id_="aid.txt",
    )
    said = "The state helped with money and advice, to let the farmers organise their own markets."
    (citation,) = check(said, question="How did the state help?", among=(aid,)).citations
    assert citation.quote == aid.text


# --- the probability ---

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
