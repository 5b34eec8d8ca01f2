"""Files of every format become documents whose offsets say exactly where the words are."""

import hashlib
import io
import os
import re
import unicodedata
import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st

from index.folder import document_files
from index.formats.content import clean
from index.load import MAX_BYTES, SUFFIXES, load_document
from index.records import Document, Skipped
from models.errors import DocumentError
from tests.documents import BRIDGE_PAGES, LIGHTHOUSE, load, write_samples

FORMATS = ("txt", "md", "html", "pdf", "docx", "eml", "mbox", "json", "jsonl")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_samples(tmp_path_factory.mktemp("samples"))


def sections(document: Document) -> dict[str, str]:
    """The words of each section by its label."""
    return {
        section.label: document.text[section.start : section.end] for section in document.sections
    }


# --- every format ---


@pytest.mark.parametrize(
    ("format_", "title", "labels"),
    [
        ("txt", "The Light at Grey Head", []),
        ("md", "Water Report 2023", ["Water Report 2023", "Sources", "Quality", "Prices"]),
        (
            "html",
            "Electric ferry joins the Tamsin line",
            ["Electric ferry joins the Tamsin line", "Timetable", "Fares"],
        ),
        ("pdf", "Inspection of the Old Weir Bridge", ["1", "2"]),
        (
            "docx",
            "Minutes of the Museum Society",
            ["Minutes of the Museum Society", "Accounts", "The new wing"],
        ),
        ("eml", "Repairs to the slipway", []),
        ("mbox", "", ["1: Seals on the sandbank", "2: Re: Seals on the sandbank"]),
        ("json", "", ["1", "2"]),
        ("jsonl", "", ["1", "2"]),
    ],
)
def test_title_and_sections(
    samples: dict[str, Path], format_: str, title: str, labels: list[str]
) -> None:
    document = load_document(samples[format_], id=format_)
    assert document.title == title
    assert [section.label for section in document.sections] == labels


@pytest.mark.parametrize("format_", FORMATS)
def test_loading_twice_gives_the_same(samples: dict[str, Path], format_: str) -> None:
    assert load_document(samples[format_], id="a") == load_document(samples[format_], id="a")


@pytest.mark.parametrize("format_", FORMATS)
def test_text_is_clean_and_sections_lie_within_it(samples: dict[str, Path], format_: str) -> None:
    document = load_document(samples[format_], id="a")
    assert document.text == clean(document.text)
    position = 0
    for section in document.sections:
        assert position <= section.start <= section.end <= len(document.text)
        position = section.end
        words = document.text[section.start : section.end]
        assert words == words.strip()
        if section.kind == "heading":
            assert words.lstrip("# ").startswith(section.label)


def test_id_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    document = load_document(path, id="below/a.txt")
    assert document.id == "below/a.txt"
    # the first example of FIPS 180-2, appendix B.1
    assert document.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_digest_is_of_the_bytes_not_of_the_text(tmp_path: Path) -> None:
    data = "caf\xe9\r\n".encode("cp1252")
    assert load(tmp_path, "a.txt", data).sha256 == hashlib.sha256(data).hexdigest()


# --- plain text ---

