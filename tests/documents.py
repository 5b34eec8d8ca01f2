"""Sample documents, one of each format, as a folder of somebody's papers would hold them.

Everything in them is invented. Each says a few things that questions can be asked about.
"""

import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import docx
import pptx
import xlsxwriter
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

from index.load import load_document
from index.records import Document

LIGHTHOUSE = """\
The Light at Grey Head

The lighthouse at Grey Head was first lit on 3 October 1871. Its tower is 38 metres high and \
stands on a reef two miles off the village of Sorrel Bay. The province paid 9,400 pounds for it, \
nearly twice the sum that the engineer, Alma Kettering, had named in her first letter.

Three keepers lived on the rock with their families until 1964. Each stood watch for four hours \
and slept for eight. The last head keeper, Edda Morrow, kept goats in the oil store and wrote \
weather reports that were printed every Friday in the Harbour Gazette.

In the storm of 11 January 1923 the steamer Calliope struck the reef with 62 people on board. \
The keepers brought 59 of them ashore with a line and a breeches buoy. A bell that was saved from \
the ship hangs in the lamp room to this day.

Since 1964 the lamp has been automatic. It shows two white flashes every fifteen seconds and is \
seen from 21 nautical miles away.
"""

WATER_REPORT = """\
---
title: Water Report 2023
author: Aldermoor Municipal Works
---

# Water Report 2023

The municipality of Aldermoor supplied 4.2 million cubic metres of drinking water in 2023, which
is 3 percent less than in the year before. About **61,000 people** live in the area.

## Sources

Two thirds of the water came from the Fennel Springs and one third from the Alder reservoir. The
reservoir was at its lowest, 38 percent, on 2 September.

- Fennel Springs: 2.8 million cubic metres
- Alder reservoir: 1.4 million cubic metres

## Quality

The laboratory took 1,344 samples. Eleven were above the limit for iron, all from the pipe below
Mill Street, which was replaced in November.

| Substance | Mean    | Limit  |
| --------- | ------- | ------ |
| Nitrate   | 12 mg/l | 50 mg/l |
| Iron      | 0.04 mg/l | 0.2 mg/l |

## Prices

From 1 January 2024 a cubic metre costs 2.15 euros. The price had been 1.98 euros since 2019.
"""

FERRY_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Electric ferry joins the Tamsin line | Harbour Gazette</title>
<style>p { color: black }</style>
<script>window.tracking = "secret tracking code";</script>
</head>
<body>
<div class="cookie-banner"><p>We use cookies to improve your visit. Accept all cookies</p></div>
<header><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav></header>
<main>
<article>
<h1>Electric ferry joins the Tamsin line</h1>
<div class="share-buttons"><a href="#f">Share on Facebook</a> <a href="#t">Tweet this</a></div>
<p>The ferry <b>Petrel</b> made its first crossing from Sorrel Bay to Tamsin Island on Monday. It
carries 180 passengers and 24 cars and needs 35 minutes for the nine miles, as the old ship did.</p>
<p>The batteries weigh 18 tonnes and are charged in twelve minutes at the new pier, which cost 6.3
million euros. The line saves 900 tonnes of diesel oil a year, said its director, Joan Abel.</p>
<h2>Timetable</h2>
<p>There are eleven crossings a day until the end of September. In winter the Petrel sails seven
times a day, and on stormy days not at all.</p>
<table>
<tr><th>Day</th><th>First</th><th>Last</th></tr>
<tr><td>Weekdays</td><td>06:10</td><td>22:40</td></tr>
<tr><td>Sundays</td><td>08:00</td><td>21:00</td></tr>
</table>
<h2>Fares</h2>
<p>A single crossing costs 7.50 euros for an adult, and a car with its driver pays 29 euros.</p>
<ul><li>Children under twelve travel free</li><li>Bicycles cost 2 euros</li></ul>
</article>
<section id="comments"><h3>Readers say</h3>
<div class="comment"><p>First! Finally somebody does something about that smell of oil.</p></div>
</section>
</main>
<aside><h3>Most read</h3><a href="/a">Ten beaches without wind</a></aside>
<footer><p>Copyright Harbour Gazette. All rights reserved.</p></footer>
</body>
</html>
"""

BRIDGE_PAGES = (
    (
        "Inspection of the Old Weir Bridge",
        "The bridge over the Tarn at Old Weir was inspected on 14 and 15 May 2022. It was built in "
        "1908, has three arches of 22 metres each, and carries a single lane of road. The govern-\n"
        "ment of the province asked for the report after a lorry of 19 tonnes had crossed it.",
        "The inspectors drilled 36 cores. The stone of the eastern pier is sound, but the mortar "
        "has been washed out to a depth of 40 centimetres below the waterline.",
    ),
    (
        "Findings",
        "Water enters through the road surface above the middle arch. The iron ties, added in "
        "1951, have lost a third of their thickness to rust, and two of the eight are broken.",
        "The load should be limited to 7.5 tonnes at once. Repairs are estimated at 1.4 million "
        "euros and would take nine months, during which the well-known footpath stays open.",
    ),
)

SLIPWAY_MAIL = """\
From: =?utf-8?q?Ane_Ska=C3=A5r?= <ane@sorrelbay.example>
To: Harbour Board <board@sorrelbay.example>
Subject: Repairs to the slipway
Date: Tue, 16 Apr 2024 09:12:00 +0200
Message-ID: <1@sorrelbay.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="knot"

