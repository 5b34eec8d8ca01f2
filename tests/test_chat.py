"""A conversation, with a scripted model and a small search: the flow, not the models."""

import pytest

from models.errors import QuestionError
from rag import REFUSAL, Answer, Chat, Done, Retrieved, SentenceDone, Token
from rag.prompt import Message
from tests.fakes import ListSearch, ScriptedModel, document

NEWS = document(
    "Two military planes landed outside the capital on Saturday. The planes carried 35 tons of "
    "cargo.",
    id_="news.txt",
    title="Planes land",
)
TALKS = document("The foreign ministers met in Moscow on Sunday.", id_="talks.txt")


def chat(*texts: str) -> tuple[Chat, ListSearch, ScriptedModel]:
    search, model = ListSearch(NEWS, TALKS), ScriptedModel(*texts)
    return Chat(search=search, generate=model), search, model


def test_an_answer_has_its_quotes_and_places() -> None:
    conversation, _, _ = chat("The planes carried 35 tons of cargo.")
    answer = conversation.ask("How much cargo did the planes carry?")
    assert not answer.is_refusal
    assert [c.quote for c in answer.citations] == ["The planes carried 35 tons of cargo."]
    assert (answer.citations[0].document, answer.citations[0].start) == ("news.txt", 60)
    assert str(answer) == (
        "The planes carried 35 tons of cargo. [1]\n\n"
        "[1] “The planes carried 35 tons of cargo.”\n    news.txt"
    )


def test_the_events_come_in_order_and_end_with_the_answer() -> None:
    conversation, _, _ = chat(
        "Two military planes landed on Saturday. The planes carried 35 tons of cargo."
    )
    events = list(conversation.stream("What did the planes carry?"))
    assert isinstance(events[0], Retrieved)
    assert isinstance(events[-1], Done)
    assert sum(isinstance(event, Done) for event in events) == 1
    tokens = "".join(event.text for event in events if isinstance(event, Token))
    assert tokens == events[-1].answer.text
    # The first sentence was checked before the second was written to its end.
    first = next(at for at, event in enumerate(events) if isinstance(event, SentenceDone))
    assert any(isinstance(event, Token) for event in events[first:])


def test_sentences_are_at_their_places_in_the_answer() -> None:
    conversation, _, _ = chat(
        "Two military planes landed on Saturday. Bananas are yellow fruit. "
        "The planes carried 35 tons of cargo."
    )
    answer = conversation.ask("What did the planes carry?")
    assert "Bananas" not in answer.text
    assert len(answer.sentences) == 2
    for sentence in answer.sentences:
        assert answer.text[sentence.start : sentence.end] == sentence.text


def test_what_nothing_supports_becomes_the_refusal() -> None:
    conversation, _, _ = chat("The planes carried ninety elephants to Paris.")
    answer = conversation.ask("What did the planes carry?")
    assert (answer.text, answer.is_refusal, answer.citations) == (REFUSAL, True, ())


def test_where_the_models_words_fail_those_that_it_chose_answer() -> None:
    conversation, _, model = chat("The planes carried ninety elephants to Paris.")
    model.odds = 2.0
    answer = conversation.ask("How much cargo did the planes carry?")
    assert answer.text == answer.citations[0].quote
    assert "35 tons of cargo" in answer.text


def test_what_takes_the_place_of_a_cited_draft_is_numbered_from_one() -> None:
    conversation, _, model = chat("The military planes landed.")
    model.odds = 2.0
    answer = conversation.ask("How much cargo did the planes carry?")
    assert "35 tons of cargo" in answer.text
    assert [citation.number for citation in answer.citations] == [1]


