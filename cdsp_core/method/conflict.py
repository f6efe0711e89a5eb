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


def pressing_conflict(cosine_EE: Tensor, *, kind: str, key: Tensor | None = None) -> Tensor:
    """What presses in place of Eq. 15's conflict, [E, E]: symmetric, zero diagonal, NaN where the cosine has no value.

    Ours, to ask whether conflict carries information (docs/method.md, section 11). kind: `true`, the conflict itself;
    `flipped`, relu(+cosine); `permuted`, the conflicts dealt anew among the pairs that have a value; `noise`, uniform
    draws on those pairs, scaled to the conflicts' sum; `absent`, 0. The dealing is a function of `key`, an int64
    scalar of the layer and the seed, and of the cosines, so that every step deals anew and nothing has to be counted.
    """
    conflict_EE = conflict_from_cosine(-cosine_EE if kind == "flipped" else cosine_EE)
    if kind in ("true", "flipped"):
        return conflict_EE
    if kind == "absent":
        return conflict_EE * 0.0
    assert key is not None, "permuted and noise are drawn"
    experts = len(cosine_EE)
    first_M, second_M = torch.triu_indices(experts, experts, offset=1, device=cosine_EE.device)
    value_M = conflict_EE[first_M, second_M]
    valued_M = ~torch.isnan(value_M)
    uniform_M = uniform_of(_key_of_step(key, cosine_EE), len(value_M))
    if kind == "permuted":
        number_M = torch.arange(len(value_M), device=cosine_EE.device)
        beyond = float(len(value_M))  # pairs without a value come last in both orders
        place_M = torch.argsort(torch.where(valued_M, number_M, number_M + beyond))
        dealt_M = torch.argsort(torch.where(valued_M, uniform_M, uniform_M + beyond))
        pressing_M = torch.zeros_like(value_M).scatter(0, place_M, value_M.gather(0, dealt_M))
    else:
        drawn_M = uniform_M * valued_M
        scale = value_M.nan_to_num(0.0).sum() / drawn_M.sum().clamp_min(torch.finfo(torch.float32).tiny)
        pressing_M = torch.where(valued_M, drawn_M * scale, torch.nan)
    flat = torch.zeros_like(cosine_EE).flatten()
    flat = flat.scatter(0, first_M * experts + second_M, pressing_M)
    return flat.scatter(0, second_M * experts + first_M, pressing_M).view_as(cosine_EE)


def uniform_of(key: Tensor, count: int) -> Tensor:
    """`count` float32 numbers in [0, 1), a function of the int64 scalar `key` alone, the same on every device."""
    number_M = torch.arange(1, count + 1, device=key.device)
    bits_M = _mixed(_mixed(key ^ _GOLDEN) + number_M * _GOLDEN)
    return (bits_M & 0xFFFFFF).to(torch.float32) / 2**24


def _key_of_step(key: Tensor, cosine_EE: Tensor) -> Tensor:
    """A key that any change of any cosine by 2^-30 makes another one."""
    whole_M = (cosine_EE.nan_to_num(0.0).double() * 2**30).round().to(torch.int64).flatten()
    number_M = torch.arange(1, len(whole_M) + 1, device=cosine_EE.device)
    return _mixed(key ^ _mixed(whole_M + number_M * _GOLDEN).sum())


_GOLDEN = -0x61C8864680B583EB
"""2^64 over the golden ratio, as int64"""


def _mixed(bits: Tensor) -> Tensor:
    """SplitMix64's finaliser, on int64 that wraps round and whose right shifts keep the sign."""
    bits = (bits ^ (bits >> 30)) * -0x40A7B892E31B1A47
    bits = (bits ^ (bits >> 27)) * -0x6B2FB644ECCEEE15
    return bits ^ (bits >> 31)


def conflict_matrix(gradient_ERN: Tensor, mask_ER: Tensor) -> Tensor:
    """Conflict of every pair of experts, [E, E] in [0, 1]: `conflict_from_cosine(cosine_matrix(...))`."""
    return conflict_from_cosine(cosine_matrix(gradient_ERN, mask_ER))


