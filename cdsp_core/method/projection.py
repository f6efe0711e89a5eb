"""Expert gradients folded to s columns a dimension by random signs, for a game that keeps [E, r, s], not [E, r, N].

Every dimension has N random signs of its own, the same for all experts. A row of the gradient is multiplied with its
dimension's signs and cut into s buckets of consecutive entries, and each bucket is added up: a count sketch (Charikar
et al. 2002) row by row. The product of two folded rows of one dimension is an unbiased estimate of the product of the
rows, with a variance of at most twice the sum over buckets of the two squared norms there: about 2 |g|^2 |f|^2 / s
where the entries are of one size. Dimensions stay apart: rows that the other expert does not hold add no noise, the
errors of common dimensions are independent and average out, and the norms over common dimensions, estimated from the
same folded rows, are as unbiased as the products. From s = N on nothing is lost.

Memory: at E 8, r 90, N 128 the exact game keeps 369 kB a layer, s = 8 keeps 23 kB, and the signs, one byte each,
R N = 33 kB whatever E is; at E 128, r 22 it is 1,442 kB for 90 kB and 33 kB.

Deviations: method and memo fold a whole gradient to one vector of s columns, [E, s]. That was measured first (norms
exact, s = 64, sizes of `live`): two experts share few of the dimensions they hold, the noise has the size of all of
them, and the mean error of a cosine was 0.8, 3.1 and 4.4 times the mean cosine at E 8, 32 and 128. And a conflict is
relu(-cosine), so noise of mean 0 in a cosine near 0 becomes a small pressure in the mean; the study `cost-ladder`
measures both.

Shapes: E experts, r rank quota, R backbone dimensions, N entries of a dimension, s columns.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def random_signs(*, dims: int, entries: int, seed: int) -> Tensor:
    """int8 [R, N], -1 or 1 with equal probability; they follow from the seed alone, on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (dims, entries), generator=generator, dtype=torch.int8) * 2 - 1


def fold(gradient_ErN: Tensor, index_Er: Tensor, sign_RN: Tensor, columns: int) -> Tensor:
    """The rows of every expert's gradient, which belong to the dimensions index_Er, folded to [E, r, s]."""
    bucket = _bucket(gradient_ErN.shape[2], columns)
    signed_ErN = gradient_ErN * sign_RN[index_Er]
    filled = F.pad(signed_ErN, (0, bucket * columns - signed_ErN.shape[2]))
    return filled.view(*index_Er.shape, columns, bucket).sum(3)


def independent_columns(*, entries: int, columns: int) -> float:
    """How many independent entries a folded row of N independent ones counts for in a cosine.

    A column's variance is its bucket's size b, so the square of the cosine of two random gradients has the mean
    sum b^2 / (sum b)^2 over one dimension's columns (for a pair with many dimensions in common), and this is its
    inverse: s where s divides N, N from s = N on. Elsewhere it is below s, as buckets of ceil(N / s) entries leave
    the last columns short or empty: 64 for N = 128 and s = 100.
    """
    bucket = _bucket(entries, columns)
    whole, rest = divmod(entries, bucket)
    return entries**2 / (whole * bucket**2 + rest**2)


def _bucket(entries: int, columns: int) -> int:
    """How many entries are added up to one column."""
    return -(-entries // columns)
