"""Presentations, workbooks, tables and books: what is read, where it is, what is refused."""

import base64
import io
import random
import re
import zipfile
import zlib
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pptx
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from pptx.util import Inches

from index.formats import tabular
from index.formats.content import clean
from index.formats.rows import Cell, Row, table_content
from index.formats.sheets import shown
from index.load import load_document
from index.records import Document
from index.sandbox import Sandbox
from index.sentences import sentence_spans
from models.errors import DocumentError
from tests.documents import CHAPTERS, load, write_epub, write_samples

FORMATS = ("pptx", "xlsx", "csv", "epub")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_samples(tmp_path_factory.mktemp("samples"))


def place_of(document: Document, words: str) -> str:
    return document.place_at(document.text.index(words))


def places(document: Document) -> list[str]:
    return [document.place_at(section.start) for section in document.sections]


# --- every format ---


@pytest.mark.parametrize("format_", FORMATS)
def test_text_is_clean_and_sections_are_ordered_and_nested(
    samples: dict[str, Path], format_: str
) -> None:
    document = load_document(samples[format_], id="a")
    assert document == load_document(samples[format_], id="a")
    assert document.text == clean(document.text)
    around: list[int] = [len(document.text)]  # the ends of the sections that we are in
    position = 0
    for section in document.sections:
        assert position <= section.start <= section.end
        while section.start >= around[-1] and len(around) > 1:
            around.pop()
        assert section.end <= around[-1]
        around.append(section.end)
        position = section.start


@pytest.mark.parametrize(
    ("format_", "words", "place"),
    [
        ("pptx", "Nora Falk", "slide 1, “A Plan for the Harbour”"),
        ("pptx", "two thirds", "slide 2, “What it costs”"),
        ("pptx", "auditor", "slide 2, “What it costs”"),
        ("xlsx", "310.5", "sheet Repairs 2023, row 3"),
        ("csv", "harbour master, who", "row 5"),
        ("epub", "rowed us", "chapter The Rock"),
        ("epub", "three legs", "chapter The Rock, “The kitchen”"),
        ("epub", "convicts", "chapter The Winter"),
    ],
)
def test_places(samples: dict[str, Path], format_: str, words: str, place: str) -> None:
    assert place_of(load_document(samples[format_], id="a"), words) == place


@pytest.mark.parametrize(
    ("format_", "title", "author", "written"),
    [
        ("pptx", "A Plan for the Harbour", "Nora Falk", "2024-02-09T10:30:00"),
        ("xlsx", "", "", ""),
        ("csv", "", "", ""),
        ("epub", "A Childhood on Grey Head", "Edda Morrow, Signe Vass", "1958-10-03"),
    ],
)
def test_title_author_and_date(
    samples: dict[str, Path], format_: str, title: str, author: str, written: str
) -> None:
    document = load_document(samples[format_], id="a")
    assert (document.title, document.author, document.date) == (title, author, written)


# --- rows ---

cells = st.one_of(
    st.builds(Cell, st.text(max_size=30), st.booleans()),
    st.builds(
        Cell, st.sampled_from(["Boat", "Built: in", "It sank. Then", "a | b", ""]), st.just(True)
    ),
    st.builds(Cell, st.sampled_from(["1962", "yes", "2024-03-07"]), st.just(False)),
)
tables = st.lists(st.lists(cells, max_size=5).map(tuple), max_size=8)


