"""Figures of quality, against arithmetic done by hand; the reading of question files."""

import json
import math
from pathlib import Path

import pytest

from models.errors import EvaluationError
from rag import Chat
from rag.evaluate import Share, WithoutGold, evaluate, figures
from rag.questions import Gold, Question, document_id, normalised, read_questions, write_documents
from rag.report import About, write_report
from tests.fakes import ListSearch, ScriptedModel, document

PLANES = document(
    "Two military planes landed outside the capital on Saturday. The planes carried 35 tons of "
    "cargo.",
    id_="planes.txt",
    title="Planes",
)
TALKS = document("The foreign ministers met in Moscow on Sunday.", id_="talks.txt", title="Talks")
SHIPS = document("The ships left the harbour of Odessa in March.", id_="ships.txt", title="Ships")

CARGO = Question(
    "cargo", "How much cargo did the planes carry?", ("35 tons",), (Gold("planes.txt"),)
)
MET = Question("met", "Where did the foreign ministers meet?", ("Moscow",), (Gold("talks.txt"),))


def values(*questions: Question, writes: list[str]) -> dict[str, float]:
    search = ListSearch(PLANES, TALKS, SHIPS)
    chat = Chat(search=search, generate=ScriptedModel(*writes))
    return {f.name: f.value for f in figures(evaluate(questions, search, chat=chat))}


def test_the_gold_document_at_rank_one_scores_full() -> None:
    search = ListSearch(PLANES, TALKS, SHIPS)
    found = {f.name: f.value for f in figures(evaluate([CARGO], search, chat=None))}
    assert found == {
        "Hit@1": 1,
        "Hit@3": 1,
        "Hit@5": 1,
        "MRR@10": 1,
        "nDCG@10": 1,
        "Recall@10": 1,
    }


def test_the_gold_document_at_rank_two() -> None:
    asked = Question("q", "Which planes landed outside the capital?", gold=(Gold("ships.txt"),))
    search = ListSearch(PLANES, SHIPS)
    found = {f.name: f.value for f in figures(evaluate([asked], search, chat=None))}
    assert (found["Hit@1"], found["Hit@3"], found["MRR@10"]) == (0, 1, 0.5)
    assert found["nDCG@10"] == pytest.approx(1 / math.log2(3))


def test_half_of_two_gold_documents_is_recalled() -> None:
    gold = (Gold("planes.txt"), Gold("missing.txt"))
    search = ListSearch(PLANES)
    found = {
        f.name: f.value
        for f in figures(evaluate([Question("q", "planes", gold=gold)], search, chat=None))
    }
    assert found["Recall@10"] == 0.5


def test_a_gold_passage_is_judged_by_its_place() -> None:
    text = "Planes landed. " * 60 + "The cargo was 35 tons. " + "Ships sailed. " * 60
    long = document(text, id_="long.txt")
    gold = (Gold("long.txt", quote="The cargo was 35 tons."),)
    search = ListSearch(long)
    asked = Question("q", "How many tons was the cargo?", ("35 tons",), gold)
    first = evaluate([asked], search, chat=None)[0]
    assert first.shares["Hit@1"].got == 1
    other = Question("q", "When was it that planes landed?", ("35 tons",), gold)
    assert evaluate([other], search, chat=None)[0].shares["Hit@1"].got == 0


def test_answers_and_quotes_are_counted() -> None:
    found = values(
        CARGO,
        MET,
        writes=["The planes carried 35 tons of cargo.", "The foreign ministers met in Paris."],
    )
    # The second answer is wrong, and nothing supports it: a false refusal.
    assert found["Refused, though the documents answer"] == 0.5
    assert found["Gold answer in the answer"] == 0.5
    assert found["Gold answer in the answer, where one is given"] == 1
    assert found["Quotes from a gold passage"] == 1
    assert found["Right answers whose quotes hold the gold answer"] == 1
    # Without articles “planes carried 35 tons of cargo”: 2 of 6 words are gold, and all gold.
    assert found["Token F1"] == pytest.approx((2 * (2 / 6) / (2 / 6 + 1)) / 2)


def test_unanswerable_questions_should_be_refused() -> None:
    nothing = Question("no", "Where did the foreign ministers eat?", is_answerable=False)
    found = values(nothing, writes=["The documents do not say."])
    assert found["Refused, of what the documents do not answer"] == 1
    assert "Refused, though the documents answer" not in found


def test_without_gold_its_article_is_not_found() -> None:
    search = WithoutGold(ListSearch(PLANES, TALKS))
    search.hide(CARGO)
    assert [hit.passage.document for hit in search.search(CARGO.text, limit=4)] == ["talks.txt"]
    chat = Chat(search=search, generate=ScriptedModel("The planes carried 35 tons of cargo."))
    case = evaluate([CARGO], search, chat=chat)[0]
    assert case.shares == {"Refused, of what the documents do not answer": Share(True)}