def dimension_conflict(
    gradient_ERN: Tensor, pairs_EE: Tensor | None = None, weaker_in_ER: Tensor | None = None
) -> Tensor:
    """Per-dimension conflict, [E, R]: what expert e suffers at dimension d, summed over the experts it meets there.

    Each pair's cosine is taken over the N entries of one dimension. An expert outside the dimension, or without
    gradient there, meets nobody and counts 0. With `pairs_EE`, bool, only the pairs that are True there count. With
    `weaker_in_ER`, A, only the one with the smaller logit suffers (docs/method.md, section 11).
    """
    gradient_REN = gradient_ERN.transpose(0, 1)
    dot_REE = gradient_REN @ gradient_REN.transpose(1, 2)
    square_RE = gradient_REN.square().sum(2)
    cosine_REE = _ratio(dot_REE, square_RE[:, :, None], square_RE[:, None, :])
    if pairs_EE is not None:
        cosine_REE = cosine_REE.masked_fill(~pairs_EE, torch.nan)
    conflict_REE = torch.relu(-cosine_REE).nan_to_num(0.0)
    if weaker_in_ER is not None:
        conflict_REE = conflict_REE * _weaker(weaker_in_ER).permute(2, 0, 1)
    return conflict_REE.sum(2).T


def overlap_matrix(mask_ER: Tensor, rank: int | None = None) -> Tensor:
    """Shared dimensions over the rank quota, [E, E] in [0, 1]; `rank` is needed where an expert may hold fewer."""
    held_ER = mask_ER.to(torch.float32)
    return held_ER @ held_ER.T / (held_ER[0].sum() if rank is None else rank)


def pressure_on_partitions(conflict_EE: Tensor, mask_ER: Tensor, num_partitions: int) -> Tensor:
    """The pairs' conflict mapped to the entries of A, [E, P]; constant for the step that uses it.

    With P = E the entry (e, f) of A is expert e's hold on expert f's partition and carries conflict_ef itself.
    Otherwise a pair's conflict is spread over the partitions in proportion to the dimensions both hold there.
    """
    if num_partitions == len(conflict_EE):
        return conflict_EE.nan_to_num(0.0)
    return pressure_on_shared(conflict_EE, mask_ER, num_partitions)


def pressure_on_shared(conflict_EE: Tensor, mask_ER: Tensor, num_partitions: int) -> Tensor:
    """A pair's conflict spread over the partitions in proportion to the dimensions both hold there, [E, P]."""
    conflict_EE = conflict_EE.nan_to_num(0.0)
    held_ER = mask_ER.to(conflict_EE.dtype)
    shared_EE = (held_ER @ held_ER.T).clamp_min(1.0)
    pressure_ER = held_ER * ((conflict_EE / shared_EE) @ held_ER)
    return pressure_ER.view(len(conflict_EE), num_partitions, -1).sum(2)


def pressure_on_weaker(conflict_EE: Tensor, mask_ER: Tensor, topology_logits: Tensor) -> Tensor:
    """The same, but a partition presses only on the one of the two whose logit is smaller there, [E, P].

    So one of them leaves and the other stays; of equal logits the expert with the larger number yields. Ours
    (docs/method.md, section 11).
    """
    conflict_EE = conflict_EE.nan_to_num(0.0)
    held_EPB = mask_ER.to(conflict_EE.dtype).view(*topology_logits.shape, -1)
    shared_EFP = torch.einsum("epb,fpb->efp", held_EPB, held_EPB)
    share_EFP = shared_EFP / shared_EFP.sum(2, keepdim=True).clamp_min(1.0)
    return (conflict_EE[:, :, None] * share_EFP * _weaker(topology_logits)).sum(1)


def _weaker(topology_logits: Tensor) -> Tensor:
    """bool [E, E, P]: True where the first expert's logit is the smaller one, or equal and its number the larger."""
    own, other = topology_logits[:, None], topology_logits[None]
    number_E = torch.arange(len(topology_logits), device=topology_logits.device)
    return (own < other) | ((own == other) & (number_E[:, None, None] > number_E[None, :, None]))


def topology_penalty(topology_logits: Tensor, pressure: Tensor, *, kind: str, floor: float = 0.0) -> Tensor:
    """The conflict term of the loss, a scalar (Eq. 16 and its variants), for A of one layer or of all, [..., E, P].

    `pressure` has the same shape and carries no gradient.

    kind: `logit` (sum of A times pressure), `logit_while_positive` (the same where A > 0.001; the authors'
    program), `sigmoid` (sum of sigmoid(A) times pressure; white paper, appendix E). With a `floor` below 0, for
    `logit`, the force is Eq. 16's at A = 0 and falls in a straight line to 0 at A = floor, where it stays: conflict
    alone has its fixed point there (ours; docs/method.md, section 11).
    """
    if floor:
        above = torch.relu(topology_logits - floor)
        return (above.square() * pressure).sum() / (-2.0 * floor)
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
