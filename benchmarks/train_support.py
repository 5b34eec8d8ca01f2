"""The weights of the support check, from claims whose sources were judged by people.

    python -m benchmarks.train_support WICE.jsonl

Each line has a ``claim``, the sentences of the article that it cites as ``evidence``, and a
``label``: “supported” against the rest (WiCE: Kamoi et al., EMNLP 2023). The figures are five-fold:
each fold is scored with weights that were fitted to the others.
"""

import json
from dataclasses import astuple, fields, replace
from pathlib import Path

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from tqdm import tqdm

from index.claims import claim_of, holds, weights
from index.embed import SentenceEmbedder
from rag.nearness import nearness
from rag.support import Signs, signs
from rag.weights import Regression

_LOOKED_AT = 40
"""Sentences of an article that are the evidence: those with most of the claim's words."""


def signs_of(text: str, sentences: list[str], embedder: SentenceEmbedder) -> Signs:
    """The signs that ``sentences`` support the claim ``text``."""
    claim = claim_of(text)
    claim = replace(claim, names=claim.names | claim.starts)
    claims = [claim_of(sentence) for sentence in sentences]
    asked = weights(claim.words, [one.words for one in claims])
    shares = np.array(
        [sum(asked[word] for word in asked if holds(one.words, word)) for one in claims]
    )
    likely = [int(at) for at in np.argsort(-shares, kind="stable")[:_LOOKED_AT]]
    sentence, *evidence = embedder.read([text, *(sentences[at] for at in likely)])
    near = nearness(text, sentence, evidence)
    return signs(claim, near, {row: claims[at] for row, at in enumerate(likely)})


@click.command()
@click.argument("judged", type=click.Path(path_type=Path, exists=True))
@click.option("--write/--no-write", default=True, help="Keep the weights in rag/support.json.")
def train(judged: Path, write: bool) -> None:
    """Fits the weights to the claims in JUDGED and says how well they tell them apart."""
    cases = [json.loads(line) for line in judged.read_text(encoding="utf-8").splitlines()]
    embedder = SentenceEmbedder()
    names = [field.name for field in fields(Signs)]
    features = np.array(
        [
            astuple(signs_of(case["claim"], [s for s in case["evidence"] if s.strip()], embedder))
            for case in tqdm(cases, desc="Aligning claims")
        ]
    )
    labels = np.array([case["label"] == "supported" for case in cases])
    model = LogisticRegression(C=10.0, max_iter=1000)
    for name, column in zip(names, features.T, strict=True):
        click.echo(f"  {name:<16} AUROC {roc_auc_score(labels, column):.3f}")
    areas, guesses = [], []
    for seed in range(5):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        guessed = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")[:, 1]
        areas.append(roc_auc_score(labels, guessed))
        guesses.append(brier_score_loss(labels, guessed))
    base = labels.mean() * (1 - labels.mean())
    click.echo(
        f"  together         AUROC {np.mean(areas):.3f} (five-fold, mean of five shuffles, "
        f"{min(areas):.3f} to {max(areas):.3f})"
    )
    click.echo(f"  Brier score      {np.mean(guesses):.3f}; of the base rate {base:.3f}")
    model.fit(features, labels)
    kept = dict(zip(names, map(float, model.coef_[0]), strict=True))
    kept["constant"] = float(model.intercept_[0])
    click.echo("  " + ", ".join(f"{name} {weight:.2f}" for name, weight in kept.items()))
    if write:
        trained = f"{judged.name}: {labels.sum()} supported, {(~labels).sum()} not"
        Regression(kept).keep("support", trained=trained)


if __name__ == "__main__":
    train()
