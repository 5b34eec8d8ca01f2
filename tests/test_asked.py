"""What kind of thing is asked for, and whether an answer gives one that its quotes hold."""

import time

import pytest

from rag.asked import fits


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("How many tons did they carry?", "They carried 35 tons.", True),
        ("How many tons did they carry?", "They carried cargo.", False),
        ("How many soldiers were on the planes?", "Two planes came.", False),
        ("How many soldiers were on the planes?", "Two planes with 90 soldiers came.", True),
        ("How many Venezuelans left?", "Two million people left.", True),
        ("How many people struggle?", "Millions of people struggle.", True),
        ("How many people came?", "Fewer people came after that.", False),
        ("Which journalist met Guaido?", "The journalist met Juan Guaido.", False),
        ("When did the planes land?", "They landed on Saturday.", True),
        ("When did the planes land?", "They landed near the capital.", False),
        ("In which month of 2019 did they land?", "They landed in 2019.", False),
        ("What year did they land?", "They landed in 2019.", True),
        ("Who was on the plane?", "Vasily Tonkoshkurov was on the plane.", True),
        ("Who is the U.S. Secretary of State?", "The U.S. Secretary of State.", False),
        ("Which BBC journalist met him?", "The BBC journalist met him on Sunday.", False),
        ("Which general was on board?", "General Tonkoshkurov was on board.", True),
        ("Where were the exercises held?", "The exercises were held in recent months.", False),
        ("Where were the exercises held?", "The exercises were held near Caracas.", True),
        ("Where did they meet?", "They met on Sunday.", False),
        ("Where did they meet?", "At the airport.", True),
        ("Where did they meet?", "Caracas.", True),
        ("Where did he plan to flee?", "He was said to plan to flee to Cuba.", True),
        ("Why did they land?", "They landed.", False),
        ("Why did they land?", "They landed to discuss contracts.", True),
        ("Why is it hard to tell how big the army is?", "Its size is kept secret.", True),
        ("What does Russia sell to Venezuela?", "Russia sells to Venezuela.", False),
        ("What do the people who stay hope for?", "They hope for a quiet winter.", True),
        ("Who are the officers?", "The officers are advisers.", True),
        ("Who had he met when he landed?", "He had met the Russian envoy.", True),
        ("Did they land when it was dark?", "Yes, they landed.", True),
        ("How rich in oil is the country?", "The country is rich in oil.", True),
        ("How did they land?", "They did land.", False),
        ("How did they land?", "They landed by night.", True),
        ("They landed at dawn, after which it rained.", "They landed at dawn.", True),
        ("and on which day did they land", "They did land.", False),
        ("How old is the general?", "He is 57 years old.", True),
        ("How old is the general?", "He is an old general.", False),
        ("How long did they stay?", "They stayed for several months.", True),
        ("How long did they stay?", "They have stayed since Saturday.", True),
        ("How long did they stay?", "They stayed on Saturday.", False),
        ("How long ago did they land?", "They landed last year.", True),
        ("At what time did they land?", "They landed at 14:30.", True),
        ("At what time did they land?", "They landed on Saturday.", False),
        ("Which model of bomber came?", "Two long-range bombers came.", False),
        ("Which model of bomber came?", "Two Tu-160 bombers came.", True),
        ("Which companies did they punish?", "They punished companies in oil.", False),
        ("Which companies did they punish?", "They punished Rosneft.", True),
        ("Who is the chief of the army?", "The chief of the army is Jorge.", True),
        ("Who is Maduro's chief of staff?", "The chief of staff is Jorge.", True),
        ("What is the inflation rate?", "There is hyperinflation.", False),
        ("What is the inflation rate?", "Inflation is at 900 percent.", True),
        ("In which city did they meet?", "They met Jorge on Sunday.", False),
        ("In which city did they meet?", "They met in Caracas.", True),
        ("What do analysts say about war?", "Analysts say it is no answer.", True),
        (
            "What did Jorge say about the war?",
            "It should counter Peru, which threatens Jorge.",
            False,
        ),
        ("What did Jorge say about the war?", "It was a crime, according to Jorge.", True),
        ("What did Jorge say about the war?", "“It was a crime.”", True),
        ("What did Jorge say about Ann Bell?", "Jorge said that Bell was right.", True),
        ("What did Jorge say about Ann Bell?", "Jorge said that she was right.", True),
        ("What did Jorge say about Ann Bell?", "Jorge said that rain was near.", False),
        ("What does the author say about the war?", "It was a crime.", True),
        ("What did he say about the war?", "He called it a crime.", True),
        ("What did he say about the war?", "It went on for a year.", False),
        ("What is the name of the general?", "The general said: “Make peace.”", False),
        ("What is the name of the general?", "The general “of peace” is Jorge.", True),
        ("Why do critics call it a failure?", "Some critics argue that it is a failure.", False),
        ("What caused the blackouts?", "Blackouts and shortages mark the crisis.", False),
        ("What caused the blackouts?", "Blackouts are due to floods.", True),
        ("What caused the blackouts?", "Floods were a factor in the blackouts.", True),
        ("What caused the blackouts?", "The blackouts closed a factory.", False),
        ("Who said that bread is dear?", "“I think bread is dear.”", False),
        ("Who said that bread is dear?", "“Bread is dear”, the baker said.", True),
    ],
)
def test_an_answer_is_of_the_kind_that_was_asked_for(
    question: str, answer: str, expected: bool
) -> None:
    assert fits(question, answer, [answer]) is expected


