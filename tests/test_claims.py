"""What a sentence claims: its words, numbers and names."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from index import claims
from index.claims import claim_of, covered


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("35 tons", {35}),
        ("thirty-five tons", {35}),
        ("nearly a hundred troops", {100}),
        ("nearly 100 troops", {100}),
        ("17 billion U.S. dollars", {17e9}),
        ("$17bn", {17e9}),
        ("1,250,000 people", {1250000}),
        ("3.5 million", {3.5e6}),
        ("two hundred and one of them", {200}),
        ("no one came", set()),
        ("on 12.3.2019", set()),
        ("twenty-one ships and three boats", {21, 3}),
        ("the 3rd time in 2019", {3, 2019}),
    ],
)
def test_numbers(text: str, numbers: set[float]) -> None:
    assert claim_of(text).numbers == numbers


def test_names_are_capitalised_words_inside_a_sentence() -> None:
    assert claim_of("The minister met Jorge Arreaza. Later he left Caracas.").names == {
        "jorg",
        "arreaza",
        "caraca",
    }


def test_marks_on_letters_make_no_other_name() -> None:
    assert claim_of("In Łódź and Tromsø").names == claim_of("In Lodz and Tromso").names


def test_what_stands_before_a_name_is_no_name_of_its_own() -> None:
    claim = claim_of("There President Jorge Arreaza, Minister of Peru, met Lavrov.")
    assert claim.given == {"presid", "jorg"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the United States", "the U.S."),
        ("the United Kingdom", "the UK"),
        ("the United Nations", "the U.N."),
        ("the European Union's", "the EU's"),
    ],
)
def test_a_name_and_its_initials_are_one(one: str, other: str) -> None:
    assert claim_of(f"Yesterday {one} said so.") == claim_of(f"Yesterday {other} said so.")


def test_us_is_not_us() -> None:
    assert "america" in claim_of("The U.S. army").words
    assert "america" not in claim_of("They told us nothing").words


def test_a_city_is_not_the_government_in_it() -> None:
    assert claim_of("They met in Moscow.").names == {"russia", "citi"}
    assert claim_of("They met in Moscow City.") == claim_of("They met in Moscow.")
    assert claim_of("It is backed by Moscow.").names == claim_of("It is backed by Russia.").names


@pytest.mark.parametrize(
    ("sentence", "quotes", "expected"),
    [
        ("The planes carried 35 tons of cargo.", ["The planes carried much cargo."], 0.75),
        ("The planes carried tons of cargo.", ["The planes carried cargo.", "35 tons of it."], 1),
        ("The planes landed.", [], 0),
        ("It was so.", [], 1),
    ],
)
def test_covered_is_what_the_quotes_say_too(
    sentence: str, quotes: list[str], expected: float
) -> None:
    assert covered(sentence, quotes) == pytest.approx(expected)


@pytest.mark.slow
def test_words_are_stemmed_alike_in_many_threads() -> None:
    # A stemmer holds the word that it works on: one for all threads mixes their words.
    ends = ["ing", "ed", "s", "ational", "ization", "fulness", "ability", "ers", "ly", "ement"]
    words = [f"{begin}{end}" for begin in ("land", "carri", "generat") for end in ends] * 400
    expected = {word: claims._stem(word) for word in words}
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(claims._stem, words))
    assert found == [expected[word] for word in words]


def test_who_is_said_to_do_something_does_not_say_it() -> None:
    assert claim_of("Carl Dunn has said that he left.").speakers == {"carl", "dunn"}
    for said in ("is said", "was said", "has been said", "were believed"):
        assert not claim_of(f"Carl Dunn {said} to have left.").speakers


def test_who_wrote_a_book_says_nothing() -> None:
    assert not claim_of("Carl Dunn wrote the book.").speakers
    assert claim_of("Carl Dunn wrote on Monday that it rains.").speakers == {"carl", "dunn"}
    assert claim_of("Carl Dunn called it “rain”.").speakers == {"carl", "dunn"}
