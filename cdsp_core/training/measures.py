"""Every measure of structure, on plain arrays. Imports no torch, so studies, trainer and web share one definition.

Shapes: E experts, P partitions, Q tasks. A routing distribution has rows that sum to 1 over experts.
Sources: arXiv:2512.20291, Eq. 18 and 36, and appendix E where named; the others are the field's usual ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SPARSE_BELOW = 0.1
STRONG_ABOVE = 0.8
IDLE_BELOW_FRAC = 0.01


def alpha_sparsity(connection_EP: Array) -> float:
    """Share of the entries of sigmoid(A) below 0.1 (Eq. 18). In [0, 1]."""
    return float((connection_EP < SPARSE_BELOW).mean())


def structural_entropy_bits(connection_EP: Array) -> float:
    """Sum of the binary entropies of the entries of sigmoid(A), in bits (Eq. 36). In [0, E P]."""
    return float(_binary_entropy(connection_EP).sum())


def structural_entropy(connection_EP: Array) -> float:
    """Mean binary entropy of the entries of sigmoid(A), in bits an entry (Eq. 36 divided by E P). In [0, 1]."""
    return float(_binary_entropy(connection_EP).mean())


def gini(values: Array) -> float:
    """Gini coefficient: 0 when all values are equal, towards 1 when one holds everything."""
    ordered = np.sort(values.astype(np.float64))
    total = ordered.sum()
    if total <= 0:
        return 0.0
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def diagonal_gini(connection_EP: Array) -> float:
    """Gini coefficient of the diagonal of sigmoid(A): the oligarchy. NaN when A has no diagonal."""
    return gini(np.diagonal(connection_EP)) if _has_diagonal(connection_EP) else float("nan")


def diagonals_above(connection_EP: Array) -> float:
    """Number of diagonal entries of sigmoid(A) above 0.8. NaN when A has no diagonal."""
    if not _has_diagonal(connection_EP):
        return float("nan")
    return float((np.diagonal(connection_EP) > STRONG_ABOVE).sum())


def idle_experts(load_E: Array) -> float:
    """Number of experts that take less than 1 % of the traffic."""
    return float((load_E < IDLE_BELOW_FRAC).sum())


def rank_overlap(overlap_EE: Array) -> float:
    """Mean Jaccard overlap of two experts' subspaces over all pairs. `overlap_EE` is shared dimensions / rank.

    Its diagonal is what an expert holds itself, 1 but under rank_rule force.
    """
    first, second = _pairs(overlap_EE)
    held = np.diagonal(overlap_EE)
    shared = overlap_EE[first, second]
    together = held[first] + held[second] - shared
    return float((shared / np.where(together > 0, together, 1.0)).mean())


def gradient_interference(conflict_EE: Array) -> float:
    """Mean conflict over the pairs that have a value; NaN when none has."""
    values = conflict_EE[_pairs(conflict_EE)]
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def largest_connection(connection_EP: Array) -> float:
    """The largest entry of sigmoid(A), which no expert's strength exceeds. In (0, 1).

    Near 0 the layer adds nothing to what passes it and could be removed: `evaluation.removal_changes` counts what
    would change. No other measure of the topology tells such a layer from one that is sparse.
    """
    return float(connection_EP.max())


def distribution_overlap(first_E: Array, second_E: Array) -> float:
    """Sum of minima of two distributions: 1 when equal, 0 when they share nothing."""
    return float(np.minimum(first_E, second_E).sum())


def isolation(routing_QE: Array) -> float:
    """1 - mean overlap of the tasks' routing distributions. In [0, 1]; NaN with fewer than two tasks."""
    tasks = len(routing_QE)
    overlaps = [distribution_overlap(routing_QE[a], routing_QE[b]) for a in range(tasks) for b in range(a)]
    return 1.0 - float(np.mean(overlaps)) if overlaps else float("nan")


def specialization(routing_QE: Array) -> float:
    """1 - H(task | expert) / log Q, weighted by the experts' load: 1 when every expert serves one task."""
    tasks = len(routing_QE)
    load_E = routing_QE.sum(0)
    if tasks < 2 or not load_E.sum() > 0:
        return float("nan")
    share_QE = routing_QE / np.where(load_E > 0, load_E, 1.0)
    entropy_E = -(share_QE * np.log(np.where(share_QE > 0, share_QE, 1.0))).sum(0)
    return float(1.0 - (entropy_E * load_E).sum() / load_E.sum() / np.log(tasks))


def routing_consistency(routing_QE: Array, routing_blind_QE: Array) -> Array:
    """Overlap of each task's routing with and without its ID, [Q] in [0, 1]."""
    consistency: Array = np.minimum(routing_QE, routing_blind_QE).sum(1)
    return consistency


def emergent_clustering(routing_QE: Array, *, alike: tuple[int, int], other: int) -> float:
    """Overlap of the two alike tasks minus the mean of their overlaps with the other; above 0 supports the claim."""
    first, second = alike
    with_other = [distribution_overlap(routing_QE[task], routing_QE[other]) for task in alike]
    return distribution_overlap(routing_QE[first], routing_QE[second]) - float(np.mean(with_other))


def first_two_cluster(routing_QE: Array) -> float:
    """Emergent clustering of the first two of three tasks, MNIST and KMNIST; NaN with another number of tasks."""
    return emergent_clustering(routing_QE, alike=(0, 1), other=2) if len(routing_QE) == 3 else float("nan")


def cosine_null(cosine_EE: Array, compared_EE: Array) -> float:
    """Mean of n cosine^2 over the pairs with a value: 1 if the cosines were normal(0, 1/n) (appendix E, lemma 1).

    `compared_EE` holds n, the number of independent entries each pair's cosine was taken over. NaN when no pair has a
    value.
    """
    pairs = _pairs(cosine_EE)
    scaled = compared_EE[pairs] * cosine_EE[pairs] ** 2
    scaled = scaled[np.isfinite(scaled)]
    return float(scaled.mean()) if len(scaled) else float("nan")


def _binary_entropy(probability: Array) -> Array:
    """Of every entry, in bits, same shape."""
    p = np.clip(probability.astype(np.float64), 1e-12, 1 - 1e-12)
    entropy: Array = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return entropy


def _has_diagonal(matrix: Array) -> bool:
    rows, columns = matrix.shape
    return bool(rows == columns)


def _pairs(matrix: Array) -> tuple[Array, ...]:
    return np.triu_indices(len(matrix), k=1)
