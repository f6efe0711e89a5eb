"""The method by plain loops in float64: what every fast path has to equal.

Every expert has its own copy of U and V, so the gradient of a copy is, by definition, the backbone's gradient
attributed to that expert. Nothing here is taken from the code under test.

Shapes: T tokens, D model width, R backbone dimensions, E experts, P partitions, K chosen, r rank quota, N = 2 D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerOutcome:
    """A layer's output and every gradient of (output * dy).sum()."""

    y_TD: Tensor
    dx_TD: Tensor
    dgate_TK: Tensor
    dlogits_EP: Tensor
    du_DR: Tensor
    dv_RD: Tensor
    dexpert_ERN: Tensor


def force_of(logits_EP: Tensor, dims: int) -> list[list[float]]:
    """sigmoid(A) times the partition map, by hand."""
    experts, partitions = logits_EP.shape
    block = dims // partitions
    return [[1 / (1 + math.exp(-float(logits_EP[e, d // block]))) for d in range(dims)] for e in range(experts)]


def subspaces_of(logits_EP: Tensor, dims: int, rank: int) -> list[list[int]]:
    """The `rank` strongest dimensions of each expert, strongest first, the lowest index first among equals."""
    force = force_of(logits_EP.double(), dims)
    return [sorted(range(dims), key=lambda d: (-row[d], d))[:rank] for row in force]


def layer_by_loops(
    *,
    x_TD: Tensor,
    gate_TK: Tensor,
    expert_TK: Tensor,
    logits_EP: Tensor,
    u_DR: Tensor,
    v_RD: Tensor,
    rank: int,
    dy_TD: Tensor,
) -> LayerOutcome:
    """y_t = sum over the token's experts of gate * gamma_e * silu(x U[:, S_e]) V[S_e, :] (Eq. 7-9)."""
    experts, partitions = logits_EP.shape
    dims = v_RD.shape[0]
    block = dims // partitions
    subspaces = subspaces_of(logits_EP, dims, rank)
    x, gate, logits = (_leaf(value) for value in (x_TD, gate_TK, logits_EP))
    u_of, v_of = [_leaf(u_DR) for _ in range(experts)], [_leaf(v_RD) for _ in range(experts)]

    gamma = [torch.stack([torch.sigmoid(logits[e, d // block]) for d in subspaces[e]]).mean() for e in range(experts)]
    rows = []
    for token, chosen in enumerate(expert_TK.tolist()):
        y = torch.zeros(x.shape[1], dtype=torch.float64)
        for slot, e in enumerate(chosen):
            pre = x[token] @ u_of[e][:, subspaces[e]]
            y = y + gate[token, slot] * gamma[e] * ((pre * torch.sigmoid(pre)) @ v_of[e][subspaces[e]])
        rows.append(y)
    y_TD = torch.stack(rows)
    (y_TD * dy_TD.double()).sum().backward()

    du, dv = [_gradient(u) for u in u_of], [_gradient(v) for v in v_of]
    return LayerOutcome(
        y_TD=y_TD.detach(),
        dx_TD=_gradient(x),
        dgate_TK=_gradient(gate),
        dlogits_EP=_gradient(logits),
        du_DR=torch.stack(du).sum(0),
        dv_RD=torch.stack(dv).sum(0),
        dexpert_ERN=torch.stack([torch.cat([u.T, v], dim=1) for u, v in zip(du, dv, strict=True)]),
    )


def cosine_by_loops(gradient_ERN: Tensor, mask_ER: Tensor) -> list[list[float]]:
    """Cosine of every pair over the dimensions both hold; NaN where there is none or one of them is zero there."""
    g = gradient_ERN.double().tolist()
    held = [{d for d, holds in enumerate(row) if holds} for row in mask_ER.tolist()]
    return [[_cosine(g[a], g[b], held[a] & held[b]) for b in range(len(g))] for a in range(len(g))]


def _cosine(first: list[list[float]], second: list[list[float]], dims: set[int]) -> float:
    pairs = [(p, q) for d in sorted(dims) for p, q in zip(first[d], second[d], strict=True)]
    dot = math.fsum(p * q for p, q in pairs)
    norms = math.sqrt(math.fsum(p * p for p, _ in pairs)) * math.sqrt(math.fsum(q * q for _, q in pairs))
    return dot / norms if norms > 0 else math.nan


def dimension_conflict_by_loops(gradient_ERN: Tensor) -> list[list[float]]:
    """Per expert and dimension, relu(-cosine) of the two rows summed over the other experts that are not zero."""
    g = gradient_ERN.double().tolist()
    experts, dims = len(g), len(g[0])
    result = [[0.0] * dims for _ in range(experts)]
    for d in range(dims):
        for a in range(experts):
            for b in range(experts):
                cosine = _cosine(g[a], g[b], {d})
                if a != b and cosine < 0:
                    result[a][d] -= cosine
    return result


def _leaf(value: Tensor) -> Tensor:
    return value.detach().double().clone().requires_grad_()


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