--knot
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

Dear board,

the slipway below the boathouse has sunk by eleven centimetres since the au=
tumn. The firm Halvard & Daughters offers to lift it for 27,300 euros, caf=
=C3=A9 breaks included.

We should decide before the regatta on 8 June, when forty boats are to be launched there.

--knot
Content-Type: application/pdf; name="offer.pdf"
Content-Disposition: attachment; filename="offer.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjQK
--knot--
"""

SEALS_MAILBOX = """\
From lotte@tamsin.example Mon May  6 08:00:00 2024
From: Lotte Brem <lotte@tamsin.example>
To: wardens@tamsin.example
Subject: Seals on the sandbank
Date: Mon, 06 May 2024 08:00:00 +0200
Content-Type: text/plain; charset=iso-8859-1

This morning I counted 214 grey seals on the northern sandbank, among them 31 pups.

>From the tower one can see that the dogs of the campers run down to the water at low tide.

From otto@tamsin.example Mon May  6 17:30:00 2024
From: otto@tamsin.example
To: wardens@tamsin.example
Subject: Re: Seals on the sandbank
Date: Mon, 06 May 2024 17:30:00 +0200

The sandbank will be closed to visitors from 10 May until the last day of August this year.

"""

LOANS = """\
[
  {
    "id": 81,
    "title": "A barometer for Tamsin school",
    "lender": {"name": "Museum Society", "town": "Sorrel Bay"},
    "text": "The aneroid barometer from the lamp room was lent to the school of Tamsin \
for two years. It is insured for 1,150 euros."
  },
  {
    "id": 82,
    "title": "Charts of the reef",
    "insured": true,
    "text": "Nine charts of the reef from 1866 went to the university library \
to be scanned in its cold store."
  }
]
"""

TIDES = """\
{"day": "2024-05-06", "high": 3.40, "body": "The spring tide flooded the lower car \
park at Sorrel Bay to a depth of 25 centimetres."}
{"day": "2024-05-07", "high": 3.15, "body": "The ferry could not land at noon because the pier \
stood too high above the deck."}
"""

VISITORS = (
    ("Year", "Visitors", "Income"),
    ("2022", "9,120", "41,700"),
    ("2023", "11,045", "48,200"),
)

BOATS = """\
Boat,Built,Berth,Remarks
Anna,1962,4,"Her planks were renewed by the yard at Tamsin, and she was dry in spring."
Sea Holly,1987,11,"The engine was sold in 2021; since then she has been under sail alone."

