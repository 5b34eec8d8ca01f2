"""Which sentences an answer is written from, by rank and by the model's word."""

from collections.abc import Generator

from index.records import Document
from rag.choose import Judge, choose
from rag.generate import Piece
from rag.prompt import Message
from tests.fakes import document, evidences_of

NEWS = document(
    "Two planes landed on Saturday. The planes carried troops. The planes carried cargo of 35 "
    "tons. Nobody saw the planes leave."
)
QUESTION = "What did the planes carry?"


class Believer:
    """Says yes where a text stands in what it is asked about, and no elsewhere."""

    name = "believer"

    def __init__(self, *texts: str, word: float = 2.0) -> None:
        self._texts = texts
        self._word = word
        self.asked: list[str] = []

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        yield Piece("", ())

    def read(self, messages: list[Message], *, place: str | None = None) -> None:
        pass

    def yes(self, messages: list[Message]) -> float:
        self.asked.append(messages[-1]["content"])
        return self._word if any(text in self.asked[-1] for text in self._texts) else -2.0


def chosen(model: Believer, *documents: Document) -> list[str]:
    judge = Judge(model, QUESTION, [])
    return [item.text for item in choose(evidences_of(*documents), judge).evidence]


def test_the_models_word_counts_more_than_the_rank() -> None:
    assert chosen(Believer("35 tons"), NEWS) == ["The planes carried cargo of 35 tons."]
    assert chosen(Believer("troops"), NEWS) == ["The planes carried troops."]


def test_all_that_answer_are_read() -> None:
    assert set(chosen(Believer("35 tons", "troops", word=0.5), NEWS)) == {
        "The planes carried cargo of 35 tons.",
        "The planes carried troops.",
    }


def test_nothing_is_asked_about_after_a_clear_answer() -> None:
    clear, unclear = Believer("The planes carried"), Believer("The planes carried", word=0.5)
    first, *others = chosen(unclear, NEWS)
    assert others
    assert chosen(clear, NEWS) == [first]
    assert clear.asked == unclear.asked[:1]


def test_the_nearest_is_read_if_none_answers() -> None:
    ((_, nearest),) = evidences_of(NEWS).nearest([QUESTION], limit=1)
    assert chosen(Believer(), NEWS) == [nearest.text]


def test_of_one_that_is_alone_nothing_is_asked_before_it_matters() -> None:
    model = Believer("35 tons")
    evidences = evidences_of(document("Cargo of 35 tons was carried by the planes."))
    choice = choose(evidences, Judge(model, QUESTION, []))
    assert [item.text for item in choice.evidence] == [
        "Cargo of 35 tons was carried by the planes."
    ]
    assert not model.asked
    assert choice.is_answer
    assert len(model.asked) == 1


def test_nothing_is_chosen_where_nothing_was_found() -> None:
    assert chosen(Believer("35 tons")) == []
    assert not choose(evidences_of(), Judge(Believer(), QUESTION, [])).is_answer


def test_a_follow_up_does_not_wait_for_what_is_far_behind() -> None:
    alone, leaning = (Believer("35 tons", word=0.9) for _ in range(2))
    before = ["Which planes carried cargo of 35 tons?"]
    first = chosen(alone, NEWS)
    judge = Judge(leaning, QUESTION, before)
    assert [item.text for item in choose(evidences_of(NEWS), judge).evidence] == first
    assert 0 < len(leaning.asked) < len(alone.asked)


def test_few_sentences_are_asked_about() -> None:
    many = document(" ".join(f"The planes carried thing{n}." for n in range(40)))
    model = Believer("carried", word=0.5)
    assert len(chosen(model, many)) == 3
    assert len(model.asked) == 6


def test_of_the_same_the_model_is_asked_once() -> None:
    model = Believer("35 tons")
    evidences = evidences_of(NEWS)
    judge = Judge(model, QUESTION, [])
    choice = choose(evidences, judge)
    assert (choice.odds, choice.is_answer) == (2.0, True)
    asked = len(model.asked)
    assert judge.odds(evidences.quotes(choice.evidence)) == 2.0
    assert len(model.asked) == asked


def test_what_answered_the_last_question_is_not_first_again() -> None:
    last, answer = "When did the planes land?", "Two planes landed on Saturday."
    judge = Judge(Believer(), "And who saw them leave?", [last, answer])
    choice = choose(evidences_of(NEWS), judge)
    assert choice.evidence[0].text == "Nobody saw the planes leave."
