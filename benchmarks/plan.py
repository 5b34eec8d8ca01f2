"""What a collection of any size needs, computed from what was measured: bytes, hours, machines.

    python -m benchmarks.plan [--search bench/search.json] [--output bench]

Measured by other commands, on two cores, and given here as options: bytes and milliseconds of a
passage (``footnote bench search``, whose search.json is read if it is there), embedding and writing
(``footnote bench``). Prices are assumed. All else is arithmetic, written out below; what each
constant of Milvus is, docs/scale.md tells. Prints the tables of that page, and draws how all grows.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import click

SIZES = [10**power for power in range(5, 10)]

DIMENSION = 384
_LINKS = 32
"""Of a vector in HNSW's lowest layer: twice M = 16, four bytes each."""

_PQ_SHARE = 0.125
"""Of the vectors' bytes, what DiskANN keeps in memory (PQCodeBudgetGBRatio, Milvus's default)."""

_LOADED = 0.7
"""How full a query node's memory may be; above, Milvus refuses to load more."""

_GIB, _MIB = 2**30, 2**20


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, on two cores."""

    disk: float  # bytes of a passage in the local store: vector, text, places, words
    passages_per_second: float  # that are embedded
    answer: float  # seconds of the model for an answer, from Enter to the last word


@dataclass(frozen=True, slots=True)
class Need:
    """What so many passages need."""

    passages: int
    disk: float  # bytes
    flat: float  # bytes of memory: every vector as it is
    hnsw: float  # and its links
    cells: float  # IVF_SQ8: a byte a component
    on_disk: float  # DiskANN: what it keeps in memory
    cpu_hours: float  # two cores, embedding
    gpu_hours: float


def need(passages: int, measured: Measured, *, gpu: float) -> Need:
    """``gpu`` is how many passages such a card embeds in a second."""
    vectors = passages * DIMENSION * 4
    return Need(
        passages=passages,
        disk=passages * measured.disk,
        flat=vectors,
        hnsw=vectors + passages * _LINKS * 4,
        cells=passages * (DIMENSION + 8),
        on_disk=vectors * _PQ_SHARE,
        cpu_hours=passages / measured.passages_per_second / 3600,
        gpu_hours=passages / gpu / 3600,
    )


def replicas(questions_per_hour: float, seconds: float, *, at_once: int, busy: float) -> int:
    """Model servers for so many questions, each of which takes one ``seconds`` of its places.

    Little's law: questions under way are rate times time. ``busy`` is how full they may be.
    """
    under_way = questions_per_hour / 3600 * seconds
    return math.ceil(under_way / (at_once * busy))


def _size(amount: float) -> str:
    return f"{amount / _GIB:,.1f} GiB" if amount >= _GIB else f"{amount / _MIB:,.0f} MiB"


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:,.0f} h" if hours < 100 else f"{hours / 24:,.0f} days"


def tables(measured: Measured, *, gpu: float, node: float) -> list[str]:
    """The lines of both tables."""
    rows = [need(passages, measured, gpu=gpu) for passages in SIZES]
    lines = [
        "| passages | disk, local store | vectors as they are | HNSW | IVF_SQ8 | DiskANN, memory "
        f"| query nodes of {node:.0f} GiB (HNSW, DiskANN) | embedding, two cores | one GPU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        nodes = [_nodes(kind, node) for kind in (one.hnsw, one.on_disk)]
        lines.append(
            f"| {one.passages:,} | {_size(one.disk)} | {_size(one.flat)} | {_size(one.hnsw)} "
            f"| {_size(one.cells)} | {_size(one.on_disk)} | {nodes[0]}, {nodes[1]} "
            f"| {_hours(one.cpu_hours)} | {_hours(one.gpu_hours)} |"
        )
    lines += [
        "",
        "| questions an hour | under way at once | two-core copies of the local model "
        "| model servers, 16 at once, 3 s an answer |",
        "|---|---|---|---|",
    ]
    for questions in (60, 250, 1000, 10_000):
        under_way = questions / 3600 * measured.answer
        local = replicas(questions, measured.answer, at_once=1, busy=0.7)
        served = replicas(questions, 3.0, at_once=16, busy=0.7)
        lines.append(f"| {questions:,} | {under_way:.1f} | {local} | {served} |")
    return lines


@dataclass(frozen=True, slots=True)
class Prices:
    """Of an hour, in any money; assumptions, unlike what was measured."""

    machine: float  # of two cores
    gpu: float
    node: float  # a query node


_HOURS_A_MONTH = 730


def costs(measured: Measured, prices: Prices, *, gpu: float, node: float) -> list[str]:
    """The lines of the table of what a collection costs: to embed once, and to search in."""
    lines = [
        "| passages | embedding, two cores | one GPU | query nodes a month: HNSW | DiskANN |",
        "|---|---|---|---|---|",
    ]
    for one in (need(passages, measured, gpu=gpu) for passages in SIZES):
        month = _HOURS_A_MONTH * prices.node
        by_kind = [month * _nodes(kind, node) for kind in (one.hnsw, one.on_disk)]
        once = [one.cpu_hours * prices.machine, one.gpu_hours * prices.gpu]
        shown = " | ".join(f"{price:,.2f}" for price in (*once, *by_kind))
        lines.append(f"| {one.passages:,} | {shown} |")
    return lines


def _nodes(memory: float, node: float) -> int:
    """Query nodes of ``node`` GiB that ``memory`` bytes need."""
    return math.ceil(memory / (node * _GIB * _LOADED))


def draw(measured: Measured, path: Path, *, gpu: float) -> None:
    """How memory, disk and embedding grow with the passages."""
    from matplotlib.figure import Figure

    rows = [need(passages, measured, gpu=gpu) for passages in SIZES]
    drawing = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = drawing.subplots(1, 2)
    kinds = ("disk", "flat", "hnsw", "cells", "on_disk")
    for kind in kinds:
        left.plot(SIZES, [getattr(one, kind) / _GIB for one in rows], marker="o", label=kind)
    right.plot(SIZES, [one.cpu_hours for one in rows], marker="o", label="two cores")
    right.plot(SIZES, [one.gpu_hours for one in rows], marker="o", label="one GPU")
    for axes, what in ((left, "GiB"), (right, "hours of embedding")):
        axes.set(xscale="log", yscale="log", xlabel="passages", ylabel=what)
        axes.legend()
        axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(path, metadata={"Date": None})


def _disk_of(search: Path) -> float | None:
    """Bytes of a passage of the largest index that ``footnote bench search`` measured."""
    if not search.exists():
        return None
    grown = json.loads(search.read_text(encoding="utf-8"))
    sizes = grown["sizes"] if isinstance(grown, dict) else grown
    last = max(sizes, key=lambda one: one["passages"])
    return float(last["disk"]) * 1e6 / float(last["passages"])


@click.command()
@click.option(
    "--search",
    type=click.Path(path_type=Path),
    default=Path("bench/search.json"),
    show_default=True,
    help="What footnote bench search wrote.",
)
@click.option("--disk", default=3250.0, show_default=True, help="Bytes of a passage, without it.")
@click.option("--embedded", default=92.0, show_default=True, help="Passages in a second.")
@click.option("--gpu", default=5000.0, show_default=True, help="And by a GPU: an assumption.")
@click.option("--answer", default=3.5, show_default=True, help="Seconds of an answer.")
@click.option("--node", default=64.0, show_default=True, help="GiB of a query node's memory.")
@click.option(
    "--prices",
    nargs=3,
    default=(0.1, 1.0, 0.5),
    show_default=True,
    help="Of an hour of two cores, of a GPU and of a query node: assumptions.",
)
@click.option("--output", type=click.Path(path_type=Path), default=Path("bench"), show_default=True)
def plan(  # noqa: PLR0917  (click gives them by name)
    search: Path,
    disk: float,
    embedded: float,
    gpu: float,
    answer: float,
    node: float,
    prices: tuple[float, float, float],
    output: Path,
) -> None:
    """Print what collections of 10^5 to 10^9 passages need and cost, and draw it."""
    measured = Measured(_disk_of(search) or disk, embedded, answer)
    click.echo("\n".join(tables(measured, gpu=gpu, node=node)))
    click.echo()
    click.echo("\n".join(costs(measured, Prices(*prices), gpu=gpu, node=node)))
    output.mkdir(parents=True, exist_ok=True)
    draw(measured, output / "plan.svg", gpu=gpu)
    click.echo(f"Drawn: {output / 'plan.svg'}")


if __name__ == "__main__":
    plan()
