"""Who wrote a document, when, and where it is from: as the document says, or not at all."""

import io
import shutil
from datetime import UTC, datetime
from pathlib import Path

import docx
import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from index.folder import document_files
from index.formats.metadata import iso_date, named_author, web_address
from index.load import load_document
from index.records import Skipped
from models.errors import DocumentError
from tests.documents import load

# --- dates and names ---


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2019", "2019"),
        ("2019-03", "2019-03"),
        ("2019-03-24", "2019-03-24"),
        (" 2019/3/4 ", "2019-03-04"),
        ("2019-03-24T14:05:00.123Z", "2019-03-24T14:05:00"),
        ("2019-03-24 14:05", "2019-03-24T14:05:00"),
        ("2019-03-24T14:05:00+01:00", "2019-03-24T14:05:00"),
        ("20190324", "2019-03-24"),
        ("20190324T140500Z", "2019-03-24T14:05:00"),
        ("D:20190324140500+01'00'", "2019-03-24T14:05:00"),
        ("D:20190324140500Z00'00'", "2019-03-24T14:05:00"),
        ("D:201903", "2019-03"),
        ("24.3.2019", "2019-03-24"),
        ("24/03/2019", "2019-03-24"),
        ("03/24/2019", "2019-03-24"),
        ("3/3/2019", "2019-03-03"),
        ("24 March 2019", "2019-03-24"),
        ("Sunday, 24th of March 2019", "2019-03-24"),
        ("Mar. 24, 2019", "2019-03-24"),
        ("March 24, 2019 at 14:05", "2019-03-24T14:05:00"),
        ("March 2019", "2019-03"),
        ("Sun, 24 Mar 2019 14:05:00 +0100 (CET)", "2019-03-24T14:05:00"),
        ("3/4/2019", ""),  # March or April?
        ("201903", ""),
        ("1711270000", ""),
        ("24 Mar", ""),
        ("24 Mar 19", ""),
        ("2019-02-30", ""),
        ("2019-13-01", ""),
        ("31 June 2019", ""),
        ("0019-03-24", ""),
        ("1970-01-01T00:00:00Z", ""),
        ("0001-01-01", ""),
        ("D:16010101000000Z", ""),
        ("from 2019 to 2020", ""),
        ("٢٠١٩", ""),
        ("", ""),
        ("9" * 5000, ""),
    ],
)
def test_iso_date(text: str, date: str) -> None:
    assert iso_date(text) == date


@given(st.text() | st.text(st.sampled_from("0123456789-/:.T+ZD'( Maruneyg,")))
def test_any_text_is_a_date_or_none(text: str) -> None:
    date = iso_date(text)
    assert date == "" or datetime.fromisoformat((date + "-01-01")[:10] if len(date) < 10 else date)
    assert iso_date(date) == date


@pytest.mark.parametrize(
    ("author", "named"),
    [
        (" Alma \n Kettering ", "Alma Kettering"),
        ("Bell, Ann; Dale, Ruth;", "Bell, Ann; Dale, Ruth"),
        ("Harriet User", "Harriet User"),
        ("Microsoft", ""),
        ("Microsoft Office User", ""),
        ("Administrator", ""),
        ("admin", ""),
        ("User 1", ""),
        ("user", ""),
        ("python-docx", ""),
        ("unknown", ""),
        ("owner", ""),
        ("https://www.facebook.com/x", ""),
        ("@gazette", ""),
        ("---", ""),
        ("12", ""),
    ],
)
def test_named_author(author: str, named: str) -> None:
    assert named_author(author) == named


def test_web_address() -> None:
    assert web_address(" https://example.org/a?b=c#d ") == "https://example.org/a?b=c#d"
    for text in ("example.org", "file:///etc/passwd", "javascript:x", "https://", "http://a b"):
        assert web_address(text) == ""


# --- HTML ---


