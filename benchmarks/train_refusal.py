"""The weights of the decision to refuse, from evaluations whose answers are known.

    footnote eval QUESTIONS --strictness 0 --output A     as often as there are sets
    python -m benchmarks.train_refusal A/evaluation.json …

With strictness 0 every question is answered, so that all its signs are there. A question counts
as answered rightly if the documents answer it. What is told of the result is measured on parts
of the questions that the weights were not fitted to.
"""

import json
from pathlib import Path

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from rag import answerable

SIGNS = ("odds", "support", "relevance", "premise", "news", "fits")


@click.command()
@click.argument("evaluations", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--write/--no-write", default=True, help="Keep the weights in rag/answerable.json.")
def train(evaluations: tuple[Path, ...], write: bool) -> None:
    """Fits the weights to EVALUATIONS and says how well they tell answerable from not."""
    signs, labels, groups, sources = [], [], [], []
    for path in evaluations:
        record = json.loads(path.read_text(encoding="utf-8"))
        cases = [case for case in record["cases"] if case["answer"]["signs"]]
        signs += [[case["answer"]["signs"][sign] for sign in SIGNS] for case in cases]
        labels += [case["question"]["is_answerable"] for case in cases]
        groups += [_group(case) for case in cases]
        count = sum(case["question"]["is_answerable"] for case in cases)
        name = Path(record["about"]["questions"]).name
        sources.append(f"{name}: {count} answerable, {len(cases) - count} not")
    features, answered = np.array(signs), np.array(labels)
    model = LogisticRegression(C=1.0)
    guessed = cross_val_predict(
        model, features, answered, groups=groups, cv=GroupKFold(5), method="predict_proba"
    )[:, 1]
    click.echo(f"{len(labels)} questions; {'; '.join(sources)}")
    for name, column in zip(SIGNS, features.T, strict=True):
        click.echo(f"  {name:<12} AUROC {roc_auc_score(answered, column):.3f}")
    click.echo(f"  together     AUROC {roc_auc_score(answered, guessed):.3f} (five-fold)")
    click.echo(f"  Brier score  {brier_score_loss(answered, guessed):.3f}")
    for strictness in (0.3, 0.4, 0.5, 0.6, 0.7):
        refused = guessed < strictness
        click.echo(
            f"  strictness {strictness}: {np.mean(refused[~answered]):.1%} of the unanswerable "
            f"refused, {np.mean(refused[answered]):.1%} of the answerable"
        )
    model.fit(features, answered)
    weights = dict(zip(SIGNS, map(float, model.coef_[0]), strict=True))
    weights["constant"] = float(model.intercept_[0])
    click.echo("  " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()))
    if write:
        file = Path(answerable.__file__).with_name("answerable.json")
        kept = {
            "trained": sources,
            "weights": {name: round(weight, 3) for name, weight in weights.items()},
        }
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _group(case: dict[str, dict[str, object]]) -> str:
    """What is kept together in one fold: the questions of one article, or one conversation."""
    question = case["question"]
    gold = question["gold"]
    if isinstance(gold, list) and gold:
        return str(gold[0]["document"])
    return str(question["conversation"] or question["id"])


if __name__ == "__main__":
    train()