@given(tables)
def test_a_row_is_one_line_and_no_sentence_holds_two(table: list[tuple[Cell, ...]]) -> None:
    content = table_content(Row(n, row) for n, row in enumerate(table, start=1))
    assert content.text == clean(content.text)
    lines = [content.text[section.start : section.end] for section in content.sections]
    assert lines == re.findall(r"[^\n]+", content.text)
    for section, line in zip(content.sections, lines, strict=True):
        for cell in table[int(section.label) - 1]:
            assert " ".join(clean(cell.text).split()) in line
    assert all(
        "\n" not in content.text[span.start : span.end] for span in sentence_spans(content.text)
    )


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=20))
def test_a_row_with_names_is_quoted_whole(numbers: list[int]) -> None:
    header = (Cell("No. of berths", True), Cell("Remarks", True))
    rows = [
        Row(place, (Cell(str(number), False), Cell("Dry. Bought in spring.", True)))
        for place, number in enumerate(numbers, start=2)
    ]
    content = table_content([Row(1, header), *rows])
    assert [content.text[span.start : span.end] for span in sentence_spans(content.text)] == [
        f"No. of berths: {number}; Remarks: Dry. Bought in spring." for number in numbers
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Boat,Built\nAnna,1962\n", "Boat: Anna; Built: 1962"),
        ("Boat,Built\n", "Boat | Built"),
        ("Anna,1962\nKestrel,2003\n", "Anna | 1962\nKestrel | 2003"),
        ("Boat,Boat\nAnna,Kestrel", "Boat | Boat\nAnna | Kestrel"),
        ("Boat,Built\nAnna,\n,2003\n", "Boat: Anna\n\nBuilt: 2003"),
        ("Boat,Built\nAnna,1962,sold", "Boat: Anna; Built: 1962; sold"),
        ("Boats of 1962\n\nBoat,Berth\nAnna,4", "Boats of 1962\n\nBoat: Anna; Berth: 4"),
        (
            "Boat;Metres\nAnna;7,5\nKestrel;8,2\n",
            "Boat: Anna; Metres: 7,5\nBoat: Kestrel; Metres: 8,2",
        ),
        ("Name\tPort\nVass, Signe\tTamsin", "Name: Vass, Signe; Port: Tamsin"),
        ("Vass, Signe\t4\nLund, Ivo\t5", "Vass, Signe | 4\nLund, Ivo | 5"),
        ("Boat|Berth\r\nAnna|4\r\n", "Boat: Anna; Berth: 4"),
        ('Boat,Remarks\nAnna,"old,\r\n""dry"""', 'Boat: Anna; Remarks: old, "dry"'),
        ('Boat, Remarks\nAnna, "a, b"', "Boat: Anna; Remarks: a, b"),
        ("one word a line\nand one more", "one word a line\n\nand one more"),
        ("1,,3\n4,5,6", "1 |  | 3\n4 | 5 | 6"),
    ],
)
def test_csv(tmp_path: Path, source: str, text: str) -> None:
    assert load(tmp_path, "a.csv", source).text == text


def test_csv_in_another_encoding(tmp_path: Path) -> None:
    source = "Schiff;Länge\nMöwe;12 m\nSchäre;9 m\n"
    assert load(tmp_path, "a.csv", source.encode("cp1252")).text.startswith("Schiff: Möwe; Länge")
    assert load(tmp_path, "a.tsv", source.encode("utf-16")).text.startswith("Schiff: Möwe; Länge")


def test_csv_with_a_quotation_mark_that_is_never_closed(tmp_path: Path) -> None:
    source = 'Boat,Remarks\nAnna,"dry\n' + "Kestrel,lent to the school\n" * 6000
    document = load(tmp_path, "a.csv", source)
    assert document.text.startswith('Boat: Anna; Remarks: "dry\nBoat: Kestrel;')
    assert document.place_at(len(document.text) - 1) == "row 6002"


@given(st.text(max_size=60) | st.text(st.sampled_from('a1,;|\t\n" '), max_size=60))
def test_any_csv_is_read_or_refused(source: str) -> None:
    try:
        content = tabular.read(source.encode("utf-8", "replace"))
    except DocumentError:
        return
    assert content.text == clean(content.text)


# --- workbooks ---


def write_workbook(path: Path, sheets: dict[str, dict[tuple[int, int], Any]]) -> Path:
    """Cells by (row, column) from 0, by the sheet's name."""
    with xlsxwriter.Workbook(str(path)) as workbook:
        for name, cells_ in sheets.items():
            sheet = workbook.add_worksheet(name)
            for (row, column), value in cells_.items():
                sheet.write(row, column, value)
    return path


def test_rows_have_the_numbers_that_the_sheet_shows(tmp_path: Path) -> None:
    boats = {(3, 1): "Boat", (3, 2): "Sound", (4, 1): "Anna", (4, 2): True, (9, 2): False}
    path = write_workbook(
        tmp_path / "a.xlsx", {"Empty": {}, "Boats\u00a0 now": boats, "Notes": {(0, 0): "One\nline"}}
    )
    document = load_document(path, id="a")
    assert document.text == "Boats now\n\nBoat: Anna; Sound: yes\n\nSound: no\n\nNotes\n\nOne line"
    assert [place for place in places(document) if "row" in place] == [
        "sheet Boats now, row 5",
        "sheet Boats now, row 10",
        "sheet Notes, row 1",
    ]
    assert place_of(document, "Notes") == "sheet Notes"