TEXTS = {
    "western": "Der Leuchtturm wurde 1871 eröffnet.\nDie Wärter hießen Grünwald und Schäfer.",
    "spanish": "El faro se encendió en 1871.\nEspaña pagó 9.400 pesetas año tras año, según él.",
    "swedish": "Fyren tändes år 1871.\nTornet är 38 meter högt och ljuset syns på håll över sjön.",
    "typographic": "The keeper’s log — “first lit in 1871” — cost £9,400 and the café more.",
    "polish": "Latarnia została zbudowana w 1871 roku.\nŚwiatło jest widoczne z daleka. Żółć.",
    "russian": "Маяк был построен в 1871 году.\nВысота башни 38 метров, и свет виден издалека.",
    "greek": "Ο φάρος χτίστηκε το 1871.\nΤο ύψος του πύργου είναι 38 μέτρα.",
    "japanese": "灯台は1871年に建てられました。\n塔の高さは38メートルで、光は遠くから見えます。",
    "chinese": "灯塔建于1871年。\n塔高38米，从很远的地方就能看到灯光。",
}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((name, "utf-8") for name in TEXTS),
        *((name, "utf-8-sig") for name in TEXTS),
        *((name, "utf-16") for name in TEXTS),
        *((name, "utf-32") for name in TEXTS),
        ("western", "utf-16-le"),
        ("western", "utf-16-be"),
        ("russian", "utf-16-le"),
        ("western", "cp1252"),
        ("western", "latin-1"),
        ("western", "cp850"),
        ("spanish", "cp1252"),
        ("swedish", "latin-1"),
        ("typographic", "cp1252"),
        ("typographic", "mac_roman"),
        ("polish", "cp1250"),
        ("russian", "cp1251"),
        ("russian", "koi8_r"),
        ("russian", "cp866"),
        ("greek", "cp1253"),
        ("japanese", "shift_jis"),
        ("japanese", "euc_jp"),
        ("chinese", "gb18030"),
    ],
)
def test_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    assert load(tmp_path, "a.txt", TEXTS[text].encode(encoding)).text == TEXTS[text]


def test_one_broken_byte_does_not_change_the_encoding(tmp_path: Path) -> None:
    data = (TEXTS["western"] * 3).encode() + b"\xff."
    assert load(tmp_path, "a.txt", data).text == TEXTS["western"] * 3 + "\ufffd."


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00",
        b"ends with a zero\x00",
        bytes(range(1, 256)) * 4,
    ],
)
def test_binary_is_not_text(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^is not text$"):
        load(tmp_path, "a.txt", data)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The Light at Grey Head\n\nIt was lit in 1871.", "The Light at Grey Head"),
        ("  What's the real story?\nBy Ann Bell\n\nIt began in May.", "What's the real story?"),
        ("One line alone", ""),
        ("A sentence is no title.\n\nMore text.", ""),
        ("Lines of running text that\nbreak in the middle.", ""),
        ("A line of text as long as lines are when text is wrapped there\nGrows.", ""),
        ("x" * 121 + "\n\nMore text.", ""),
        ("---------\n\nMore text.", ""),
        ("Untitled\n\nMore text.", ""),
    ],
)
def test_title_of_plain_text(tmp_path: Path, text: str, title: str) -> None:
    assert load(tmp_path, "a.txt", text).title == title


# --- Markdown ---

MARKDOWN = """\
+++
title = "Not the heading"
+++
Opening words.

# The *big* `lamp` #

Text with a [link](http://example.org).

```sh
# a comment, not a heading
```

~~~
## nor this
```
# nor this
~~~

The keepers of [Grey Head](head.md)
-----------------------------------

Text.

- an item
and its second line
---

####### seven marks
#no space

## C# and snake_case_names {#anchor}

    # code

Numbers
===
38
"""


def test_markdown_sections(tmp_path: Path) -> None:
    document = load(tmp_path, "a.md", MARKDOWN)
    assert document.title == "Not the heading"
    assert document.text.startswith("Opening words.\n\n# The *big*")
    found = sections(document)
    assert list(found) == [
        "The big lamp",
        "The keepers of Grey Head",
        "C# and snake_case_names",
        "Numbers",
    ]
    assert found["The big lamp"].endswith("# nor this\n~~~")
    assert found["The keepers of Grey Head"].endswith("####### seven marks\n#no space")
    assert found["Numbers"] == "Numbers\n===\n38"


@pytest.mark.parametrize(
    ("source", "title", "text"),
    [
        ("## Small\n\n# Big\n\nText.", "Big", "## Small\n\n# Big\n\nText."),
        ("## Small\n\nText.", "Small", "## Small\n\nText."),
        ("---\ntitle: 'Front'\n---\n# Big", "Front", "# Big"),
        ("---\ntitle: untitled\ndraft: true\n...\n# Big", "Big", "# Big"),
        ("---\n\nA rule above.\n\n---\n\nB", "", "---\n\nA rule above.\n\n---\n\nB"),
        ("---\ntitle: never closed", "", "---\ntitle: never closed"),
        ("A title\n\nText.", "A title", "A title\n\nText."),
    ],
)
def test_markdown_title_and_front_matter(
    tmp_path: Path, source: str, title: str, text: str
) -> None:
    document = load(tmp_path, "a.md", source)
    assert (document.title, document.text) == (title, text)


