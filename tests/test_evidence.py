"""What of the retrieved passages is worth reading."""

import pytest

from rag.evidence import Evidences
from tests.fakes import Thesaurus, document, evidences_of

NEWS = document(
    "Two planes landed outside the capital on Saturday. They carried nearly a hundred troops and "
    "35 tons of cargo. Nobody knows what the cargo was.\n\nThe minister met his counterpart on "
    "Sunday. He called the visit routine.",
    id_="news.txt",
)

TITLED = document(
    "# Planes land\n\nTwo planes land. It rained. They carried cargo in planes. It snowed.",
    id_="titled.txt",
    title="Planes land",
)


def nearest(question: str, evidences: Evidences, *, limit: int) -> list[str]:
    return [item.text for _, item in evidences.nearest([question], limit=limit)]


def test_the_nearest_sentences_come_first_and_titles_never() -> None:
    evidences = evidences_of(TITLED, NEWS)
    (best,) = nearest("Do two planes land?", evidences, limit=1)
    assert best == "Two planes land."
    more = nearest("Do two planes land?", evidences, limit=50)
    assert more[0] == best
    assert "It snowed." not in more  # far behind
    assert not any(text.startswith("#") for text in more)


def test_a_sentence_in_other_words_is_near() -> None:
    evidences = evidences_of(TITLED, embedder=Thesaurus("cargo freight", "planes aircraft"))
    assert nearest("What freight was in the aircraft?", evidences, limit=1) == [
        "They carried cargo in planes."
    ]


def test_how_near_quotes_are_to_the_words_of_a_question() -> None:
    evidences = evidences_of(NEWS, embedder=Thesaurus("planes aircraft"))
    landed, carried, *_ = evidences.items
    question = "What aircraft landed on Saturday?"
    near = evidences.aligned(question, [landed])
    assert near == pytest.approx(1.0, abs=0.01)
    assert evidences.aligned(question, [carried]) < near
    assert evidences.aligned(question, [carried, landed]) == pytest.approx(near)
    assert evidences.aligned(question, []) == 0


def test_nothing_is_near_where_nothing_was_found() -> None:
    assert evidences_of().nearest(["Do two planes land?"], limit=3) == []


def test_what_follows_a_sentence_stands_in_the_same_passage() -> None:
    evidences = evidences_of(TITLED, NEWS)
    following = {one.text: evidences.after(one) for one in evidences.items}
    carried, planes = following["It rained."], following["Two planes land."]
    assert carried
    assert planes
    assert (planes.text, carried.text) == ("It rained.", "They carried cargo in planes.")
    assert following["It snowed."] is None  # the last of its document
    assert following["He called the visit routine."] is None  # the last of all


def test_what_leans_on_a_sentence_is_read_with_it() -> None:
    evidences = evidences_of(TITLED, NEWS)
    (_, cargo), *_ = evidences.nearest(["What cargo did they carry in planes?"], limit=1)
    (excerpt,) = evidences.in_context([cargo])
    assert excerpt.text == "It rained. They carried cargo in planes."
    (_, landing), *_ = evidences.nearest(["Do two planes land?"], limit=1)
    (excerpt,) = evidences.in_context([cargo, landing])
    assert excerpt.text == "Two planes land. It rained. They carried cargo in planes."


def test_an_endless_sentence_is_read_in_part() -> None:
    evidences = evidences_of(document("planes: " + "and more and more " * 60, id_="row.txt"))
    ((_, row),) = evidences.nearest(["planes?"], limit=1)
    (excerpt,) = evidences.in_context([row])
    assert len(excerpt.text) == 501
    assert excerpt.text.endswith("…")