def test_a_hidden_sheet_is_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as workbook:
        workbook.add_worksheet("Seen").write(0, 0, "one")
        hidden = workbook.add_worksheet("Kept back")
        hidden.write(0, 0, "two")
        hidden.hide()
    assert place_of(load_document(tmp_path / "a.xlsx", id="a"), "two") == "sheet Kept back, row 1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (2.5, "2.5"),
        (0.1 + 0.2, "0.3"),
        (-1e20, "-1e+20"),
        (12, "12"),
        (True, "yes"),
        (False, "no"),
        (date(2024, 3, 7), "2024-03-07"),
        (datetime(2024, 3, 7), "2024-03-07"),
        (datetime(2024, 3, 7, 14, 5), "2024-03-07T14:05"),
        (time(14, 5, 9), "14:05:09"),
        (timedelta(days=1, hours=12), "36:00:00"),
        (-timedelta(minutes=1), "-0:01:00"),
    ],
)
def test_values_as_a_reader_would_write_them(value: object, text: str) -> None:
    assert shown(value) == (text, False)


XLS = (  # made with xlwt, compressed; nothing that is still maintained writes this format
    "c-rk)J!lj`6#i!KHuppBvKKExBAiFS7-Jf-v59K}nnFCHjUs|x%oQQWUf7(478;FL3WAkl6G)>))W#pQ(9R+d(LxY}J1"
    "wmQ1&id?H*aV0Vy?)62`cj~^XBb)Z)V=^ym_;;Z<bTl`A0o9{Dy-Fq3*@d)*us9V!@3C(tDm{gE~sZ)A*+li_%24nRuR"
    "9ipV*X^Ie01hv8R5flpM<U>doSQ^;;1M%ahEkUk6%6}U^1B)ZwFPNwIXZe#j@EnhG_#F86Khsd@nPGi~54IEHWe9Gu$T"
    "@te2C*0-(OZK4)uVoZpxhZ^G6T|LgzW8@4GU0YCfaYzq;1t|^v5GWJ-~zsTS>Ri+QeS4Zd~4+bB>%Bi9%&-KWrTrQc;`"
    "64D@b4|BsC^RO8N543i?3?L6I_(stc3FGTjb4PM)UzXkn)87K(A1n|Uo;Yu0jtW4xW{1Ui^caim+6tyk`SeS2(t%s$JK"
    "S<c^nmfs~EgNLiK1vO5xhJ9n(0j7JIUgKVOFyF&8O%FhI-&mJoj?A&mb=LOLIQtpz?A;A~Kk=0>$Dd{@pY1)wFOJqOr5"
    "E4Z^XR2rXM)<xYYu~AP~5pK@yrftp)$fprrqnZL)5U8@1EMqI<Sg3vni(joqRh&*^4Ijg6(CGmyJ04lfwOsZ*MfQH`qR"
    ";?ESZ&+ey2t(TT@WNxAA5;?U60(9qD((9qD>TnP0=A5!NGQ=J<k>c7q^mAd{-^55bFN_3U!V0su1)h;f!6hGTxil8sC!"
    "8XDFLWz?!x{E1{vma9}$1k1xMC0>pxS{pumQbtX*IV&(lgIxFAL7S*"
)


def test_a_workbook_of_excel_before_2007(tmp_path: Path) -> None:
    document = load(tmp_path, "a.xls", zlib.decompress(base64.b85decode(XLS)))
    assert document.text == "Boats\n\nBoat: Anna; Built: 1962\nBoat: Kestrel; Built: 2003"
    assert place_of(document, "2003") == "sheet Boats, row 3"


def ods(body: str, *, encryption: str = "") -> bytes:
    names = "urn:oasis:names:tc:opendocument:xmlns"
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{names}:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="content.xml">{encryption}'
            "</manifest:file-entry></manifest:manifest>",
            "content.xml": f'<office:document-content xmlns:office="{names}:office:1.0" '
            f'xmlns:table="{names}:table:1.0" xmlns:text="{names}:text:1.0"><office:body>'
            f"<office:spreadsheet>{body}</office:spreadsheet></office:body>"
            "</office:document-content>",
        }
    )