@pytest.mark.parametrize(
    ("head", "author", "date", "source"),
    [
        ("<meta name=Author content='Ann Bell'>", "Ann Bell", "", ""),
        ("<meta name=author content=admin><meta name=DC.Creator content=Bell>", "Bell", "", ""),
        (
            "<meta name=citation_author content='A. Bell'>"
            "<meta name=citation_author content='C. D.'>",
            "A. Bell; C. D.",
            "",
            "",
        ),
        (
            "<meta property='article:author' content='https://facebook.com/x'>"
            "<meta property='article:published_time' content='2019-03-24T14:05:00+01:00'>",
            "",
            "2019-03-24T14:05:00",
            "",
        ),
        ("<meta name=date content=yesterday><time datetime=2019-03-24>x</time>", "", "", ""),
        ("<meta property='article:modified_time' content='2020-01-02'>", "", "", ""),
        (
            """<script type="application/ld+json">{"@graph": [
            {"@type": "WebPage", "datePublished": "2018-01-02"},
            {"@type": ["NewsArticle"], "datePublished": "2019-03-24",
             "author": [{"@type": "Person", "name": "Ann Bell"}, "C. Dale"]}
            ]}</script>""",
            "Ann Bell; C. Dale",
            "2019-03-24",
            "",
        ),
        (
            '<script type="application/ld+json">[{"@type": "BlogPosting", "datePublished": '
            '"2019-03-24"}, {"@type": "BlogPosting", "datePublished": "2018-03-24"}]</script>',
            "",
            "",
            "",
        ),
        ('<script type="application/ld+json">{"@type": NaN,</script>', "", "", ""),
        ('<script type="application/ld+json">' + "[" * 5000 + "</script>", "", "", ""),
        ("<link rel=canonical href=https://example.org/a>", "", "", "https://example.org/a"),
        (
            "<meta property='og:url' content='https://example.org/b'>"
            "<link rel=canonical href='/a'>",
            "",
            "",
            "https://example.org/a",
        ),
        ("<link rel=canonical href='/a'>", "", "", ""),
        ("<link rel=canonical href='//[::1'>", "", "", ""),
        ("<!-- saved from url=(0021)https://example.org/c -->", "", "", "https://example.org/c"),
        (
            "<!--\n Page saved with SingleFile \n url: https://example.org/d \n-->",
            "",
            "",
            "https://example.org/d",
        ),
    ],
)
def test_html(tmp_path: Path, head: str, author: str, date: str, source: str) -> None:
    page = f"<html><head>{head}</head><body><p>Copyright 2020 by Someone. On 3 May 2021 it rained."
    document = load(tmp_path, "a.html", page)
    assert (document.author, document.date, document.source) == (author, date, source)


def test_html_declared_in_its_body(tmp_path: Path) -> None:
    page = (
        "<p>Words.</p><p itemprop=author>by <a itemprop=name>Ann Bell</a></p>"
        "<time itemprop=datePublished datetime='2019-03-24'>Sunday</time>"
    )
    document = load(tmp_path, "a.html", page)
    assert (document.author, document.date) == ("Ann Bell", "2019-03-24")


# --- Markdown ---


@pytest.mark.parametrize(
    ("front", "author", "date", "source"),
    [
        (
            "author: Ann Bell\ndate: 2019-03-24\nurl: https://a.example/b",
            "Ann Bell",
            "2019-03-24",
            "https://a.example/b",
        ),
        (
            "Author: \"Bell: Ann\" # she\ndate: '2019-03-24 14:05' \n"
            "source: https://a.example#x # y",
            "Bell: Ann",
            "2019-03-24T14:05:00",
            "https://a.example#x",
        ),
        ("author: [Ann, Ruth]\ndate: |\n  2019-03-24\nsource: a book", "", "", ""),
        ("authors:\n  - Ann\nauthor:\n  name: Ann\ndate: spring", "", "", ""),
        ("x: y\n  author: nested", "", "", ""),
    ],
)
def test_markdown(tmp_path: Path, front: str, author: str, date: str, source: str) -> None:
    document = load(tmp_path, "a.md", f"---\n{front}\n---\n# Lamp\n\nWords.")
    assert (document.author, document.date, document.source) == (author, date, source)
    assert document.text == "# Lamp\n\nWords."


# --- DOCX and PDF ---


def test_docx(tmp_path: Path) -> None:
    written = docx.Document()
    written.add_paragraph("Words.")
    path = tmp_path / "a.docx"
    written.save(str(path))
    document = load_document(path, id="a")  # what the template of python-docx says is not it
    assert (document.author, document.date) == ("", "")
    written.core_properties.author = "Ann Bell"
    written.core_properties.created = datetime(2019, 3, 24, 14, 5, tzinfo=UTC)
    written.save(str(path))
    document = load_document(path, id="a")
    assert (document.author, document.date) == ("Ann Bell", "2019-03-24T14:05:00")


def pdf_of(*pages: str | Image.Image, author: str = "") -> bytes:
    pdf = FPDF()
    pdf.set_author(author)
    pdf.set_creation_date(datetime(2019, 3, 24, 14, 5, tzinfo=UTC))
    pdf.set_font("helvetica", size=11)
    for page in pages:
        pdf.add_page()
        if isinstance(page, Image.Image):
            pdf.image(page, x=0, y=0, w=pdf.w)
        elif page:
            pdf.multi_cell(0, 5, page)
    return bytes(pdf.output())