@pytest.mark.parametrize(
    ("texts", "logprobs", "odds", "said", "asked"),
    [
        (["The cargo was 35 tons.", "They carried 35 tons."], [-0.1], 0.9, 0, 1),  # it is sure
        (["The cargo was 35 tons.", "They carried 35 tons."], [-0.5, -0.1], 0.9, 1, 2),
        (["The cargo was 35 tons.", "They carried 35 tons."], [-0.5, -0.6], 0.9, 0, 2),
        (["The cargo was 35 tons.", "They carried tulips."], [-0.5, -0.1], 0.9, 0, 2),
        (["They carried tulips.", "They carried 35 tons."], [-0.1, -0.3], 0.9, 1, 2),
        (["The cargo was 35 tons.", "They carried 35 tons."], [-0.5, -0.1], -0.1, 0, 1),
        (["The cargo was 35 tons.", "The passages do not say."], [-0.5, -0.1], 0.9, 0, 2),
        (["The passages do not say. It was 35 tons.", "They carried 35 tons."], [], 0.9, 1, 2),
    ],
)
def test_an_unsure_answer_is_written_again_from_the_whole_passage(
    texts: list[str], logprobs: list[float], odds: float, said: int, asked: int
) -> None:
    model = ScriptedModel(*texts, logprobs=logprobs, odds=odds)
    conversation = Chat(search=ListSearch(NEWS, TALKS), generate=model, strictness=0)
    answer = conversation.ask("How much cargo did the planes carry?")
    assert answer.text == texts[said]
    assert len(model.asked) == asked
    if asked == 2:
        first, second = (messages[-1]["content"] for messages in model.asked)
        assert "landed outside the capital" not in first
        assert NEWS.text in second
        assert answer.timings.tokens == sum(len(text.split()) for text in texts)


def test_an_answer_can_be_stopped_while_it_is_written_again() -> None:
    model = ScriptedModel("The cargo was 35 tons.", "They carried 35 tons.", logprobs=[-0.5])
    conversation = Chat(search=ListSearch(NEWS), generate=model)
    events = conversation.stream("How much cargo did the planes carry?")
    while len(model.asked) < 2:
        next(events)
    written = model.pieces_written
    events.close()  # type: ignore[attr-defined]
    assert model.pieces_written == written < 9


def test_a_lenient_chat_keeps_its_draft_where_no_chosen_sentence_answers() -> None:
    text = "Ninety elephants."
    model = ScriptedModel(text, odds=2.0)
    conversation = Chat(search=ListSearch(NEWS), generate=model, is_lenient=True, strictness=0.0)
    assert conversation.ask("At what time did the planes land?").text == text


def test_a_refusal_in_the_models_own_words_is_the_refusal() -> None:
    conversation, _, _ = chat("The passages do not mention any cargo. It was 35 tons of cargo.")
    answer = conversation.ask("How much cargo did the planes carry?")
    assert (answer.text, answer.is_refusal) == (REFUSAL, True)


def test_the_model_is_asked_whether_the_quotes_alone_answer() -> None:
    conversation, _, model = chat("The planes carried 35 tons of cargo.")
    conversation.ask("How much cargo did the planes carry?")
    judged = [messages[-1]["content"] for messages in model.judged]
    read = "Passages:\n\nFrom “Planes land”:\nThe planes carried 35 tons of cargo.\n\nQuestion: "
    assert judged.count(f"{read}How much cargo did the planes carry?\nAnswerable?") == 1


@pytest.mark.parametrize(("odds", "is_refusal"), [(2.0, False), (-4.0, True)])
def test_a_supported_sentence_is_no_answer_if_the_model_says_so(
    odds: float, is_refusal: bool
) -> None:
    conversation, _, model = chat("The planes carried 35 tons of cargo.")
    model.odds = odds
    answer = conversation.ask("Who paid for the cargo?")
    assert answer.is_refusal == is_refusal
    assert answer.signs
    assert answer.signs.odds == odds


@pytest.mark.parametrize(("strictness", "is_refusal"), [(0.0, False), (1.0, True)])
def test_strictness_is_how_likely_an_answer_must_be(strictness: float, is_refusal: bool) -> None:
    model = ScriptedModel("The planes carried 35 tons of cargo.", odds=0.0)
    conversation = Chat(search=ListSearch(NEWS, TALKS), generate=model, strictness=strictness)
    answer = conversation.fresh().ask("How much cargo did the planes carry?")
    assert answer.is_refusal == is_refusal
    assert answer.signs
    assert 0 < answer.signs.probability < 1