def archive(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return buffer.getvalue()


def ods_row(*words: str) -> str:
    return "<table:table-row>{}</table:table-row>".format(
        "".join(
            f'<table:table-cell office:value-type="string"><text:p>{word}</text:p>'
            "</table:table-cell>"
            for word in words
        )
    )


def test_a_workbook_of_libreoffice(tmp_path: Path) -> None:
    gap = '<table:table-row table:number-rows-repeated="1000"><table:table-cell/></table:table-row>'
    rows = ods_row("Boat", "Berth") + gap + ods_row("Anna", "four")
    data = ods(f'<table:table table:name="Boats">{rows}</table:table>')
    document = load(tmp_path, "a.ods", data)
    assert document.text == "Boats\n\nBoat: Anna; Berth: four"
    assert place_of(document, "four") == "sheet Boats, row 1002"


def test_a_locked_workbook_of_libreoffice(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^needs a password$"):
        load(tmp_path, "a.ods", ods("", encryption="<manifest:encryption-data/>"))


@pytest.mark.parametrize(
    ("part", "sound", "damaged"),
    [
        # Each makes the library ask for hundreds of gigabytes, and end the process.
        ("xl/worksheets/sheet1.xml", b'r="B2"', b'r="XFD1048576"'),
        ("xl/sharedStrings.xml", b'uniqueCount="2"', b'uniqueCount="99999999999"'),
        ("xl/worksheets/sheet1.xml", b'r="B2"', b'r="ZZZZZZZZZ2"'),
    ],
)
def test_a_workbook_that_claims_to_be_immense(
    tmp_path: Path, part: str, sound: bytes, damaged: bytes
) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"A": {(0, 0): "one", (1, 1): "two"}})
    files = {name: data.replace(sound, damaged) for name, data in members(path).items()}
    assert files[part] != members(path)[part]
    (tmp_path / "b.xlsx").write_bytes(archive({**files}))
    with Sandbox() as sandbox, pytest.raises(DocumentError, match=r"^(is damaged in a way|is not)"):
        sandbox.load(tmp_path / "b.xlsx", id="b")


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


# --- presentations ---


def test_a_slide_is_read_from_top_to_bottom(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])

    def box(shapes: Any, left: float, top: float, text: str) -> None:
        frame = shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1)).text_frame
        frame.text = text

    box(slide.shapes, 1, 5, "fifth")
    box(slide.shapes, 4, 1.9, "second")  # a little above its neighbour on the left
    box(slide.shapes, 1, 1.95, "first")
    table = slide.shapes.add_table(3, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    for row, words in enumerate([("Boat", "Berth"), ("Anna", "4"), ("", "alone")]):
        for column, word in enumerate(words):
            table.cell(row, column).text = word
    group = slide.shapes.add_group_shape()
    box(group.shapes, 1, 3.5, "fourth")
    box(group.shapes, 1, 3, "third\vline")
    slide.shapes.title.text = "The\vTitle"
    slide.notes_slide.notes_text_frame.text = "notes"
    slide._element.set("show", "0")  # hidden
    presentation.slides.add_slide(presentation.slide_layouts[6])  # empty
    last = presentation.slides.add_slide(presentation.slide_layouts[6])
    box(last.shapes, 1, 1, "on the last")
    presentation.core_properties.title = "PowerPoint Presentation"
    presentation.save(str(tmp_path / "a.pptx"))
    document = load_document(tmp_path / "a.pptx", id="a")
    assert document.text.split("\n\n") == [
        "The Title",
        "first",
        "second",
        "third\nline",
        "fourth",
        "Boat | Berth\nAnna | 4",
        "alone",
        "fifth",
        "notes",
        "on the last",
    ]
    assert document.title == "The Title"
    assert place_of(document, "on the last") == "slide 3"


# --- books ---


def book(tmp_path: Path, *bodies: str, more: dict[str, str] | None = None) -> Document:
    chapters = tuple((f"In the contents {n}", body) for n, body in enumerate(bodies, start=1))
    return load_document(write_epub(tmp_path / "a.epub", chapters, more=more), id="a")


def test_a_chapter_is_named_by_its_heading_or_the_contents_or_its_number(tmp_path: Path) -> None:
    bodies = ("<img src='cover.png'/>", "<p>one</p>", "<h2>Two</h2><p>two</p>")
    assert places(book(tmp_path, *bodies)) == ["chapter In the contents 2", "chapter Two"]
    no_contents = {"OPS/nav.xhtml": "<html><body><p>See below.</p></body></html>"}
    document = book(tmp_path, *bodies, more=no_contents)
    assert places(document) == ["chapter 1", "chapter Two"]


def test_the_contents_of_epub_2(tmp_path: Path) -> None:
    opf = members(write_epub(tmp_path / "b.epub", CHAPTERS))["OPS/book.opf"].decode()
    opf = opf.replace('properties="nav" ', "").replace("nav.xhtml", "toc.ncx")
    opf = opf.replace("application/xhtml+xml", "application/x-dtbncx+xml", 1)
    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel>'
        "<text>The First\nWinter</text></navLabel><content src='text/c%202.xhtml#a'/>"
        "</navPoint></navMap></ncx>"
    )
    more = {"OPS/book.opf": opf, "OPS/toc.ncx": ncx}
    path = write_epub(tmp_path / "a.epub", CHAPTERS, more=more)
    assert place_of(load_document(path, id="a"), "November") == "chapter The First Winter"


