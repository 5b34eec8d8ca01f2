"""JSON: every record a section, its words as the file has them, and nothing lost in silence."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.formats import json_lines, json_text
from index.formats.content import clean
from index.records import Document
from models.errors import DocumentError
from tests.documents import load


def records(document: Document) -> dict[str, str]:
    assert all(section.kind == "record" for section in document.sections)
    return {
        section.label: document.text[section.start : section.end] for section in document.sections
    }


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"text": "Words."}, "Words."),
        ({"BODY": "Words.", "Headline": "The lamp"}, "The lamp\n\nWords."),
        ({"text": "", "summary": "Short."}, "Short."),
        ({"text": 3, "content": "Words."}, "text: 3\n\nWords."),
        ({"text": "One.", "body": "Two."}, "body: Two.\n\nOne."),
        ({"name": "lamp", "lit": True, "out": None, "of": ""}, "name: lamp; lit: true"),
        ({"a": {"b": {"c": 1}}, "d": [1, "x", False]}, "a.b.c: 1; d: 1, x, false"),
        ({"a": [{"b": 1}, {"b": 2}]}, "a.1.b: 1; a.2.b: 2"),
        ({"a": {"b": {"c": {"d": {"e": [1, {"f": 2}]}}}}}, "a.b.c.d: 1, 2"),
        ("bare words", "bare words"),
        (17, "17"),
        ([1, [2]], "1, 2"),
        ({}, ""),
        (None, ""),
        ({"text": "a\ud800b", "k\ud800": "v"}, "k: v\n\nab"),
    ],
)
def test_records(tmp_path: Path, record: object, text: str) -> None:
    for name, content in (
        ("a.json", json.dumps([record, "end"])),
        ("a.jsonl", json.dumps(record) + "\n" + '"end"'),
        ("a.ndjson", json.dumps(record) + "\r\n\r\n" + '"end"\r\n'),
        ("b.json", json.dumps(record) + "\n" + '"end"\n'),  # lines in a file named .json
    ):
        assert records(load(tmp_path, name, content)) == {"1": text, "2": "end"}


def test_numbers_are_shown_as_they_are_written(tmp_path: Path) -> None:
    content = '{"a": 1.10, "b": 1e400, "c": 12345678901234567890123, "d": -0}'
    document = load(tmp_path, "a.json", content)
    assert document.text == "a: 1.10; b: 1e400; c: 12345678901234567890123; d: -0"


def test_an_object_is_the_document_itself(tmp_path: Path) -> None:
    document = load(
        tmp_path,
        "a.json",
        '{"title": "The lamp", "author": {"name": "Alma Kettering"}, "date": "3 October 1871",'
        ' "url": "https://example.org/lamp", "text": "It was lit."}',
    )
    assert document.title == "The lamp"
    assert document.author == "Alma Kettering"
    assert document.date == "1871-10-03"
    assert document.source == "https://example.org/lamp"
    assert document.sections == ()
    assert document.text == (
        "The lamp\n\nauthor.name: Alma Kettering; date: 3 October 1871; "
        "url: https://example.org/lamp\n\nIt was lit."
    )


def test_an_object_around_one_list_of_records(tmp_path: Path) -> None:
    document = load(
        tmp_path,
        "a.json",
        '{"name": "Lamps", "count": 2, "tags": ["x"], "items": '
        '[{"text": "One."}, {"text": "Two."}]}',
    )
    assert document.title == "Lamps"
    assert document.text == "name: Lamps; count: 2; tags: x\n\nOne.\n\nTwo."
    assert records(document) == {"1": "One.", "2": "Two."}


@pytest.mark.parametrize(
    ("fields", "author", "date", "source"),
    [
        ({"authors": ["A. Bell", {"name": "C. Dale"}]}, "A. Bell, C. Dale", "", ""),
        ({"author": "admin", "byline": "A. Bell"}, "A. Bell", "", ""),
        ({"date": 1711270000, "source": "Gazette"}, "", "", ""),
        ({"date": "03/04/2019", "published": "2019"}, "", "2019", ""),
        ({"url": "javascript:alert(1)", "link": "https://x.example/a"}, "", "", "https://x.example/a"),
    ],
)  # fmt: skip
def test_metadata(fields: dict[str, object], author: str, date: str, source: str) -> None:
    content = json_text.read(json.dumps({"text": "Words.", **fields}).encode())
    assert (content.author, content.date, content.source) == (author, date, source)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    content = '["Die Wärter hießen Grünwald und Schäfer."]'.encode(encoding)
    assert load(tmp_path, "a.json", content).text == "Die Wärter hießen Grünwald und Schäfer."


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "{", "is not JSON at line 1"),
        ("a.json", '{\n"a": 1,\n}', "is not JSON at line 3"),
        ("a.json", '{\n"a": 1\n}\njunk', "is not JSON at line 4"),
        ("a.json", '{"a": 1}\n{"a": 2}\n{', "is not JSON at line 3"),
        ("a.json", '{"a": 1, "b": 1, "a": 2}', "has the key “a” twice in one object"),
        ("a.json", "[NaN]", "holds NaN, which is not JSON"),
        ("a.json", "[-Infinity]", "holds -Infinity, which is not JSON"),
        ("a.json", "[" + "9" * 5000 + "]", "holds a number of more than 4,300 digits"),
        ("a.json", "[" * 100_000, "is nested too deeply to be read"),
        ("a.json", '{"a":' * 100_000, "is nested too deeply to be read"),
        ("a.json", "[null, {}, []]", "holds no text"),
        ("a.json", "null", "holds no text"),
        ("a.json", "\x89PNG\0\0", "is not text"),
        ("a.jsonl", '{"a": 1}\n' * 16 + "{broken", "is not JSON at line 17"),
        ("a.jsonl", '1\n\n{"a": 1, "a": 2}', "has the key “a” twice in one object at line 3"),
        ("a.jsonl", "1\nNaN", "holds NaN, which is not JSON at line 2"),
        ("a.jsonl", "1\n" + "[" * 100_000, "is nested too deeply to be read"),
        ("a.jsonl", "\n \n", "holds no text"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: str, reason: str) -> None:
    with pytest.raises(DocumentError) as raised:
        load(tmp_path, name, content)
    assert str(raised.value) == reason


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["text", "Title", "a", "\n", "\u200c", "date"]), inner),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.slow
@given(VALUES)
@settings(deadline=None, max_examples=150)
def test_any_json_has_clean_text_and_sections_in_order(value: object) -> None:
    source = json.dumps(value)
    for content in (json_text.read(source.encode()), json_lines.read(source.encode())):
        assert content.text == clean(content.text)
        position = 0
        for section in content.sections:
            assert position <= section.start <= section.end <= len(content.text)
            position = section.end


@given(st.text(st.sampled_from('[]{}",:0-1e.ntrue\\u\n '), max_size=30))
@settings(deadline=None)
def test_any_text_is_read_or_refused(source: str) -> None:
    for read in (json_text.read, json_lines.read):
        try:
            content = read(source.encode())
        except DocumentError:
            continue
        assert content.text == clean(content.text)