def test_a_lenient_chat_marks_what_nothing_supports() -> None:
    model = ScriptedModel("The planes carried 35 tons of cargo. Bananas are yellow fruit.")
    conversation = Chat(search=ListSearch(NEWS, TALKS), generate=model, is_lenient=True)
    answer = conversation.fresh().ask("How much cargo did the planes carry?")
    assert [sentence.status for sentence in answer.sentences] == ["supported", "unsupported"]
    assert answer.text == "The planes carried 35 tons of cargo. Bananas are yellow fruit."
    assert str(answer).startswith(
        "The planes carried 35 tons of cargo. [1] Bananas are yellow fruit. [not in the documents]"
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("According to the passage, the planes carried 35 tons of cargo.",
         "The planes carried 35 tons of cargo."),
        ("The passage states that the planes carried 35 tons of cargo.",
         "The planes carried 35 tons of cargo."),
        ("- **The planes** carried 35 tons of cargo [1].", "The planes carried 35 tons of cargo."),
        ("In the planes were 35 tons of cargo.", "In the planes were 35 tons of cargo."),
    ],
)  # fmt: skip
def test_an_answer_is_plain_and_says_nothing_of_passages(written: str, said: str) -> None:
    conversation, _, _ = chat(written)
    assert conversation.ask("How much cargo did the planes carry?").text == said


def test_nothing_relevant_found_asks_no_model() -> None:
    conversation, _, model = chat()
    answer = conversation.ask("Zebras giraffes?")
    assert (answer.text, answer.is_refusal, answer.hits) == (REFUSAL, True, ())
    assert model.asked == []
    assert answer.timings.first_token is None


def test_a_follow_up_is_searched_with_what_it_points_back_to() -> None:
    conversation, search, model = chat(
        "Two military planes landed outside the capital.", "The planes carried 35 tons of cargo."
    )
    conversation.ask("How many planes landed?")
    answer = conversation.ask("And what did they carry?")
    assert search.queries[1].startswith("How many planes landed?")
    assert search.queries[1].endswith("And what did they carry?")
    assert answer.citations[0].quote == "The planes carried 35 tons of cargo."
    second = model.asked[1][-1]["content"]
    assert second.count("From “Planes land”") == 1
    assert "Before that: How many planes landed? Two military planes" in second


def test_a_follow_up_in_other_words_is_answered() -> None:
    """None of its own words stands in the evidence; what it points back to does."""
    conversation, _, _ = chat(
        "Two military planes landed outside the capital on Saturday.",
        "The planes carried 35 tons of cargo.",
    )
    conversation.ask("How many planes landed outside the capital?")
    assert not conversation.ask("And what did they bring?").is_refusal


def test_a_new_topic_is_searched_alone() -> None:
    conversation, search, _ = chat("Two military planes landed outside the capital.", REFUSAL)
    conversation.ask("How many planes landed?")
    conversation.ask("Where did the foreign ministers meet on Sunday?")
    assert search.queries[1] == "Where did the foreign ministers meet on Sunday?"


def test_conversations_do_not_mix() -> None:
    conversation, search, _ = chat("Two military planes landed.", REFUSAL)
    conversation.ask("How many planes landed?")
    conversation.fresh().ask("And what did they carry?")
    assert search.queries[1] == "And what did they carry?"


def test_a_stopped_answer_leaves_the_conversation_as_it_was() -> None:
    conversation, search, _ = chat("Two military planes landed outside the capital.", REFUSAL)
    events = conversation.stream("How many planes landed?")
    next(events)
    next(events)
    events.close()  # type: ignore[attr-defined]
    conversation.ask("And what did they carry?")
    assert search.queries[1] == "And what did they carry?"


def test_a_long_conversation_reads_no_more_than_a_short_one() -> None:
    search = ListSearch(
        *(document(f"Topic{n} is about thing{n}. " + "Padding words. " * 40, id_=f"{n}.txt")
          for n in range(12))
    )  # fmt: skip
    texts = [f"Topic{n} is about thing{n}." for n in range(12)]
    model = ScriptedModel(*texts)
    conversation = Chat(search=search, generate=model)
    for number in range(12):
        answer = conversation.ask(f"And what is that topic{number} about?")
        assert not answer.is_refusal
        assert len(model.asked[-1][-1]["content"]) < 2000


@pytest.mark.parametrize("question", ["", "   ", "\n\t"])
def test_an_empty_question_is_an_error(question: str) -> None:
    with pytest.raises(QuestionError, match="question is empty"):
        chat()[0].ask(question)


