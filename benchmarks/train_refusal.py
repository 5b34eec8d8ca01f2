"""The weights of the decision to refuse, from evaluations whose answers are known.

    footnote eval QUESTIONS --strictness 0 --output A     as often as there are sets
    python -m benchmarks.train_refusal A/evaluation.json …

With strictness 0 every answer is given that the support check lets through, so that all its signs
are there; what that check refuses needs no weighing. A question counts as answered rightly if the
documents answer it. What is told of the result is measured on parts of the questions that the
weights were not fitted to.
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rag.weights import Regression

SIGNS = ("odds", "spoken", "aligned")
"""What is weighed; what has nothing of the kind asked for is refused without weighing."""

_TRUST = 0.1
"""How much the weights may follow the questions (scikit-learn's C): few are little proof."""


@click.command()
@click.argument("evaluations", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--write/--no-write", default=True, help="Keep the weights in rag/answerable.json.")
def train(evaluations: tuple[Path, ...], write: bool) -> None:
    """Fits the weights to EVALUATIONS and says how well they tell answerable from not."""
    signs, labels, groups, sources = [], [], [], []
    refused_before = {True: 0, False: 0}  # without weighing, by whether it is answerable
    for path in evaluations:
        record = json.loads(path.read_text(encoding="utf-8"))
        cases = [case for case in record["cases"] if _is_weighed(case["answer"])]
        for case in record["cases"]:
            refused_before[case["question"]["is_answerable"]] += not _is_weighed(case["answer"])
        signs += [[case["answer"]["signs"][sign] for sign in SIGNS] for case in cases]
        labels += [case["question"]["is_answerable"] for case in cases]
        groups += [_group(case) for case in cases]
        count = sum(case["question"]["is_answerable"] for case in cases)
        name = Path(record["about"]["questions"]).name
        sources.append(f"{name}: {count} answers to answerable questions, {len(cases) - count} not")
    features, answered = np.array(signs), np.array(labels)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=_TRUST))
    guessed = cross_val_predict(
        model, features, answered, groups=groups, cv=GroupKFold(5), method="predict_proba"
    )[:, 1]
    click.echo("; ".join(sources))
    for name, column in zip(SIGNS, features.T, strict=True):
        click.echo(f"  {name:<12} AUROC {roc_auc_score(answered, column):.3f}")
    click.echo(f"  together     AUROC {roc_auc_score(answered, guessed):.3f} (five-fold)")
    click.echo(f"  Brier score  {brier_score_loss(answered, guessed):.3f}")
    for strictness in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        shares = {
            wanted: (refused_before[wanted] + np.sum(guessed[answered == wanted] < strictness))
            / (refused_before[wanted] + np.sum(answered == wanted))
            for wanted in (True, False)
        }
        click.echo(
            f"  strictness {strictness}: {shares[False]:.1%} of the unanswerable refused, "
            f"{shares[True]:.1%} of the answerable"
        )
    model.fit(features, answered)
    scaler, regression = model[0], model[1]
    coefficients = regression.coef_[0] / scaler.scale_
    weights = dict(zip(SIGNS, map(float, coefficients), strict=True))
    weights["constant"] = float(regression.intercept_[0] - coefficients @ scaler.mean_)
    click.echo("  " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()))
    if write:
        Regression(weights).keep("answerable", trained=sources)


def _is_weighed(answer: dict[str, Any]) -> bool:
    return not answer["is_refusal"] and bool(answer["signs"]["fits"])


def _group(case: dict[str, dict[str, object]]) -> str:
    """What is kept together in one fold: the questions of one article, or one conversation."""
    question = case["question"]
    gold = question["gold"]
    if isinstance(gold, list) and gold:
        return str(gold[0]["document"])
    return str(question["conversation"] or question["id"])


if __name__ == "__main__":
    train()