@given(st.text(st.sampled_from("# -=`~a\n>*[]()_\\{}|1."), max_size=80))
def test_any_markdown_has_sections_that_begin_at_its_headings(source: str) -> None:
    from index.formats.markdown import read

    content = read(source.encode())
    for section, after in zip(content.sections, content.sections[1:], strict=False):
        assert section.end <= after.start
    for section in content.sections:
        line = content.text[section.start : section.end].split("\n")[0]
        assert re.match(r" {0,3}\S", line)
        assert section.label
        assert section.label[0] in line


# --- HTML ---


def test_html_leaves_out_what_stands_around_the_article(samples: dict[str, Path]) -> None:
    text = load_document(samples["html"], id="a").text
    for word in ("cookies", "Sport", "Share", "Tweet", "First!", "beaches", "Copyright", "secret"):
        assert word not in text


def test_html_text(samples: dict[str, Path]) -> None:
    document = load_document(samples["html"], id="a")
    assert sections(document)["Fares"] == (
        "Fares\n\n"
        "A single crossing costs 7.50 euros for an adult, and a car with its driver pays 29 euros."
        "\n\n- Children under twelve travel free\n- Bicycles cost 2 euros"
    )
    assert sections(document)["Timetable"].endswith(
        "not at all.\n\nDay | First | Last\nWeekdays | 06:10 | 22:40\nSundays | 08:00 | 21:00"
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>One <b>bold</b>word.<p>Two<br>lines &amp; more", "One boldword.\n\nTwo\nlines & more"),
        ("no tags at all", "no tags at all"),
        ("<pre>lamp = on\n  range = 20</pre>", "lamp = on\n  range = 20"),
        ("<ul><li>one<li><p>two</p></ul>after", "- one\n- two\n\nafter"),
        ("<table><tr><td>a<br>b<td><td>c</table>", "a b |  | c"),
        ("<h2>Head<a href='#h'>¶</a></h2>text", "Head\n\ntext"),
        ("<p>kept</p><script>x</script><nav>Home</nav>", "kept"),
        ("<frameset></frameset><noframes>kept</noframes>", "kept"),
        ("<?xml version='1.0' encoding='latin-1'?><html><body>é</body></html>", "é"),
        ("<p>a\x00b</p>" + " " * 200, "ab"),
        ("<div>" * 300 + "deep" + "</div>" * 300 + "<p>after</p>", "deep\n\nafter"),
    ],
)
def test_html_of_every_shape(tmp_path: Path, page: str, text: str) -> None:
    assert load(tmp_path, "a.html", page).text == text


def test_html_keeps_the_sections_of_a_manual_that_are_named_like_navigation(tmp_path: Path) -> None:
    # The extractor drops elements with such ids: the manual of IDLE lost half of its text.
    menus = "".join(f"<dt>Entry {n}</dt><dd>Opens the window number {n}.</dd>" for n in range(40))
    page = (
        "<html><body><div role='main'><section id='idle'><h1>The editor</h1>"
        f"<p>{'This manual describes the editor and all of its windows. ' * 8}</p>"
        f"<section id='menus'><h2>Menus</h2><dl>{menus}</dl></section></section></div>"
    )
    found = sections(load(tmp_path, "a.html", page))
    assert list(found) == ["The editor", "Menus"]
    assert found["Menus"].endswith("Entry 39\n\nOpens the window number 39.")


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>The Lamp | Gazette</title><h1>The Lamp</h1>text", "The Lamp"),
        ("<title>Lamps - Gazette</title><h1>Keyboard shortcuts</h1>text", "Lamps - Gazette"),
        ("<title>Untitled Document</title><h1>The Lamp</h1>text", "The Lamp"),
        ("<title> The\n lamp </title>text", "The lamp"),
        ("<p>The lamp</p><p>Text.</p>", "The lamp"),
        ("text", ""),
    ],
)
def test_html_title(tmp_path: Path, page: str, title: str) -> None:
    assert load(tmp_path, "a.htm", page).title == title


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("windows-1251", "cp1251"), ("koi8-r", "koi8_r"), ("utf-8", "utf-8"), ("no-such", "cp1251")],
)
def test_html_encoding(tmp_path: Path, declared: str, encoding: str) -> None:
    page = f"<html><meta charset={declared}><body>{TEXTS['russian']}</body></html>"
    assert load(tmp_path, "a.html", page.encode(encoding)).text == TEXTS["russian"].replace(
        "\n", " "
    )