def test_a_very_long_question_is_an_error() -> None:
    with pytest.raises(QuestionError, match="10,000 words, more than the 400"):
        chat()[0].ask("word " * 10_000)


def test_a_word_without_an_end_is_an_error() -> None:
    with pytest.raises(QuestionError, match="200,000 characters, more than the 4,000"):
        chat()[0].ask("a" * 200_000)


def test_documents_indexed_anew_are_asked_from_the_next_question_on() -> None:
    conversation, search, _ = chat(
        "The planes carried 35 tons of cargo.", "The planes carried 99 tons of cargo."
    )
    assert not conversation.ask("How much cargo did the planes carry?").is_refusal
    corrected = document(NEWS.text.replace("35", "99"), id_="news.txt", title="Planes land")
    search.successor = ListSearch(corrected, TALKS)
    answer = conversation.ask("And how much cargo did they carry?")
    assert [c.quote for c in answer.citations] == ["The planes carried 99 tons of cargo."]
    assert answer.citations[0].sha256 == corrected.sha256


def test_a_question_that_asks_two_things_is_asked_of_one_generation() -> None:
    conversation, search, _ = chat(
        "The planes landed on Saturday.", "The planes carried 35 tons of cargo."
    )
    events = conversation.stream("When did the planes land and how much cargo did they carry?")
    next(events)
    search.successor = ListSearch(document("Nothing of all that.", id_="other.txt"))
    *_, last = events
    assert isinstance(last, Done)
    assert {c.document for c in last.answer.citations} == {NEWS.id}
    assert conversation.ask("How much cargo did the planes carry?").is_refusal


def test_only_some_documents_are_asked() -> None:
    conversation, _, _ = chat(*["The planes carried 35 tons of cargo."] * 9)
    asked = "How much cargo did the planes carry?"
    assert not conversation.ask(asked).is_refusal
    conversation.only([TALKS.id])
    answer = conversation.ask(f"And {asked}")  # what was read before is no evidence any more
    assert answer.is_refusal
    assert {hit.passage.document for hit in answer.hits} <= {TALKS.id}
    conversation.only(None)
    assert not conversation.ask(asked).is_refusal


def test_no_more_is_asked_than_the_chat_was_opened_with() -> None:
    narrow = ListSearch(NEWS, TALKS).only([TALKS.id])
    conversation = Chat(search=narrow, generate=ScriptedModel())
    conversation.only([TALKS.id])
    conversation.only(None)
    assert conversation.documents() == conversation.fresh().documents() == [TALKS.id]


def test_a_conversation_goes_on_after_an_answer_of_before() -> None:
    conversation, search, _ = chat(*["The planes carried 35 tons of cargo."] * 2)
    answer = conversation.ask("Which planes landed on Saturday?")
    conversation.fresh(after=answer).ask("What did they carry?")
    assert search.queries[-1].startswith("Which planes landed on Saturday?")
    conversation.fresh().ask("What did they carry?")
    assert search.queries[-1] == "What did they carry?"


def test_the_documents_can_be_listed_and_read() -> None:
    conversation, _, _ = chat()
    assert conversation.documents() == [NEWS.id, TALKS.id]
    assert conversation.document(NEWS.id) == NEWS
    assert conversation.document("other.txt") is None


def test_refusal_is_an_answer_record() -> None:
    conversation, _, _ = chat(REFUSAL)
    answer = conversation.ask("Who paid for the planes?")
    assert isinstance(answer, Answer)
    assert str(answer) == REFUSAL
    assert answer.hits


def test_of_two_questions_in_one_the_missing_one_is_named() -> None:
    conversation, search, model = chat("The planes carried 35 tons of cargo.", REFUSAL)
    answer = conversation.ask("How much cargo did the planes carry and who paid for it?")
    assert (answer.is_refusal, [s.status for s in answer.sentences]) == (
        False,
        ["supported", "missing"],
    )
    assert answer.text == (
        "The planes carried 35 tons of cargo. The documents do not say: Who paid for it?"
    )
    assert str(answer).startswith(
        "The planes carried 35 tons of cargo. [1] The documents do not say: Who paid for it?\n\n[1]"
    )
    for sentence in answer.sentences:
        assert answer.text[sentence.start : sentence.end] == sentence.text
    assert "35 tons of cargo" in model.asked[1][-1]["content"]  # “it” is what stands before
    assert len(search.queries) == 2


