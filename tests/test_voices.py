"""Who speaks in a text, and who is only spoken of."""

import pytest

from index.claims import words_of
from rag.voices import is_quotation, speaks


@pytest.mark.parametrize(
    ("text", "speakers", "others"),
    [
        ("Ann Bell said that Carl Dunn had left.", ["Bell"], ["Dunn"]),
        ("Bell supports Dunn, according to the letter.", ["the letter"], ["Bell", "Dunn"]),
        ("Dunn lost the vote, the letter says.", ["the letter"], ["Dunn"]),
        ("Dunn lost, says the letter, which goes on.", ["the letter"], ["Dunn"]),
        ("Ann Bell, who sold boats in Peru, wrote on Monday: “No.”", ["Bell"], ["Peru"]),
        ("On Sunday, Minister Bell met the envoy Carl Dunn and repeated it.", ["Bell"], ["Dunn"]),
        ("A member of the crew (Ann Bell) met Dunn and suggested it.", ["Bell"], []),
        ("Bell's boats were reported to have left Peru.", [], ["Bell", "Peru"]),
        ("The boats reportedly left for Peru.", [], ["Peru"]),
        ("He was called a liar by Bell.", ["Bell"], []),
        ("The name was later coined by Bell.", ["Bell"], []),
        ("“We have no boats,” said Bell.", ["Bell"], []),
        ("They came “to talk,” wrote the Peruvian agency Bell, which named nobody.", ["Bell"], []),
        ("Bell's lawyer listed them: “Boats, nets and oars.”", ["Bell's lawyer"], []),
        ("Bell has asked for Dunn's boat, claiming that it is hers.", ["Bell"], []),
        ("The plan, which Bell dismissed, is Dunn's.", ["Bell"], ["Dunn"]),
        ("He told Bell that Dunn's claim was better.", ["Dunn"], ["Bell"]),
        ("The reporter met Bell.", [], ["Bell"]),
    ],
)
def test_who_is_spoken_of_does_not_speak(text: str, speakers: list[str], others: list[str]) -> None:
    assert [name for name in speakers + others if speaks(words_of(name), text)] == speakers


def test_anybody_may_be_asked_for() -> None:
    assert speaks(frozenset(), "He called it a crime.")
    assert not speaks(frozenset(), "It went on for a year.")


def test_a_quotation_does_not_name_who_speaks() -> None:
    assert is_quotation("“We call on them to go.”")
    assert not is_quotation("“We call on them to go,” said Bell.")
    assert not is_quotation("Bell called on them to go.")