@pytest.mark.parametrize(("author", "named"), [("Ann Bell", "Ann Bell"), ("Administrator", "")])
def test_pdf(tmp_path: Path, author: str, named: str) -> None:
    document = load(tmp_path, "a.pdf", pdf_of("Words.", author=author))
    assert (document.author, document.date) == (named, "2019-03-24T14:05:00")


def test_pdf_keeps_its_other_pages_when_one_cannot_be_read(tmp_path: Path) -> None:
    data = pdf_of("First page.", "Second page.", "Third page.")
    broken = data.replace(b"/Type /Page\n", b"/Type /Pagx\n", 2).replace(b"/Pagx", b"/Page", 1)
    assert broken != data
    document = load(tmp_path, "a.pdf", broken)
    assert document.text == "First page.\n\nThird page."
    labels = [(section.label, section.end - section.start) for section in document.sections]
    assert labels == [("1", 11), ("2", 0), ("3", 11)]


# --- scans ---

PRINTED = "The keepers of the lamp stood watch\nfor four hours and slept for eight."


def picture(text: str) -> Image.Image:
    image = Image.new("L", (1240, 600), 255)
    font = ImageFont.load_default(size=40)
    ImageDraw.Draw(image).multiline_text((80, 80), text, font=font, fill=0, spacing=20)
    return image


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    more = [picture("And there is a second page.")] if kind == "TIFF" else []
    image.save(buffer, kind, **({"save_all": True, "append_images": more} if more else {}))
    return buffer.getvalue()


needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="the program tesseract is not installed"
)


@pytest.mark.slow
@needs_tesseract
def test_a_scan_is_read_by_request(tmp_path: Path) -> None:
    data = pdf_of(picture(PRINTED), "", author="Ann Bell")
    with pytest.raises(DocumentError, match=r"^holds no text: it is a scan; run with --ocr to"):
        load(tmp_path, "a.pdf", data)
    document = load(tmp_path, "a.pdf", data, ocr=True)
    assert document.text == PRINTED.replace("\n", " ")
    assert document.author == "Ann Bell"
    sections = [(section.kind, section.label, section.end) for section in document.sections]
    end = len(document.text)
    assert sections == [("page", "1", end), ("page", "2", end)]


@pytest.mark.slow
@needs_tesseract
def test_an_image_is_read_by_request(tmp_path: Path) -> None:
    (tmp_path / "a.PNG").write_bytes(encoded(picture(PRINTED), "PNG"))
    with pytest.raises(DocumentError, match=r"^is an image; run with --ocr to have it read$"):
        load_document(tmp_path / "a.PNG", id="a")
    document = load_document(tmp_path / "a.PNG", id="a", ocr=True)
    assert document.text == PRINTED.replace("\n", " ")
    assert document.sections == ()
    document = load(tmp_path, "a.tiff", encoded(picture(PRINTED), "TIFF"), ocr=True)
    assert document.text.endswith("\n\nAnd there is a second page.")
    assert [section.label for section in document.sections] == ["1", "2"]


@needs_tesseract
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no image", "is not an image, or is damaged"),
        (encoded(picture("x"), "PNG")[:300], "is not an image, or is damaged"),
        (encoded(Image.new("1", (10_000, 8_001)), "PNG"), "has more than 80 million pixels"),
        (encoded(Image.new("1", (40_000, 5_000)), "PNG"), "has more than 80 million pixels"),
        (encoded(Image.new("L", (300, 300), 255), "PNG"), "holds no text"),
    ],
)
def test_images_that_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError) as raised:
        load(tmp_path, "a.png", data, ocr=True)
    assert str(raised.value) == reason


@needs_tesseract
def test_a_language_that_is_not_installed() -> None:
    from index.formats.ocr import read_image

    with pytest.raises(DocumentError, match=r"language “xyz” is not installed \(Debian: apt-get"):
        read_image(b"", languages="eng+xyz")


def test_without_tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytesseract = pytest.importorskip("pytesseract").pytesseract
    monkeypatch.setattr(pytesseract, "tesseract_cmd", str(tmp_path / "no-such-program"))
    with pytest.raises(DocumentError, match=r"^is a scan; to have it read install Tesseract"):
        load(tmp_path, "a.pdf", pdf_of(""), ocr=True)


def test_images_in_a_folder(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.TIF", "c.txt"):
        (tmp_path / name).write_text("words")
    reason = "is an image; run with --ocr to have it read"
    skipped = [Skipped("a.jpg", reason), Skipped("b.TIF", reason)]
    assert document_files(tmp_path) == ([tmp_path / "c.txt"], skipped)
    assert document_files(tmp_path, ocr=True)[1] == []