def test_html_label_latin_1_means_windows_1252(tmp_path: Path) -> None:
    page = "<meta charset=iso-8859-1><p>the keeper’s £5".encode("cp1252")
    assert load(tmp_path, "a.html", page).text == "the keeper’s £5"


def test_html_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    entity = f'<!DOCTYPE html [<!ENTITY x SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'
    assert "secret" not in load(tmp_path, "a.html", f"{entity}<p>words &x; end</p>").text


def test_html_nested_beyond_reason(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^is nested too deeply to be read$"):
        load(tmp_path, "a.html", "<div>" * 1500 + "deep" + "</div>" * 1500)


# --- PDF ---


def write_pdf(path: Path, *pages: str, title: str = "", opens_with: str = "") -> Path:
    pdf = FPDF()
    pdf.set_title(title)
    if opens_with:
        pdf.set_encryption(owner_password=opens_with, user_password=opens_with)
    pdf.set_font("helvetica", size=11)
    for page in pages:
        pdf.add_page()
        if page:
            pdf.multi_cell(0, 5, page, new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(path))
    return path


def test_pdf_pages_are_the_paragraphs_that_were_printed(samples: dict[str, Path]) -> None:
    document = load_document(samples["pdf"], id="a")
    assert [section.kind for section in document.sections] == ["page", "page"]
    printed = ["\n\n".join(page).replace("govern-\nment", "government") for page in BRIDGE_PAGES]
    assert list(sections(document).values()) == printed
    assert document.text == "\n\n".join(printed)


def test_pdf_empty_pages_keep_their_numbers(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", "", "Second page.", "", "Fourth page.", "")
    document = load_document(path, id="a")
    assert document.text == "Second page.\n\nFourth page."
    assert sections(document) == {
        "1": "",
        "2": "Second page.",
        "3": "",
        "4": "Fourth page.",
        "5": "",
    }


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("The govern-\nment paid for it.", "The government paid for it."),
        ("It is well-\nknown and not well-known.", "It is well-known and not well-known."),
        ("In the years 1990-\n2000 it stood.", "In the years 1990-2000 it stood."),
        ("An Anglo-\nSaxon wall.", "An Anglo-Saxon wall."),
        ("Needed:\n- rope\n- a lamp\n1. oil", "Needed:\n- rope\n- a lamp\n1. oil"),
        ("Short.\nThe next line is longer.", "Short.\nThe next line is longer."),
        ("word " * 60, ("word " * 60).strip()),
        ("It stood here until\n12. May.", "It stood here until 12. May."),
        ("2.1 Lamps . . . . 8\n2.2 Keepers . . 9", "2.1 Lamps . . . . 8\n2.2 Keepers . . 9"),
        ("One.\n\n\nTwo.\nThree is longer.", "One.\n\nTwo.\nThree is longer."),
        ("non\xa0breaking and caf\xe9", "non breaking and café"),
    ],
)
def test_pdf_lines_into_paragraphs(tmp_path: Path, printed: str, text: str) -> None:
    assert load_document(write_pdf(tmp_path / "a.pdf", printed), id="a").text == text


