"""The briefings in corpus/, held against the source texts they rest on.

Each briefing names its source, and no two name the same one. Where the source texts lie beside
the checkout, three more things hold: a briefing shares no run of eight words with any source,
direct quotations and titles aside; what stands between quotation marks is in its source word for
word; and every number and every name of the source is in the briefing that rests on it.
"""

import re
from itertools import groupby
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[1] / "corpus"
SOURCES = Path(__file__).parents[2] / "shared" / "corpus"
BRIEFINGS = sorted(CORPUS.glob("*.md"))
RUN = 8  # words in a row; two texts which share that many were not written independently

SOURCE_LINE = re.compile(r"^Source: (\S+\.txt)$", re.MULTILINE)
QUOTED = re.compile(r"“[^”]*”")
NUMBER = re.compile(r"\d+")

# A line begins a sentence, and so does whatever follows a full stop or an opening quotation mark.
# "U.S." ends in a full stop too, but the "President" after it is in the middle of a sentence.
SENTENCE_START = re.compile(r"(?:^\W*|(?<!U\.S)[.!?]['\"”’)]*\s+|(?<!\w)[\"“])(?=\w)", re.MULTILINE)
CAPITALISED = r"(?:U\.S\.|[A-Z]\w*)"
NAME = re.compile(rf"(?<!\w){CAPITALISED}(?: {CAPITALISED})*")

NOT_NAMES = frozenset(
    {
        # words of headings, which are set with a capital each
        *("About", "Care", "Closer", "Conclusion", "Cooperation", "Does", "Hold", "Impact"),
        *("Look", "Response", "The", "Future"),
        # a sentence's opening, set in capitals throughout
        *("ARMED", "FORCES"),
        # the briefings write "U.S." or "United States"
        "US",
    }
)


def words(text: str) -> list[str]:
    """The words of a text in lower case, with one kind of apostrophe."""
    return re.findall(r"\w+", text.replace("’", "'").lower())


def runs_of_words(text: str, length: int = RUN) -> set[tuple[str, ...]]:
    """Every run of so many consecutive words of a text."""
    found = words(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def own_runs(text: str) -> set[tuple[str, ...]]:
    """The runs of a text's own words: no run is inside a quotation, and none reaches across one."""
    return set[tuple[str, ...]]().union(*map(runs_of_words, QUOTED.split(text)))


def names(text: str) -> set[str]:
    """Capitalised words in the middle of sentences, neighbours taken together as one name."""
    starts = {match.end() for match in SENTENCE_START.finditer(text)}
    found: set[str] = set()
    for match in NAME.finditer(text):
        parts = match.group().split(" ")
        if match.start() in starts:
            parts = parts[1:]
        for common, group in groupby(parts, key=NOT_NAMES.__contains__):
            if not common:
                found.add(" ".join(group))
    return found


def source_of(briefing: Path) -> str:
    """The file name in the briefing's source line, of which there is exactly one."""
    (name,) = SOURCE_LINE.findall(briefing.read_text(encoding="utf-8"))
    return str(name)


def body_of(briefing: Path) -> str:
    """The briefing without its source line, whose digits and words are no content."""
    return SOURCE_LINE.sub("", briefing.read_text(encoding="utf-8"))


@pytest.fixture
def sources() -> dict[str, str]:
    """The source texts by file name; the test is skipped where they are not at hand."""
    if not SOURCES.is_dir():
        pytest.skip("the source texts are not beside the checkout")
    texts = {path.name: path.read_text(encoding="utf-8") for path in SOURCES.glob("*.txt")}
    assert texts
    return texts


each_briefing = pytest.mark.parametrize("briefing", BRIEFINGS, ids=lambda path: path.stem)


def test_five_briefings_rest_on_five_sources() -> None:
    assert len(BRIEFINGS) == 5
    assert len({source_of(briefing) for briefing in BRIEFINGS}) == 5


def test_briefings_name_the_sources_there_are(sources: dict[str, str]) -> None:
    assert {source_of(briefing) for briefing in BRIEFINGS} == set(sources)


@each_briefing
def test_briefing_is_in_its_own_words(briefing: Path, sources: dict[str, str]) -> None:
    own = own_runs(body_of(briefing))
    assert len(own) > 200
    for name, text in sources.items():
        shared = own & runs_of_words(text)
        assert not shared, f"shared with {name}: {sorted(' '.join(run) for run in shared)}"


@each_briefing
def test_quotations_are_verbatim(briefing: Path, sources: dict[str, str]) -> None:
    spoken = f" {' '.join(words(sources[source_of(briefing)]))} "
    for quotation in QUOTED.findall(body_of(briefing)):
        assert f" {' '.join(words(quotation))} " in spoken, quotation


@each_briefing
def test_every_number_is_carried_over(briefing: Path, sources: dict[str, str]) -> None:
    expected = set(NUMBER.findall(sources[source_of(briefing)]))
    assert expected <= set(NUMBER.findall(body_of(briefing)))


@each_briefing
def test_every_name_is_carried_over(briefing: Path, sources: dict[str, str]) -> None:
    expected = names(sources[source_of(briefing)])
    assert expected
    text = body_of(briefing)
    missing = {name for name in expected if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)}
    assert not missing


def test_shared_runs_are_found() -> None:
    source = "It’s said two planes landed outside the capital on Saturday, with cargo."
    copied = "IT'S said two planes landed - outside the city."
    assert runs_of_words(source) & runs_of_words(copied) == {
        ("it", "s", "said", "two", "planes", "landed", "outside", "the")
    }
    assert not runs_of_words(source) & runs_of_words("Two planes landed outside the capital.")


def test_own_runs_end_at_a_quotation() -> None:
    source = "one two three four five six seven eight nine ten"
    assert own_runs(source) == runs_of_words(source)
    assert not own_runs("one two three four “five six” seven eight nine ten")
    assert not own_runs(f"He said “{source}” and left")


def test_names_are_found_in_the_middle_of_sentences() -> None:
    text = (
        "Last week the U.S. President met Jorge Arreaza. They spoke.\nReporter Ann Lee said: “No.”"
    )
    assert names(text) == {"U.S. President", "Jorge Arreaza", "Ann Lee"}