def test_a_conversation_is_one_chat() -> None:
    first = Question("1", "Which planes landed?", gold=(Gold("planes.txt"),), conversation="c")
    then = Question("2", "And what did they carry?", gold=(Gold("planes.txt"),), conversation="c")
    search = ListSearch(PLANES, TALKS, SHIPS)
    model = ScriptedModel("Two military planes landed.", "The planes carried 35 tons of cargo.")
    cases = evaluate([first, then], search, chat=Chat(search=search, generate=model))
    assert cases[1].answer
    assert cases[1].answer.query.startswith("Which planes landed?")
    assert cases[1].shares["Hit@1"].got == 1


def test_an_interval_holds_the_value_and_narrows_with_more_cases() -> None:
    search = ListSearch(PLANES, TALKS)
    wrong = Question("w", "Where did the foreign ministers meet?", gold=(Gold("planes.txt"),))
    few = figures(evaluate([CARGO, wrong] * 4, search, chat=None))[0]
    many = figures(evaluate([CARGO, wrong] * 64, search, chat=None))[0]
    assert few.value == many.value == 0.5
    assert few.low < 0.5 < few.high
    assert many.high - many.low < few.high - few.low


def test_texts_are_compared_as_squad_does() -> None:
    assert normalised("The U.S. “Army”, a force") == "us “army” force"


# --- files of questions ---


def write_lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_a_file_of_questions(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "questions.jsonl",
        {"question": "Who?", "answers": ["A", "B"], "documents": ["a.txt"], "quotes": ["It is A"]},
        {"id": 7, "question": "Why?", "answerable": False, "conversation": "c"},
    )
    assert read_questions(file) == [
        Question("1", "Who?", ("A", "B"), (Gold("a.txt", "It is A"),)),
        Question("7", "Why?", is_answerable=False, conversation="c"),
    ]


def test_a_folder_in_the_beir_format(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "corpus.jsonl",
        {"_id": "a/1", "title": 'The "A"', "text": "Text of A."},
        {"_id": "b", "title": "", "text": "Text of B."},
    )
    write_lines(tmp_path / "queries.jsonl", {"_id": "q1", "text": "A?"}, {"_id": "q2", "text": "?"})
    qrels = "query-id\tcorpus-id\tscore\nq1\ta/1\t2\nq1\tb\t0\n"
    (tmp_path / "qrels.tsv").write_text(qrels, encoding="utf-8")
    assert read_questions(tmp_path) == [Question("q1", "A?", gold=(Gold("a%2F1.md", grade=2),))]
    folder = write_documents(tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == ["a%2F1.md", "b.md"]
    assert document_id("a/1") == "a%2F1.md"
    write_lines(tmp_path / "corpus.jsonl", {"_id": "b", "title": "", "text": "Text of B."})
    assert [file.name for file in write_documents(tmp_path).iterdir()] == ["b.md"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "line 1 is not an object"),
        ('{"answers": []}', "line 1 has no “question”"),
        ('{"question": "?", "answers": [1]}', "“answers” is not a list of texts"),
        ('{"question": "?", "answerable": "no"}', "neither true nor false"),
        ('{"question": "?", "documents": ["a"], "quotes": ["b", "c"]}', "2 quotes for 1 documents"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(EvaluationError, match=message):
        read_questions(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"cannot be read \(No such file"):
        read_questions(tmp_path / "none.jsonl")


# --- the report ---


def test_the_report_holds_every_case_and_loads_nothing(tmp_path: Path) -> None:
    search = ListSearch(PLANES, TALKS)
    asked = Question("x", "Where <script>alert(1)</script> is cargo?", gold=(Gold("planes.txt"),))
    chat = Chat(search=search, generate=ScriptedModel("The planes carried 35 tons of cargo."))
    cases = evaluate([CARGO, asked], search, chat=chat)
    about = About(questions="q.jsonl", asked=2, model="scripted", seed=3, without_gold=False)
    data, page = write_report(tmp_path / "new" / "folder", about, figures(cases), cases)
    record = json.loads(data.read_text(encoding="utf-8"))
    assert record["cases"][0]["answer"]["text"] == "The planes carried 35 tons of cargo."
    assert record["figures"][0]["name"] == "Hit@1"
    html = page.read_text(encoding="utf-8")
    assert "How much cargo did the planes carry?" in html
    assert "<svg" in html
    assert "<script" not in html
    assert 'src="' not in html
    assert 'href="http' not in html