Kestrel,2003,2,"She belongs to the harbour master,
who lends her to the school in the summer months."
"""

REPAIRS = (
    ("Part", "Ordered", "Price", "Remarks"),
    ("Lamp glass", date(2023, 4, 18), 1250, "It came from Tamsin in a crate that was too small."),
    (
        "Stair rail",
        date(2023, 6, 2),
        310.5,
        "The smith of Sorrel Bay made it in nine days.",
    ),
)

CHAPTERS = (
    (
        "The Rock",
        "<h1>The Rock</h1><p>My father rowed us to the reef in the spring of 1911, and my mother "
        "did not speak until we were there.</p><h2>The kitchen</h2><p>It was round, as every room "
        "in that tower was, and the table had three legs of different lengths.</p>",
    ),
    (
        "The Winter",
        "<p>From November on no boat could land, and we ate what the goats and the cellar gave "
        "us.</p><aside><p>The cellar had been cut into the reef by convicts, as I learned much "
        "later.</p></aside>",
    ),
)


def write_samples(folder: Path) -> dict[str, Path]:
    """Write one document of each format into ``folder``: paths by "txt", "md", "html", …"""
    paths = {
        "txt": folder / "grey-head.txt",
        "md": folder / "water-2023.md",
        "html": folder / "ferry.html",
        "pdf": folder / "bridge.pdf",
        "docx": folder / "minutes.docx",
        "pptx": folder / "harbour-plan.pptx",
        "xlsx": folder / "repairs.xlsx",
        "csv": folder / "boats.csv",
        "epub": folder / "childhood.epub",
        "eml": folder / "slipway.eml",
        "mbox": folder / "seals.mbox",
        "json": folder / "loans.json",
        "jsonl": folder / "tides.jsonl",
    }
    paths["txt"].write_text(LIGHTHOUSE, encoding="utf-8")
    paths["md"].write_text(WATER_REPORT, encoding="utf-8")
    paths["html"].write_text(FERRY_PAGE, encoding="utf-8")
    _write_bridge_report(paths["pdf"])
    _write_minutes(paths["docx"])
    _write_harbour_plan(paths["pptx"])
    _write_repairs(paths["xlsx"])
    paths["csv"].write_text(BOATS, encoding="utf-8")
    write_epub(paths["epub"], CHAPTERS)
    paths["eml"].write_text(SLIPWAY_MAIL, encoding="utf-8")
    paths["mbox"].write_text(SEALS_MAILBOX, encoding="utf-8")
    paths["json"].write_text(LOANS, encoding="utf-8")
    paths["jsonl"].write_text(TIDES, encoding="utf-8")
    return paths


def _write_bridge_report(path: Path) -> None:
    pdf = FPDF()
    pdf.set_creation_date(datetime(2022, 6, 1, tzinfo=UTC))
    for heading, *paragraphs in BRIDGE_PAGES:
        pdf.add_page()
        pdf.set_font("helvetica", size=16)
        pdf.multi_cell(0, 10, heading, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("helvetica", size=11)
        for paragraph in paragraphs:
            pdf.multi_cell(0, 5, paragraph, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(4)
    pdf.output(str(path))


def _write_minutes(path: Path) -> None:
    document = docx.Document()
    document.add_heading("Minutes of the Museum Society", level=0)
    document.add_paragraph(
        "The society met on 7 March 2024 in the reading room; 23 members were present. "
        "Ruth Dale took the chair and opened the meeting at half past seven."
    )
    document.add_heading("Accounts", level=1)
    document.add_paragraph(
        "The treasurer, Ivo Lund, reported an income of 48,200 euros. The largest gift, 12,000 "
        "euros, came from the estate of the painter Signe Vass."
    )
    table = document.add_table(rows=0, cols=3)
    for row in VISITORS:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_heading("The new wing", level=1)
    document.add_paragraph(
        "The wing for the ship models opens on 1 June 2025. The roof is finished, and the floor "
        "will bear 500 kilograms on each square metre."
    )
    document.add_paragraph("Glass cases: ordered from Brandt and Sons", style="List Bullet")
    document.add_paragraph("Lifts: two, of which one takes a wheelchair", style="List Bullet")
    document.save(str(path))


def _write_harbour_plan(path: Path) -> None:
    presentation = pptx.Presentation()
    properties = presentation.core_properties
    properties.title, properties.author = "A Plan for the Harbour", "Nora Falk"
    properties.created = datetime(2024, 2, 9, 10, 30, tzinfo=UTC)
    cover = presentation.slides.add_slide(presentation.slide_layouts[0])
    cover.shapes.title.text = "A Plan for the Harbour"
    cover.placeholders[1].text = "Nora Falk, harbour master"
    costs = presentation.slides.add_slide(presentation.slide_layouts[1])
    costs.shapes.title.text = "What it costs"
    costs.placeholders[1].text = (
        "The eastern mole is to be raised by 80 centimetres before the autumn.\n"
        "The province pays two thirds of the sum, and the village pays the rest of it."
    )
    costs.notes_slide.notes_text_frame.text = (
        "Say here that the figures were checked by the auditor in January of this year."
    )
    presentation.save(str(path))


def _write_repairs(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as workbook:
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet = workbook.add_worksheet("Repairs 2023")
        for row, cells in enumerate(REPAIRS):
            for column, cell in enumerate(cells):
                if isinstance(cell, date):
                    sheet.write_datetime(row, column, cell, day)
                else:
                    sheet.write(row, column, cell)


def write_epub(
    path: Path, chapters: tuple[tuple[str, str], ...], *, more: dict[str, str] | None = None
) -> Path:
    """A book of these chapters: the title in the table of contents, and what is in <body>."""
    numbers = range(1, len(chapters) + 1)
    items = "".join(
        f'<item id="c{n}" href="text/c%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in numbers
    )
    links = "".join(
        f'<li><a href="text/c%20{n}.xhtml#top">{title}</a></li>'
        for n, (title, _) in zip(numbers, chapters, strict=True)
    )
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
        ),
        "OPS/book.opf": (
            '<package xmlns="http://www.idpf.org/2007/opf" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" version="3.0"><metadata>'
            "<dc:title>A Childhood on Grey Head</dc:title><dc:creator>Edda Morrow</dc:creator>"
            "<dc:creator>Signe Vass</dc:creator><dc:date>1958-10-03</dc:date></metadata>"
            '<manifest><item id="nav" href="nav.xhtml" properties="nav" '
            f'media-type="application/xhtml+xml"/>{items}</manifest><spine><itemref idref="nav"/>'
            + "".join(f'<itemref idref="c{n}"/>' for n in numbers)
            + "</spine></package>"
        ),
        "OPS/nav.xhtml": (
            '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Contents</h1><nav><ol>'
            f"{links}</ol></nav></body></html>"
        ),
    }
    for n, (_, body) in zip(numbers, chapters, strict=True):
        files[f"OPS/text/c {n}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
            f"<head><title/></head><body>{body}</body></html>"
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in {**files, **(more or {})}.items():
            package.writestr(name, content)
    return path


def load(folder: Path, name: str, content: str | bytes, *, ocr: bool = False) -> Document:
    """A file of one's own, written to ``folder`` and read."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_document(path, id=name, ocr=ocr)


def write_scan(path: Path, words: str) -> None:
    """An image of a few words, in letters that Tesseract reads."""
    image = Image.new("L", (600, 120), 255)
    ImageDraw.Draw(image).text((40, 30), words, 0, ImageFont.load_default(size=48))
    image.save(path)
