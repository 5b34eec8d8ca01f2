"""Sentences and passages: where they begin and end, exactly."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import sentence_spans
from index.split import is_boilerplate, split
from tests.fakes import document

# Texts with the things that move borders: breaks, abbreviations, marks, wide characters.
texts = st.lists(
    st.sampled_from(
        [
            "U.S. troops left. ",
            "He said “no.” ",
            "\n",
            "\n\n",
            "Share:\n",
            "# Head\n",
            "- item\n",
            "3.5 million ",
            "Да. ",
            "人。",
            "🛩️ ",
            "\ue000",
            "…",
            "a" * 90 + " ",
            "word " * 30,
            "\t",
        ]
    )
    | st.text(max_size=30),
    max_size=30,
).map("".join)


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n ", []),
        ("One. Two.", ["One.", "Two."]),
        ("The U.S. Army left. It did.", ["The U.S. Army left.", "It did."]),
        ("Dr. Smith paid $3.5 million on Jan. 5.", ["Dr. Smith paid $3.5 million on Jan. 5."]),
        ("A heading\n\nA sentence.", ["A heading", "A sentence."]),
        ("Byline\nA sentence follows it.", ["Byline", "A sentence follows it."]),
        ("- one\n- two", ["- one", "- two"]),
        ("Anna | No. 4. Dry\nIda | No. 5. Wet", ["Anna | No. 4. Dry", "Ida | No. 5. Wet"]),
        (
            "Boat: Anna; State: Dry. Sold.\nBoat: Kestrel; State: Wet",
            ["Boat: Anna; State: Dry. Sold.", "Boat: Kestrel; State: Wet"],
        ),
        (
            "He said: “No boat; no oil.” She said: “Go.”",
            ["He said: “No boat; no oil.”", "She said: “Go.”"],
        ),
        (f"Anna | Dry. {'It sank. ' * 50}", ["Anna | Dry.", *["It sank."] * 50]),
        (
            "A text that somebody wrapped by hand at a fixed\nwidth goes on in the next line.",
            ["A text that somebody wrapped by hand at a fixed\nwidth goes on in the next line."],
        ),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(texts)
def test_sentences_lose_only_white_space(text: str) -> None:
    spans = sentence_spans(text)
    assert all(left.end <= right.start for left, right in itertools.pairwise(spans))
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(texts, st.integers(20, 200))
def test_a_passage_is_the_text_at_its_place(text: str, size: int) -> None:
    source = document(text)
    passages = split(source, size=size)
    for passage in passages:
        assert source.text[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip() != ""
        assert len(passage.text) <= 1.4 * size + 1
    assert all(a.end <= b.start for a, b in itertools.pairwise(passages))


@given(st.lists(st.sampled_from(["Troops landed. ", "They left again. ", "\n\n"]), min_size=1))
def test_passages_lose_no_word(parts: list[str]) -> None:
    text = "".join(parts)
    assert " ".join(p.text for p in split(document(text), size=60)).split() == text.split()


def test_passages_break_between_sentences() -> None:
    text = "The first sentence is here. " * 20
    for passage in split(document(text), size=100):
        assert passage.text.startswith("The first")
        assert passage.text.endswith("here.")


def test_a_heading_stays_with_its_text() -> None:
    text = "The response\n\n" + "A sentence that fills the passage well. " * 8
    assert split(document(text), size=200)[0].text.startswith("The response\n\nA sentence")


@pytest.mark.parametrize(
    "line",
    [
        "Share:",
        "error: Content is protected !!",
        "Advertisement",
        "Share this article",
        "Subscribe to our newsletter",
        "Featured Image: Screenshot",
        "© 2019 A Paper",
        "Leave a reply",
    ],
)
def test_furniture_of_a_page_is_in_no_passage(line: str) -> None:
    assert is_boilerplate(line)
    passages = split(document(f"Two planes landed.\n\n{line}\nThey left."))
    assert [p.text for p in passages] == ["Two planes landed.", "They left."]


@pytest.mark.parametrize(
    "line", ["Share prices fell on Monday.", "Print runs were cut.", "Search teams found him."]
)
def test_sentences_are_not_furniture(line: str) -> None:
    assert not is_boilerplate(line)