def test_pdf_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=11)
    words = "The keepers of the lamp stood watch for four hours and slept for eight of them then. "
    with pdf.text_columns(ncols=2, gutter=10) as columns:
        columns.write(words * 60)
    path = tmp_path / "a.pdf"
    pdf.output(str(path))
    assert load_document(path, id="a").text.replace("\n\n", " ") == (words * 60).strip()


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Report of the Inspectors", "Report of the Inspectors"),
        ("Microsoft Word - report.doc", ""),
        ("report_final.docx", ""),
        ("untitled", ""),
        ("", ""),
    ],
)
def test_pdf_title(tmp_path: Path, title: str, found: str) -> None:
    path = write_pdf(tmp_path / "a.pdf", "All the text there is.", title=title)
    assert load_document(path, id="a").title == found


def test_pdf_with_a_password(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", "Secret.", opens_with="lamp")
    with pytest.raises(DocumentError, match=r"^needs a password$"):
        load_document(path, id="a")


def test_pdf_without_text(tmp_path: Path) -> None:
    with pytest.raises(
        DocumentError, match=r"^holds no text: it is a scan; run with --ocr to have it"
    ):
        load_document(write_pdf(tmp_path / "a.pdf", "", ""), id="a")


@pytest.mark.parametrize("data", [b"not a PDF", b"%PDF-1.4\n%%EOF", b"<html></html>"])
def test_pdf_of_another_kind(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^is not a PDF file, or is damaged$"):
        load(tmp_path, "a.pdf", data)


# --- DOCX ---


def write_docx(path: Path, *body: str) -> Path:
    """A Word document of these paragraphs and tables, given as XML without namespaces."""
    document = docx.Document()
    for number, xml in enumerate(body):
        name = xml[1:].split(">")[0].split(" ")[0]
        element = parse_xml(xml.replace(f"<{name}", f"<{name} {nsdecls('w')}", 1))
        document.element.body.insert(number, element)
    document.save(str(path))
    return path


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            f"<w:p>{run('one ')}<w:r><w:tab/><w:t>two</w:t><w:br/></w:r>{run('three')}</w:p>",
            "one \ttwo\nthree",
        ),
        (f"<w:p>{run('kept ')}<w:ins>{run('inserted')}</w:ins></w:p>", "kept inserted"),
        (f"<w:p>{run('kept')}<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>", "kept"),
        (f"<w:p>{run('kept')}<w:moveFrom>{run('gone')}</w:moveFrom></w:p>", "kept"),
        (f"<w:p><w:hyperlink>{run('linked')}</w:hyperlink></w:p>", "linked"),
        (
            f"<w:sdt><w:sdtContent><w:p>{run('in a control')}</w:p></w:sdtContent></w:sdt>",
            "in a control",
        ),
        (
            f"<w:p>{run('beside')}<w:r><w:pict><w:txbxContent><w:p>{run('in a box')}</w:p>"
            "</w:txbxContent></w:pict></w:r></w:p>",
            "beside\n\nin a box",
        ),
        (
            f"<w:tbl><w:tr><w:tc><w:p>{run('a')}</w:p><w:p>{run('b')}</w:p></w:tc><w:tc><w:p/></w:tc>"
            f"<w:tc><w:p>{run('c')}</w:p></w:tc></w:tr></w:tbl>",
            "a b |  | c",
        ),
        (
            f"<w:tbl><w:tr><w:tc><w:p>{run('a frame')}</w:p><w:p>{run('around text')}</w:p></w:tc>"
            "<w:tc><w:p/></w:tc></w:tr></w:tbl>",
            "a frame\n\naround text",
        ),
    ],
)
def test_docx_text(tmp_path: Path, body: str, text: str) -> None:
    assert load_document(write_docx(tmp_path / "a.docx", body), id="a").text == text


def test_docx_sections(samples: dict[str, Path]) -> None:
    found = sections(load_document(samples["docx"], id="a"))
    assert found["Accounts"].endswith(
        "Signe Vass.\n\nYear | Visitors | Income\n2022 | 9,120 | 41,700\n2023 | 11,045 | 48,200"
    )
    assert found["The new wing"].endswith(
        "square metre.\n\n- Glass cases: ordered from Brandt and Sons"
        "\n- Lifts: two, of which one takes a wheelchair"
    )