@pytest.mark.parametrize(
    ("question", "answer", "quote"),
    [
        (
            "How long did they stay?",
            "They stayed for several months.",
            "In recent months they came.",
        ),
        (
            "When did they land?",
            "They landed in the evening of a Sunday.",
            "They landed on Saturday.",
        ),
        ("How many came?", "Several people came.", "People came."),
        ("Where did they land?", "They landed in Caracas.", "They landed."),
        (
            "Who is the defense minister of Cuba?",
            "The defense minister is Jorge.",
            "Jorge is the foreign minister.",
        ),
        (
            "Who is Maduro's vice president?",
            "Maduro's vice president is Juan.",
            "Juan is to be the president.",
        ),
        ("Why did they land?", "They landed for fuel.", "They landed."),
    ],
)
def test_what_is_asked_for_must_stand_in_a_quote(question: str, answer: str, quote: str) -> None:
    assert fits(question, answer, [answer])
    assert not fits(question, answer, [quote])


def test_what_the_question_before_says_is_no_news() -> None:
    asked, answer = "Whom did he meet?", "Lavrov met in private."
    assert fits(asked, "Lavrov met Arreaza.", ["Lavrov met Arreaza."], before="What did Lavrov do?")
    assert not fits(asked, "Lavrov did meet.", ["Lavrov did meet."], before="What did Lavrov do?")
    assert fits(asked, answer, [answer])


def test_long_questions_are_read_at_once() -> None:
    """A pattern that tries every way to part a word would take longer than anyone waits."""
    for question in (f"Who is {'long' * 20}?", f"Who was {'the long ' * 40}man?", "what is " * 60):
        started = time.monotonic()
        fits(question, "Jorge.", ["Jorge."])
        assert time.monotonic() - started < 1


@pytest.mark.parametrize(("said", "expected"), [(0.9, True), (0.6, False)])
def test_a_yes_must_be_said(said: float, expected: bool) -> None:
    answer = "Yes, Trump has ruled out war."
    assert fits("Has Trump ruled out war?", answer, ["Trump spoke."], said=said) is expected


@pytest.mark.parametrize(("said", "expected"), [(0.9, True), (0.6, False)])
def test_what_somebody_said_may_stand_there_in_other_words(said: float, expected: bool) -> None:
    question, quotes = "Who said that bread is dear?", ["Lavrov called loaves costly."]
    assert fits(question, "Lavrov said bread is dear.", quotes, said=said) is expected
    assert not fits(question, "Lavrov called for peace.", quotes, said=said)


def test_a_chosen_sentence_may_call_what_is_counted_by_another_name() -> None:
    question, said = "How many soldiers were there?", "About 90 troops came."
    assert not fits(question, said, [said])
    assert fits(question, said, [said], is_chosen=True)


def test_what_the_question_denies_must_not_be_said() -> None:
    question = "Who was not a member of the council?"
    assert not fits(question, "Ann was not a member.", ["Ann was a member of the council."])
    assert fits(question, "Ann was not a member.", ["Ann was not a member of the council."])
    assert fits(question, "Ann was never one.", ["Ann never sat there."])


def test_a_role_may_stand_in_a_quote_without_its_vague_word() -> None:
    quotes = ["It has a strong rivalry against Cornell."]
    assert fits("Who is the primary rival of the team?", "Its rival is Cornell.", quotes)
    assert not fits("Who is the chief rival of the team?", "Its rival is Cornell.", quotes)
    assert not fits("Who is the former rival of the team?", "Its rival is Cornell.", quotes)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Why didn't Russia recognise Guaido?", "Russia backs Maduro because of its loans."),
        ("What couldn't Maduro pay for?", "Maduro could not pay for food."),
        ("Why did they ask whether or not Trump comes?", "Trump comes on Monday, they fear."),
        ("Which country has no army?", "Costa Rica abolished its army."),
        ("Which minister did not attend?", "All ministers attended the meeting but Ann Bell."),
        ("Whom did Russia not recognise?", "Russia does not recognise Guaido."),
        ("What did Rome fail to do for workers?", "Rome failed to insure workers."),
    ],
)
def test_what_a_question_denies_may_be_said_in_many_ways(question: str, said: str) -> None:
    assert fits(question, said, [said])