def test_two_questions_in_one_number_their_quotes_on() -> None:
    conversation, _, _ = chat(
        "The planes carried 35 tons of cargo.", "The foreign ministers met in Moscow."
    )
    answer = conversation.ask("What did the planes carry and where did the ministers meet?")
    assert [[c.number for c in s.citations] for s in answer.sentences] == [[1], [2]]
    assert answer.timings.tokens == 13


def test_two_questions_without_an_answer_are_one_refusal() -> None:
    conversation, _, _ = chat()
    answer = conversation.ask("What did the planes carry and where did the ministers meet?")
    assert (answer.text, answer.sentences, answer.is_refusal) == (REFUSAL, (), True)


def test_what_is_stopped_in_its_second_part_was_not_asked() -> None:
    conversation, search, _ = chat("The planes carried 35 tons of cargo.", "The ministers met.")
    events = conversation.stream("What did the planes carry and where did the ministers meet?")
    assert sum(isinstance(next(events), Retrieved) for _ in range(12)) == 2
    events.close()  # type: ignore[attr-defined]
    conversation.ask("And who sent them?")
    assert "planes" not in search.queries[-1]


def test_what_was_read_ahead_is_not_done_again() -> None:
    conversation, search, model = chat("The planes carried 35 tons of cargo.")
    question = "How much cargo did the planes carry?"
    conversation.read_ahead(f" {question} ", is_wanted=lambda: True)
    judged, queries = len(model.judged), list(search.queries)
    assert judged > 0
    assert queries == [question]
    answer = conversation.ask(question)
    assert answer.text == "The planes carried 35 tons of cargo."
    assert search.queries == queries
    assert len(model.judged) == judged
    assert model.read_before == model.asked  # the very prompt that the answer is written from
    fresh, _, _ = chat("The planes carried 35 tons of cargo.")
    assert fresh.ask(question).sentences == answer.sentences


def test_another_question_than_the_one_read_for_is_answered_as_ever() -> None:
    conversation, search, _ = chat("The foreign ministers met in Moscow.")
    conversation.read_ahead("How much cargo did the planes carry?", is_wanted=lambda: True)
    assert "Moscow" in conversation.ask("Where did the foreign ministers meet?").text
    assert len(search.queries) == 2


def test_what_a_follow_up_begins_with_is_read_before_anything_is_asked() -> None:
    conversation, _, model = chat("The planes carried 35 tons of cargo.", "They came on Saturday.")
    conversation.read_ahead("", is_wanted=lambda: True)
    assert model.read_before == []  # nothing was asked before
    conversation.ask("How much cargo did the planes carry?")
    conversation.read_ahead("", is_wanted=lambda: False)
    assert model.read_before == []
    conversation.read_ahead("", is_wanted=lambda: True)
    before, *likely = model.read_before
    assert "35 tons" in before[-1]["content"]
    judged, asked = len(model.judged), len(model.asked)
    conversation.ask("On which day did they land?")
    assert all(begins(messages, before) for messages in model.judged[judged:])
    assert any(begins(model.judged[judged], one) for one in likely)
    assert any(begins(model.asked[asked], one) for one in likely)


def begins(messages: list[Message], beginning: list[Message]) -> bool:
    (*known, last), (*rules, asked) = beginning, messages
    return rules == known and asked["content"].startswith(last["content"])


def test_reading_for_a_follow_up_ends_between_two_sentences() -> None:
    conversation, _, model = chat("The planes carried 35 tons of cargo.")
    conversation.ask("How much cargo did the planes carry?")
    conversation.read_ahead("", is_wanted=lambda: len(model.read_before) < 2)
    assert len(model.read_before) == 2


def test_reading_ahead_ends_when_it_is_not_wanted_any_more() -> None:
    conversation, _, model = chat()
    conversation.read_ahead(
        "How much cargo did the planes carry?", is_wanted=lambda: not model.judged
    )
    assert len(model.judged) == 1
    assert model.read_before == []
    for nothing in ("", "word " * 500, "Which documents are there?"):
        conversation.read_ahead(nothing, is_wanted=lambda: True)
    assert len(model.judged) == 1
