"""Logistic regressions whose weights commands of ``benchmarks`` fit: kept as JSON, beside us."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Regression:
    """The weights of some signs of one thing, and how likely they make it."""

    weights: Mapping[str, float]  # by sign; and “constant”

    def probability(self, signs: Mapping[str, float]) -> float:
        """How likely the thing is that has these ``signs``, 0 to 1."""
        known = {**signs, "constant": 1.0}
        logit = sum(weight * known[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-logit))

    @classmethod
    def load(cls, name: str) -> "Regression":
        """The one that was kept by that name."""
        return cls(json.loads(_file(name).read_text(encoding="utf-8"))["weights"])

    def keep(self, name: str, *, trained: object) -> None:
        """Keeps it by that name, with what it was ``trained`` on."""
        weights = {sign: round(weight, 3) for sign, weight in self.weights.items()}
        record = {"trained": trained, "weights": weights}
        _file(name).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _file(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.json")
