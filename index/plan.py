"""What became of a folder's files since the last build, by what is in them."""

from dataclasses import dataclass, field
from pathlib import Path

from index.folder import document_files
from index.records import Skipped
from models.errors import DocumentError, PassingError
from models.progress import OnProgress, Progress
from models.verify import file_sha256


@dataclass(frozen=True, slots=True)
class Known:
    """What the last build left: nothing, if there was none."""

    digests: dict[str, str] = field(default_factory=dict)  # id: sha256 of the file's bytes
    copies: dict[str, tuple[str, ...]] = field(default_factory=dict)  # id: ids of its copies
    problems: dict[str, str] = field(default_factory=dict)  # sha256: why it cannot be read
    skipped: tuple[Skipped, ...] = ()


@dataclass
class Plan:
    """What a build will do with each file. Ids are in the order of the files' names."""

    digests: dict[str, str] = field(default_factory=dict)  # id: sha256 of the file's bytes
    copies: dict[str, tuple[str, ...]] = field(default_factory=dict)  # id: ids of its copies
    problems: dict[str, str] = field(default_factory=dict)  # sha256: why it cannot be read
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)  # new id: old id
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    are_copies_new: bool = False
    are_skips_new: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the index is up to date already."""
        return not (
            self.added
            or self.changed
            or self.renamed
            or self.removed
            or self.are_copies_new
            or self.are_skips_new
        )

    def skip(self, id_: str, error: DocumentError) -> None:
        """Moves a file that turned out unreadable from the lists to the skipped ones.

        It is tried again by the next build only if the reason may have passed by then.
        """
        reason = str(error)
        sha256 = self.digests.pop(id_)
        if not isinstance(error, PassingError):
            self.problems[sha256] = reason
        if id_ in self.changed:
            self.removed.append(id_)
        for ids in (self.added, self.changed, self.unchanged):
            if id_ in ids:
                ids.remove(id_)
        if id_ in self.renamed:
            self.removed.append(self.renamed.pop(id_))
        self.skipped += [Skipped(path, reason) for path in (id_, *self.copies.pop(id_, ()))]


def make_plan(folder: Path, known: Known, on_progress: OnProgress, *, ocr: bool = False) -> Plan:
    """Compares the files below ``folder`` with what is known of the last build.

    By content, never by time: an edited file has another sha256; a renamed one has the
    sha256 of a document whose file is gone; of files with the same bytes the first is the
    document and the others are its copies. Raises DocumentError if there is no folder.
    """
    files, skipped = document_files(folder, ocr=ocr)
    plan = Plan(skipped=list(skipped))
    first_with: dict[str, str] = {}
    copies: dict[str, list[str]] = {}
    for number, file in enumerate(files, start=1):
        id_ = file.relative_to(folder).as_posix()
        on_progress(Progress("Comparing files", number, len(files), "files"))
        try:
            sha256 = file_sha256(file)
        except OSError as error:
            plan.skipped.append(Skipped(id_, f"cannot be read: {error.strerror}"))
            continue
        if sha256 in known.problems:
            plan.problems[sha256] = known.problems[sha256]
            plan.skipped.append(Skipped(id_, known.problems[sha256]))
        elif sha256 in first_with:
            copies.setdefault(first_with[sha256], []).append(id_)
        else:
            first_with[sha256] = id_
            plan.digests[id_] = sha256
    plan.copies = {id_: tuple(ids) for id_, ids in copies.items()}
    gone = {sha256: id_ for id_, sha256 in known.digests.items() if id_ not in plan.digests}
    for id_, sha256 in plan.digests.items():
        if known.digests.get(id_) == sha256:
            plan.unchanged.append(id_)
            plan.are_copies_new |= known.copies.get(id_) != plan.copies.get(id_)
        elif id_ in known.digests:
            plan.changed.append(id_)
        elif sha256 in gone:
            plan.renamed[id_] = gone.pop(sha256)
        else:
            plan.added.append(id_)
    plan.removed = sorted(gone.values())
    plan.are_skips_new = set(plan.skipped) != set(known.skipped)
    return plan
