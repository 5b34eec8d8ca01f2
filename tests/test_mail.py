"""Mail: what was written, by whom and when, however the programs on its way wrapped it."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.formats import mail, mailbox
from index.formats.content import Content, clean
from models.errors import DocumentError
from tests.documents import SEALS_MAILBOX, SLIPWAY_MAIL, load


def body(message: bytes) -> str:
    """The text below the headers of a message, of which there is one: its subject."""
    text = mail.read(b"Subject: s\n" + message).text
    assert text == "Subject: s" or text.startswith("Subject: s\n\n")
    return text.removeprefix("Subject: s").lstrip("\n")


def multipart(kind: str, *parts: bytes, boundary: bytes = b"b") -> bytes:
    lines = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts)
    head = b'Content-Type: multipart/%s; boundary="%s"\n\n' % (kind.encode(), boundary)
    return head + lines + b"--" + boundary + b"--\n"


# --- one message ---


def test_message(tmp_path: Path) -> None:
    document = load(tmp_path, "a.eml", SLIPWAY_MAIL.replace("\n", "\r\n"))
    assert document.title == "Repairs to the slipway"
    assert document.author == "Ane Skaår <ane@sorrelbay.example>"
    assert document.date == "2024-04-16T09:12:00"
    assert document.sections == ()
    assert document.text.startswith(
        "Subject: Repairs to the slipway\nFrom: Ane Skaår <ane@sorrelbay.example>\n"
        "To: Harbour Board <board@sorrelbay.example>\nDate: Tue, 16 Apr 2024 09:12:00 +0200\n\n"
        "Dear board,\n\nthe slipway below"
    )
    assert "since the autumn" in document.text
    assert "café breaks" in document.text
    assert document.text.endswith("launched there.\n\nAttachments: offer.pdf")


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        (b"utf-8", "Müller".encode(), "Müller"),
        (b"iso-8859-1", "the keeper’s £5".encode("cp1252"), "the keeper’s £5"),
        (b"koi8-r", "Маяк был построен".encode("koi8_r"), "Маяк был построен"),
        (b"iso-2022-jp", "灯台は".encode("iso2022_jp"), "灯台は"),
        (b"utf-7", b"caf+AOk-", "café"),
        (b"utf-8", "Die Wärter hießen Grünwald".encode("cp1252"), "Die Wärter hießen Grünwald"),
        (b"no-such", "Müller".encode(), "Müller"),
        (b"us-ascii", "Müller".encode(), "Müller"),
        (b"unicode_escape", rb"a\xe9\qb", r"a\xe9\qb"),
        (b"rot13", b"words", "words"),
        (b"\0\xff", b"words", "words"),
    ],
)
def test_charsets(charset: bytes, data: bytes, text: str) -> None:
    assert body(b"Content-Type: text/plain; charset=" + charset + b"\n\n" + data) == text


@pytest.mark.parametrize(
    ("encoding", "data", "text"),
    [
        (b"base64", b"Y2Fmw6k=", "café"),
        (b"base64", b"Y2Fmw6k", "café"),  # its padding is missing
        (b"base64", b"!!", ""),
        (b"quoted-printable", b"caf=C3=A9 a=\nb =ZZ", "café ab =ZZ"),
        (b"x-uuencode", b"begin 644 a\n#86)C\n`\nend\n", "abc"),
        (b"x-uuencode", b"no such thing", "no such thing"),
        (b"no-such", b"words", "words"),
    ],
)
def test_transfer_encodings(encoding: bytes, data: bytes, text: str) -> None:
    assert body(b"Content-Transfer-Encoding: " + encoding + b"\n\n" + data) == text


PLAIN = b"Content-Type: text/plain\n\nplain words\n"
HTML = b"Content-Type: text/html; charset=utf-8\n\n<p>page <b>words</b> \xc3\xa9</p>\n"
EMPTY = b"Content-Type: text/plain\n\n \n"
PICTURE = b'Content-Type: image/png; name="lamp.png"\n\nx\n'


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (PLAIN, "plain words"),
        (HTML, "page words é"),
        (multipart("alternative", PLAIN, HTML), "plain words"),
        (multipart("alternative", HTML, PLAIN), "plain words"),
        (multipart("alternative", EMPTY, HTML), "page words é"),
        (multipart("mixed", HTML, PLAIN), "page words é\n\nplain words"),
        (
            multipart("mixed", multipart("alternative", PLAIN, HTML, boundary=b"in"), PICTURE),
            "plain words\n\nAttachments: lamp.png",
        ),
        (
            multipart("mixed", PLAIN, b"Content-Disposition: attachment; filename=a.txt\n\nx"),
            "plain words\n\nAttachments: a.txt",
        ),
        (
            multipart("mixed", PLAIN, b"Content-Type: message/rfc822\n\nSubject: old\n\nx"),
            "plain words\n\nAttachments: old",
        ),
        (
            multipart("mixed", PLAIN, b"Content-Type: image/png\n\nx"),
            "plain words\n\nAttachments: image/png",
        ),
        (
            multipart("mixed", PLAIN, b"Content-Type: text/plain\n\n\x01\x02\x03\x04"),
            "plain words\n\nAttachments: text/plain",
        ),
        (b"Content-Type: multipart/mixed\n\nno boundary at all", "no boundary at all"),
        (b"Content-Type: multipart/mixed; boundary=x\n\nnever begun", "never begun"),
        (b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nnever closed", "never closed"),
        (b"Content-Type: ;;;\n\nwords", "words"),
        (b"Content-Disposition: ;;=\n\nwords", "words"),
    ],
)
def test_parts(message: bytes, text: str) -> None:
    assert body(message) == text


@pytest.mark.parametrize(
    ("sender", "author"),
    [
        (b"Ann Bell <ann@x.example>", "Ann Bell <ann@x.example>"),
        (b'"Bell, Ann" <ann@x.example>', "Bell, Ann <ann@x.example>"),
        (b"ann@x.example", "ann@x.example"),
        (b"=?utf-8?b?TcO8bGxlcg==?= <m@x.example>", "Müller <m@x.example>"),
        ("Müller <m@x.example>".encode(), "Müller <m@x.example>"),
        ("Müller <m@x.example>".encode("cp1252"), "Müller <m@x.example>"),
        (b"=?no-such?q?Bell?= <m@x.example>", "Bell <m@x.example>"),
        (b"", ""),
    ],
)
def test_author(sender: bytes, author: str) -> None:
    assert mail.read(b"Subject: s\nFrom: " + sender + b"\n\nwords").author == author


@pytest.mark.parametrize(
    ("date", "found"),
    [
        (b"Mon, 6 May 2024 08:00:00 +0200 (CEST)", "2024-05-06T08:00:00"),
        (b"6 May 24 08:00 GMT", ""),
        (b"yesterday", ""),
        (b"Mon, 99 May 2024 99:00:00 +0200", ""),
        (b"Mon, 6 May 2024 08:00:00 +99999999999999", "2024-05-06T08:00:00"),
    ],
)
def test_date(date: bytes, found: str) -> None:
    assert mail.read(b"Subject: s\nDate: " + date + b"\n\nwords").date == found


@pytest.mark.parametrize(
    "message",
    [
        multipart("encrypted", b"Content-Type: application/pgp-encrypted\n\nVersion: 1"),
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIIB",
        b"Content-Type: application/x-pkcs7-mime; name=smime.p7m\n\nMIIB",
        b"\n-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n",
    ],
)
def test_encrypted(tmp_path: Path, message: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^is encrypted$"):
        load(tmp_path, "a.eml", b"Subject: s\n" + message)
    box = b"From a@b Mon May  6 08:00:00 2024\nSubject: s\n" + message + b"\n\n"
    document = load(tmp_path, "a.mbox", box + SEALS_MAILBOX.encode())
    assert document.text.startswith("Subject: s\n\nSubject: Seals")
    assert document.sections[0].label == "1: s"


@pytest.mark.parametrize(
    "data", [b"words alone", b"\x89PNG\r\n\x1a\n\0\0", b"\n\n\n", b"a: b\n\nc"]
)
def test_what_is_no_message(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^is not a mail message"):
        load(tmp_path, "a.eml", data)


# --- hostile mail ---


def nested(depth: int) -> bytes:
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (level, level)
        for level in range(depth)
    )
    return b"Subject: deep\n" + opened + b"\nwords"


@pytest.mark.slow
def test_nested_a_thousand_deep(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^is nested too deeply to be read$"):
        load(tmp_path, "a.eml", nested(1000))
    box = b"From a@b Mon May  6 08:00:00 2024\n" + nested(1000) + b"\n\n"
    document = load(tmp_path, "a.mbox", box + SEALS_MAILBOX.encode())
    assert len(document.sections) == 3
    assert document.text.startswith("Subject: deep\n\nSubject: Seals")


@pytest.mark.parametrize(
    "bomb",
    [
        b"(" * 1900,
        b"(" * 100_000,
        b"a@b.example, " * 5_000,
        b"=?utf-8?q?a?= " * 5_000,
        b'"' * 100_001,
        b"\xff\xfe" * 50_000,
        b"<" * 1900,
        b"a." * 900,
        b"=?utf-8?q?=ED=A0=80?=",  # a lone surrogate
        b"=?utf-16?b?AA==?=",
        b"=?\xff?q?a?=",
        b"\0\0\0",
        b'text/plain; a="' + b'\\";' * 20_000,
        b"text/plain; " + b"a*0*=b; " * 20_000,
    ],
)
def test_header_bombs(bomb: bytes) -> None:
    names = b"From To Subject Date Message-ID Content-Type Content-Disposition".split()
    names.append(b"Content-Transfer-Encoding")
    begun = time.process_time()
    for name in names:
        content = mail.read(b"Subject: s\n" + name + b": " + bomb + b"\n\nwords")
        assert content.text == clean(content.text)
        assert content.author == clean(content.author)
        assert "words" in content.text or name.startswith(b"Content-")
    assert time.process_time() - begun < 5


LINES = st.sampled_from(
    [
        *(b"From a@b Mon May  6 08:00:00 2024", b"From ", b">From x", b"", b"", b"--b", b"--b--"),
        *(b"Subject: =?utf-8?q?=E9?=", b"From: a <b", b"To: ,;:", b"Date: 6 May", b"Cc: \xff"),
        *(b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: text/html; charset*=x''%"),
        *(b"Content-Type: message/rfc822", b"Content-Type: multipart/alternative; boundary=b"),
        *(b"Content-Transfer-Encoding: base64", b"Content-Disposition: attachment; filename*0=a"),
        *(b"<p>caf\xe9</p>", b"words", b"=C3=28", b"\0", b"\xed\xa0\x80", b" folded", b"a\rb"),
    ]
)


@given(st.lists(LINES, max_size=25) | st.binary(max_size=80).map(lambda data: [data]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(lines: list[bytes]) -> None:
    for read, data in (
        (mail.read, b"Subject: s\n" + b"\n".join(lines)),
        (mailbox.read, b"From a@b Mon May  6 08:00:00 2024\nTo: x\n" + b"\n".join(lines)),
        (mail.read, b"\n".join(lines)),
        (mailbox.read, b"\n".join(lines)),
    ):
        try:
            check(read(data))
        except DocumentError as error:
            assert str(error) in ("is encrypted", "is not a mail message") or "mailbox" in str(
                error
            )


def check(content: Content) -> None:
    assert content.text == clean(content.text)
    position = 0
    for section in content.sections:
        assert position <= section.start <= section.end <= len(content.text)
        position = section.start


# --- mailboxes ---


def test_mailbox(tmp_path: Path) -> None:
    document = load(tmp_path, "a.mbox", SEALS_MAILBOX)
    assert (document.title, document.author, document.date) == ("", "", "")
    first, second = document.sections
    assert (first.kind, first.label) == ("message", "1: Seals on the sandbank")
    assert (second.kind, second.label) == ("message", "2: Re: Seals on the sandbank")
    text = document.text[first.start : first.end]
    assert text.startswith("Subject: Seals")
    assert "\n\nFrom the tower" in text
    assert document.text[second.start : second.end].startswith("Subject: Re: Seals")
    assert load(tmp_path, "b.mbox", SEALS_MAILBOX.replace("\n", "\r\n")).text == document.text


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("From 1789@xxx Sat Mar 23 14:05:00 +0000 2019", 2),
        ("From - Sat Mar 23 14:05:00 2019", 2),
        ("From ", 2),
        ("From nobody", 2),
        ("From here on it rains.", 1),
        ("From 12:30 on it rains", 2),  # with what looks like a header below it
    ],
)
def test_where_messages_begin(line: str, count: int) -> None:
    box = f"From a Sat Mar 23 14:05:00 2019\nSubject: a\n\nwords\n\n{line}\nSubject: b\n\nmore\n"
    assert len(mailbox.read(box.encode()).sections) == count


def test_a_sentence_that_begins_with_from_begins_no_message() -> None:
    box = b"From a Sat Mar 23 14:05:00 2019\nSubject: a\n\nFrom 12:30 on it rained.\nA lot.\n"
    assert mailbox.read(box).text.endswith("From 12:30 on it rained.\nA lot.")


def test_a_message_that_is_none_is_kept_as_it_stands() -> None:
    box = b"From a Sat Mar 23 14:05:00 2019\nX: y\n\nwords"
    content = mailbox.read(box)
    assert content.text == "X: y\n\nwords"
    assert [section.label for section in content.sections] == ["1"]


@pytest.mark.parametrize(
    "data", [b"words", b"Subject: a\n\nwords", b"From Rome with love.", b"\0\1"]
)
def test_what_is_no_mailbox(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^is not a mailbox"):
        load(tmp_path, "a.mbox", data)
