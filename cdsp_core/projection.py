"""Expert gradients folded to s columns by random signs, for a game that keeps [E, s] instead of [E, r, N].

Every dimension's row g_ed of N entries is multiplied with one matrix of signs a [N, s], then with the dimension's own
signs b [R, s], and the rows are added: `p_ec = sum_d b_dc sum_n a_nc g_edn / sqrt(s)`. The signs are the same for all
experts, so `p_e . p_f` is an unbiased estimate of `g_e . g_f`, and since a gradient is zero outside its subspace, of
the product over the dimensions both hold. Its variance is at most 9 |g_e|^2 |g_f|^2 / s (Khintchine's inequality
for the two kinds of signs one after the other), with the whole norms: pairs that share little are the noisiest.

The norms over common dimensions are not estimated. A projection has lost which dimension an entry came from, and the
square root of an estimate is biased, so the r squared norms of each expert's rows are kept beside the projection and
the norms are exact: s + r numbers an expert in place of r N. At E 8, r 90, N 128, s 64 that is 4.9 kB for 369 kB.

Deviation: a cosine is cut to [-1, 1] and only its negative side presses, so noise of mean 0 in a cosine near 0 becomes
a small positive pressure in the mean; the study `cost-ladder` measures it.

Shapes: E experts, r rank quota, R backbone dimensions, N entries per dimension, s columns.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cdsp_core.conflict import cosine_of_products


class Projection(NamedTuple):
    """The random signs."""

    entry_Ns: Tensor
    """float, -1 or 1"""
    dimension_Rs: Tensor
    """float, -1 or 1 over sqrt(s)"""


def random_projection(*, dims: int, entries: int, columns: int, seed: int) -> Projection:
    """Signs for R = `dims`, N = `entries` and s = `columns`; they follow from the seed alone, on every device."""
    generator = torch.Generator().manual_seed(seed)
    entry_Ns, dimension_Rs = (
        torch.randint(0, 2, (rows, columns), generator=generator).to(torch.float32) * 2 - 1 for rows in (entries, dims)
    )
    return Projection(entry_Ns=entry_Ns, dimension_Rs=dimension_Rs * columns**-0.5)


def project(gradient_ErN: Tensor, index_Er: Tensor, projection: Projection) -> Tensor:
    """The gradients of every expert, whose rows belong to the dimensions index_Er, folded to [E, s]."""
    return ((gradient_ErN @ projection.entry_Ns) * projection.dimension_Rs[index_Er]).sum(1)


def projected_cosine(projected_Es: Tensor, square_ER: Tensor, mask_ER: Tensor) -> Tensor:
    """`conflict.cosine_matrix` of projected gradients; `square_ER` holds the exact squared norms of their rows.

    The diagonal, where nothing needs to be estimated, is exact.
    """
    cosine_EE = cosine_of_products(projected_Es @ projected_Es.T, square_ER, mask_ER)
    same = torch.eye(len(cosine_EE), dtype=torch.bool, device=cosine_EE.device)
    return torch.where(same & ~cosine_EE.isnan(), 1.0, cosine_EE)