@pytest.mark.parametrize(
    ("says", "author", "date"),
    [
        ("<dc:creator>Unknown</dc:creator><dc:date>0101-01-01T00:00:00+00:00</dc:date>", "", ""),
        ("<dc:creator>Unknown</dc:creator><dc:creator>Edda Morrow</dc:creator>", "Edda Morrow", ""),
        ("<dc:date>March 2019</dc:date>", "", "2019-03"),
        ("<dc:date>2019-03-24T14:05:00+01:00</dc:date>", "", "2019-03-24T14:05:00"),
    ],
)
def test_who_wrote_a_book_and_when(tmp_path: Path, says: str, author: str, date: str) -> None:
    opf = members(write_epub(tmp_path / "b.epub", CHAPTERS))["OPS/book.opf"].decode()
    opf = re.sub(r"<dc:creator>.*</dc:date>", says, opf)
    document = load_document(
        write_epub(tmp_path / "a.epub", CHAPTERS, more={"OPS/book.opf": opf}), id="a"
    )
    assert (document.author, document.date) == (author, date)


def encryption(name: str) -> dict[str, str]:
    return {
        "META-INF/encryption.xml": "<encryption xmlns:e='http://www.w3.org/2001/04/xmlenc#'>"
        f"<e:EncryptedData><e:CipherData><e:CipherReference URI='{name}'/></e:CipherData>"
        "</e:EncryptedData></encryption>"
    }


