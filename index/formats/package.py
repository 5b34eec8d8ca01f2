"""What the formats that are zip archives have in common: DOCX, PPTX, XLSX, ODS and EPUB."""

import copy
import io
import zipfile

from models.errors import DocumentError

# A zip of 100 MB can unpack to terabytes; a book of 1,000 pages unpacks to a few MB.
_MAX_UNPACKED_BYTES = 1_000_000_000

# A presentation of 500 slides with their pictures and notes has some 3,000.
_MAX_MEMBERS = 20_000

_CHUNK = 1_000_000  # bytes unpacked at a time
_IS_ENCRYPTED = 0x1  # a bit of a member's flags (APPNOTE.TXT, 4.4.4)

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of .doc, and of every encrypted file
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def is_ole(data: bytes) -> bool:
    """Whether ``data`` is of the kind that Office wrote before 2007: .doc, .xls, .ppt.

    Raises DocumentError if it is a newer file behind a password, which looks the same.
    """
    if not data.startswith(_OLE):
        return False
    if _ENCRYPTED in data:
        raise DocumentError("needs a password")
    return True


def check_package(data: bytes) -> None:
    """Unpacks every member once, a piece at a time, so that a library may then do it at will.

    Raises DocumentError if the archive needs a password, has more than 20,000 members or
    unpacks to more than 1 GB, and whatever zipfile and zlib raise if it is damaged: also if
    a member is longer than the archive says, which is how a small one could fill the memory.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        members = package.infolist()
        if len(members) > _MAX_MEMBERS:
            raise DocumentError("is an archive of more than 20,000 files")
        if sum(member.file_size for member in members) > _MAX_UNPACKED_BYTES:
            raise DocumentError("unpacks to more than 1 GB")
        if any(member.flag_bits & _IS_ENCRYPTED for member in members):
            raise DocumentError("needs a password")
        for member in members:
            _check_member(package, member)


def _check_member(package: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Reads one byte more than ``member`` should have: there must be none."""
    longer = copy.copy(member)
    longer.file_size += 1  # zipfile stops at this length, and says nothing if there is more
    size = 0
    with package.open(longer) as file:
        while piece := file.read(_CHUNK):
            size += len(piece)
    if size != member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} is not as long as the archive says")
