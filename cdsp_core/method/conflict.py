"""The lagged gradient game's maths: cosines of expert gradients, conflict, and the pressure on A.

Pure functions on tensors; nothing here knows of autograd, models or steps, and nothing waits for the device.

Shapes: E experts, R backbone dimensions, N entries per dimension (2 D for U and V together, D for U),
P partitions, T tokens, K experts a token. Gradients are dense over R and zero outside the expert's subspace.
The same functions serve gradients that were folded to fewer entries (`projection.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor


def cosine_matrix(gradient_ERN: Tensor, mask_ER: Tensor) -> Tensor:
    """Cosine of every pair's gradients over the dimensions both hold (arXiv:2512.20291, Eq. 13-14).

    Args:
        gradient_ERN: last step's gradient through each expert, zero outside its subspace.
        mask_ER: bool, True where the expert holds the dimension.

    Returns:
        cosine_EE, symmetric, in [-1, 1]. NaN where there is no value: the pair shares no dimension, or one of
        the two received no gradient there.
    """
    flat = gradient_ERN.flatten(1)
    dot_EE = flat @ flat.T
    square_ER = gradient_ERN.square().sum(2)
    square_EE = square_ER @ mask_ER.to(square_ER.dtype).T
    return _ratio(dot_EE, square_EE, square_EE.T)


def co_active_pairs(expert_TK: Tensor, num_experts: int) -> Tensor:
    """bool [E, E]: True for two experts that some token used together, and on the diagonal for an expert in use."""
    pair_TKK = expert_TK[:, :, None] * num_experts + expert_TK[:, None, :]
    together = torch.zeros(num_experts**2, dtype=torch.bool, device=expert_TK.device)
    return together.index_fill_(0, pair_TKK.flatten(), True).view(num_experts, num_experts)


def ladder_error(cosine_EE: Tensor, exact_EE: Tensor) -> Tensor:
    """Mean absolute error of a rung's cosines against the exact ones, a scalar in [0, 2].

    Over the pairs of different experts with a value in both; NaN when there is none.
    """
    pairs = torch.triu(torch.ones_like(exact_EE, dtype=torch.bool), diagonal=1)
    error_EE = (cosine_EE - exact_EE).abs().masked_fill(~pairs, torch.nan)
    return error_EE.nanmean()


def conflict_from_cosine(cosine_EE: Tensor) -> Tensor:
    """relu(-cosine), zero diagonal, NaN where the cosine has no value (Eq. 15)."""
    conflict_EE = torch.relu(-cosine_EE)
    return conflict_EE.masked_fill(torch.eye(len(cosine_EE), dtype=torch.bool, device=cosine_EE.device), 0.0)


def conflict_matrix(gradient_ERN: Tensor, mask_ER: Tensor) -> Tensor:
    """Conflict of every pair of experts, [E, E] in [0, 1]: `conflict_from_cosine(cosine_matrix(...))`."""
    return conflict_from_cosine(cosine_matrix(gradient_ERN, mask_ER))


def dimension_conflict(gradient_ERN: Tensor, pairs_EE: Tensor | None = None) -> Tensor:
    """Per-dimension conflict, [E, R]: what expert e suffers at dimension d, summed over the experts it meets there.

    Each pair's cosine is taken over the N entries of one dimension. An expert outside the dimension, or without
    gradient there, meets nobody and counts 0. With `pairs_EE`, bool, only the pairs that are True there count.
    """
    gradient_REN = gradient_ERN.transpose(0, 1)
    dot_REE = gradient_REN @ gradient_REN.transpose(1, 2)
    square_RE = gradient_REN.square().sum(2)
    cosine_REE = _ratio(dot_REE, square_RE[:, :, None], square_RE[:, None, :])
    if pairs_EE is not None:
        cosine_REE = cosine_REE.masked_fill(~pairs_EE, torch.nan)
    return torch.relu(-cosine_REE).nan_to_num(0.0).sum(2).T


def overlap_matrix(mask_ER: Tensor) -> Tensor:
    """Shared dimensions over the rank quota, [E, E] in [0, 1]."""
    held_ER = mask_ER.to(torch.float32)
    return held_ER @ held_ER.T / held_ER[0].sum()


def pressure_on_partitions(conflict_EE: Tensor, mask_ER: Tensor, num_partitions: int) -> Tensor:
    """The pairs' conflict mapped to the entries of A, [E, P]; constant for the step that uses it.

    With P = E the entry (e, f) of A is expert e's hold on expert f's partition and carries conflict_ef itself.
    Otherwise a pair's conflict is spread over the partitions in proportion to the dimensions both hold there.
    """
    conflict_EE = conflict_EE.nan_to_num(0.0)
    if num_partitions == len(conflict_EE):
        return conflict_EE
    held_ER = mask_ER.to(conflict_EE.dtype)
    shared_EE = (held_ER @ held_ER.T).clamp_min(1.0)
    pressure_ER = held_ER * ((conflict_EE / shared_EE) @ held_ER)
    return pressure_ER.view(len(conflict_EE), num_partitions, -1).sum(2)


def topology_penalty(topology_logits: Tensor, pressure: Tensor, *, kind: str) -> Tensor:
    """The conflict term of the loss, a scalar (Eq. 16 and its variants), for A of one layer or of all, [..., E, P].

    `pressure` has the same shape and carries no gradient.

    kind: `logit` (sum of A times pressure), `logit_while_positive` (the same where A > 0.001; the authors'
    program), `sigmoid` (sum of sigmoid(A) times pressure; white paper, appendix E).
    """
    if kind == "sigmoid":
        return (torch.sigmoid(topology_logits) * pressure).sum()
    if kind == "logit_while_positive":
        pressure = pressure * (topology_logits.detach() > 0.001)
    return (topology_logits * pressure).sum()


def regularisers(topology_logits: Tensor) -> tuple[Tensor, Tensor]:
    """mean |A|, which pulls sigmoid(A) to 0.5, and mean p (1 - p), which pushes it away; summed over layers.

    `topology_logits` is A of one layer, [E, P], or of all, [L, E, P]. Both results are scalars.
    """
    connection = torch.sigmoid(topology_logits)
    pull, push = topology_logits.abs(), connection * (1.0 - connection)
    return pull.mean((-2, -1)).sum(), push.mean((-2, -1)).sum()


def _ratio(dot: Tensor, square: Tensor, other_square: Tensor) -> Tensor:
    cosine = (dot * square.rsqrt() * other_square.rsqrt()).clamp(-1.0, 1.0)
    return torch.where((square > 0) & (other_square > 0), cosine, torch.nan)