def test_a_book_locked_by_its_publisher(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^is locked by its publisher \(DRM\)$"):
        book(tmp_path, "<p>one</p>", more=encryption("OPS/text/c%201.xhtml"))
    assert book(tmp_path, "<p>one</p>", more=encryption("OPS/font.otf")).text == "one"


def test_a_book_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    uri = (tmp_path / "secret.txt").as_uri()
    files = members(write_epub(tmp_path / "b.epub", CHAPTERS))
    opf = files["OPS/book.opf"].decode()
    opf = f'<!DOCTYPE p [<!ENTITY x SYSTEM "{uri}">]>' + opf.replace("A Childhood", "&x; A")
    opf = opf.replace("text/c%201.xhtml", "../../../../../../.." + uri.removeprefix("file://"))
    document = load(tmp_path, "a.epub", archive({**files, "OPS/book.opf": opf}))
    assert "secret" not in document.title + document.text
    assert document.text.startswith("From November")


def test_entities_without_end_in_a_book_are_refused(tmp_path: Path) -> None:
    files = members(write_epub(tmp_path / "b.epub", CHAPTERS))
    more = "".join(f'<!ENTITY x{n + 1} "{f"&x{n};" * 10}">' for n in range(9))
    opf = f'<!DOCTYPE p [<!ENTITY x0 "lol">{more}]>' + files["OPS/book.opf"].decode()
    data = archive({**files, "OPS/book.opf": opf.replace("A Childhood", "&x9; A")})
    with pytest.raises(DocumentError, match=r"^is not an EPUB file, or is damaged$"):
        load(tmp_path, "a.epub", data)


# --- files that cannot be read ---

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
KINDS = {"pptx": "a PPTX file", "xlsx": "a workbook", "epub": "an EPUB file"}


@pytest.mark.parametrize("format_", KINDS)
@pytest.mark.parametrize("data", [b"not a zip", b"PK\x03\x04 broken", archive({"a.txt": "words"})])
def test_files_of_another_kind(tmp_path: Path, format_: str, data: bytes) -> None:
    with pytest.raises(DocumentError, match=f"^is not {KINDS[format_]}, or is damaged$"):
        load(tmp_path, f"a.{format_}", data)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pptx", OLE + b"\0" * 500, "is not a PPTX file; PowerPoint or"),
        ("a.pptx", OLE + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le"), "needs a password$"),
        ("a.xlsx", OLE + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le"), "needs a password$"),
        ("a.xls", OLE + b"\0" * 500, "is damaged, or needs a password$"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01", "is not text$"),
        ("a.csv", b",,\n,\n", "holds no text$"),
    ],
)
def test_what_is_refused_and_why(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=f"^{reason}"):
        load(tmp_path, name, data)


def test_a_workbook_without_words(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^holds no text$"):
        load_document(write_workbook(tmp_path / "a.xlsx", {"Empty": {}}), id="a")


@pytest.mark.parametrize("format_", KINDS)
def test_archives_that_unpack_without_end(tmp_path: Path, format_: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("a.xml", "<a/>")
        package.infolist()[0].file_size = 1_000_000_001
    with pytest.raises(DocumentError, match=r"^unpacks to more than 1 GB$"):
        load(tmp_path, f"a.{format_}", buffer.getvalue())


def test_an_archive_of_too_many_files(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for number in range(20_001):
            package.writestr(f"{number}", "")
    with pytest.raises(DocumentError, match=r"^is an archive of more than 20,000 files$"):
        load(tmp_path, "a.epub", buffer.getvalue())


@pytest.mark.parametrize("format_", [*KINDS, "docx"])
def test_a_member_that_is_longer_than_the_archive_says(
    samples: dict[str, Path], tmp_path: Path, format_: str
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members(samples[format_]).items():
            package.writestr(name, content)
        package.writestr("bomb.xml", b"0" * 5_000_000)
        bomb = package.infolist()[-1]
        bomb.file_size, bomb.CRC = 10, zlib.crc32(b"0" * 10)
    with pytest.raises(DocumentError, match=r"or is damaged$"):
        load(tmp_path, f"a.{format_}", buffer.getvalue())


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("mimetype", "application/epub+zip")
        package.infolist()[0].flag_bits |= 0x1
    with pytest.raises(DocumentError, match=r"^needs a password$"):
        load(tmp_path, "a.epub", buffer.getvalue())


@pytest.mark.parametrize("format_", KINDS)
def test_files_cut_off_anywhere_are_refused(
    samples: dict[str, Path], tmp_path: Path, format_: str
) -> None:
    data = samples[format_].read_bytes()
    for length in range(1, len(data) - 100, len(data) // 30):
        with pytest.raises(DocumentError, match=r"damaged$"):
            load(tmp_path, f"a.{format_}", data[:length])


@pytest.mark.parametrize(
    ("format_", "part"),
    [
        ("pptx", r"ppt/(presentation|slides/).*|\[Content.*"),
        ("xlsx", r"xl/(workbook|worksheets/sheet1|sharedStrings|styles)\.xml"),
        ("epub", r".*"),
    ],
)
def test_files_with_damaged_parts_are_read_or_refused(
    samples: dict[str, Path], tmp_path: Path, format_: str, part: str
) -> None:
    chance = random.Random(0)  # noqa: S311 noise, the same each time
    files: dict[str, str | bytes] = {**members(samples[format_])}
    refused = 0
    for name in (name for name in files if re.fullmatch(part, name)):
        sound = members(samples[format_])[name]
        noise = bytearray(sound)
        for _ in range(len(noise) // 50 + 1):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        for damaged in (b"", b"<a/>", sound[:-20], bytes(noise)):
            try:
                assert load(tmp_path, f"a.{format_}", archive({**files, name: damaged})).text
            except DocumentError as error:
                refused += 1
                assert re.search(r"or is damaged$|holds no text$|is not text$", str(error))
    assert refused >= 4