def test_docx_style_based_on_a_heading_is_a_heading(tmp_path: Path) -> None:
    document = docx.Document()
    style = document.styles.add_style("Chapter", docx.enum.style.WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = document.styles["Heading 1"]
    document.add_paragraph("The lamp", style="Chapter")
    document.add_paragraph("It was lit.")
    document.save(str(tmp_path / "a.docx"))
    assert sections(load_document(tmp_path / "a.docx", id="a")) == {
        "The lamp": "The lamp\n\nIt was lit."
    }


def test_docx_title_from_its_properties(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.title = "Minutes of March"
    document.add_heading("Accounts")
    document.save(str(tmp_path / "a.docx"))
    assert load_document(tmp_path / "a.docx", id="a").title == "Minutes of March"


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (OLE + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le"), "needs a password"),
        (OLE + b"\0" * 500, "is not a DOCX file; Word or LibreOffice can save it as one"),
        (b"not a zip", "is not a DOCX file, or is damaged"),
        (b"PK\x03\x04 broken", "is not a DOCX file, or is damaged"),
    ],
)
def test_docx_of_another_kind(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=f"^{re.escape(reason)}$"):
        load(tmp_path, "a.docx", data)


def test_docx_that_is_another_zip(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("a.txt", "words")
    with pytest.raises(DocumentError, match=r"^is not a DOCX file, or is damaged$"):
        load(tmp_path, "a.docx", buffer.getvalue())


def test_docx_that_unpacks_without_end(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("word/document.xml", "<w:document/>")
        package.infolist()[0].file_size = 1_000_000_001
    with pytest.raises(DocumentError, match=r"^unpacks to more than 1 GB$"):
        load(tmp_path, "a.docx", buffer.getvalue())


def test_docx_and_pdf_cut_off_anywhere_are_refused(
    samples: dict[str, Path], tmp_path: Path
) -> None:
    # The libraries raise a dozen kinds of errors for damaged files; all must be translated.
    for format_ in ("docx", "pdf"):
        data = samples[format_].read_bytes()
        for length in range(1, len(data) - 100, len(data) // 60):
            with pytest.raises(DocumentError, match=r"damaged$|no text"):
                load(tmp_path, f"a.{format_}", data[:length])


@pytest.mark.slow
def test_docx_with_damaged_parts_is_read_or_refused(
    samples: dict[str, Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(samples["docx"]) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    refused = 0
    for damaged, sound in parts.items():
        for content in (
            None,
            b"",
            b"<a/>",
            sound[:-20],
            sound.replace(b"w:val", b"w:x"),
        ):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as package:
                for name, part in {**parts, damaged: content}.items():
                    if part is not None:
                        package.writestr(name, part)
            try:
                assert load(tmp_path, "a.docx", buffer.getvalue()).text
            except DocumentError as error:
                refused += 1
                assert str(error) in ("is not a DOCX file, or is damaged", "holds no text")
    assert refused >= len(parts)


# --- files that cannot be read ---


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_empty_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DocumentError, match=r"^is empty$"):
        load(tmp_path, f"a{suffix}", b"")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", " \n\t\n \u200b"),
        ("a.md", "---\ntitle: Only this\n---\n"),
        ("a.html", "<html><body><script>x</script></body></html>"),
        ("a.html", "<!-- a comment -->"),
    ],
)
def test_file_without_words(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(DocumentError, match=r"^holds no text$"):
        load(tmp_path, name, content)


def test_docx_without_words(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^holds no text$"):
        load_document(write_docx(tmp_path / "a.docx"), id="a")


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^cannot be read: no such file or directory$"):
        load_document(tmp_path / "a.txt", id="a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("words")
    path.chmod(0)
    with pytest.raises(DocumentError, match=r"^cannot be read: permission denied$"):
        load_document(path, id="a")


def test_folder_with_the_name_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(DocumentError, match=r"^is not a regular file$"):
        load_document(tmp_path / "a.txt", id="a")


def test_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(DocumentError, match=r"^is larger than 100 MB$"):
        load_document(path, id="a")


def test_format_that_is_not_supported(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^format \.odt is not supported$"):
        load(tmp_path, "a.ODT", b"words")


# --- the files of a folder ---


def test_document_files(tmp_path: Path) -> None:
    for name in ("b.TXT", "a/z.md", "a/b/c.pdf", "a.html", "Z.docx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("words")
    for name in (".hidden.txt", ".git/a.txt", "~$Z.docx", "a/photo.JPG", "README"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("words")
    files, skipped = document_files(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in files]
    assert names == ["Z.docx", "a.html", "a/b/c.pdf", "a/z.md", "b.TXT"]
    assert skipped == [
        Skipped("README", "has no suffix that tells its format"),
        Skipped("a/photo.JPG", "is an image; run with --ocr to have it read"),
    ]


def test_document_files_follows_links_only_to_files_in_the_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    for place in (outside, folder):
        (place / "sub").mkdir(parents=True)
        (place / "sub/a.txt").write_text("words")
    (folder / "inside.txt").symlink_to(folder / "sub/a.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "nothing.txt").symlink_to(folder / "missing.txt")
    (folder / "out.txt").symlink_to(outside / "sub/a.txt")
    (folder / "outside").symlink_to(outside)
    files, skipped = document_files(folder)
    assert files == [folder / "inside.txt", folder / "sub/a.txt"]
    assert skipped == [
        Skipped("loop", "is a link to another folder"),
        Skipped("nothing.txt", "is a link to nothing"),
        Skipped("out.txt", "is a link out of the folder"),
        Skipped("outside", "is a link out of the folder"),
    ]


def test_document_files_through_a_link_to_the_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.txt").write_text("words")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    assert document_files(tmp_path / "link") == ([tmp_path / "link/a.txt"], [])


def test_document_files_skips_what_is_no_file_or_has_no_proper_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("words")
    assert document_files(tmp_path) == (
        [],
        [
            Skipped("caf\ufffd.txt", "has a name that is not UTF-8"),
            Skipped("pipe.txt", "is not a regular file"),
        ],
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_document_files_tells_of_closed_folders(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert document_files(tmp_path) == (
        [],
        [Skipped("closed", "cannot be read: permission denied")],
    )


def test_document_files_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="missing” is not a folder: run 'footnote index FOLD"):
        document_files(tmp_path / "missing")


# --- cleaning ---


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("a \t\n\n\n\n b  ", "a\n\n b"),
        ("5\xa0000\u202feuros\u3000more", "5 000 euros more"),
        ("so\xadft \u200bzero\ufeff \x07bell\x1b", "soft zero bell"),
        ("\u202eabc\u2069 \ufffe\U0001ffff\U000e0041x\ud800", "abc x"),
        (
            "می\u200cخواهم क्\u200dष \U0001f469\u200d\U0001f680",
            "می\u200cخواهم क्\u200dष \U0001f469\u200d\U0001f680",
        ),
        ("pass\u200cword\u200d \u200cا", "password ا"),
        ("e\u0301 ﬁ ①", "e\u0301 ﬁ ①"),  # no normal form is forced on the document's words
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


ODD = "ab \t\n\r\x0b\x0c\x85\u2028\u2029\xa0\u3000\xad\u200b\u200c\u200d\ufeff\ufffe\x00\x1fम😀"


@given(st.text() | st.text(st.sampled_from(ODD)))
def test_cleaning_leaves_nothing_odd_and_is_done_once(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not re.search(r"[^\S\n \t]|[ \t]\n|\n{3}|^\n|\n$", cleaned)
    for character in cleaned:
        assert character in "\n\t" or unicodedata.category(character) not in (
            "Cc",
            "Cs",
            "Zl",
            "Zp",
        )
        assert ord(character) & 0xFFFE != 0xFFFE
    assert [c for c in text if c.isalnum()] == [c for c in cleaned if c.isalnum()]


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_text_is_loaded_as_it_is_but_cleaned(text: str) -> None:
    from index.formats.text import decode

    if "\0" not in text and sum(c < " " for c in text) <= 2:
        assert clean(decode(text.encode())) == clean(text)


def test_samples_say_what_other_tests_ask_for(samples: dict[str, Path]) -> None:
    assert load_document(samples["txt"], id="a").text == LIGHTHOUSE.strip()
