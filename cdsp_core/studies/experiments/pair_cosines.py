"""Cosines of expert gradients against what chance alone would give: normal(0, 1/n) (appendix E, lemma 1).

Every cosine is multiplied by sqrt(n), n the number of gradient entries it was taken over, so that chance gives
normal(0, 1) for all pairs.

Shapes: E experts, R backbone dimensions, N entries a dimension (2 D, or D where only U is compared), M pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from cdsp_core.method.conflict import cosine_matrix
from cdsp_core.method.layer import CDSPLayer

Array = np.ndarray[Any, Any]


def scaled_cosines(layers: Sequence[CDSPLayer]) -> Array:
    """The cosines of the last recorded step times sqrt(n), of all pairs of all layers that have a value, [M]."""
    return np.concatenate([_scaled(layer.cosine_EE, layer.overlap_EE, layer) for layer in layers])


def chance_cosines(layers: Sequence[CDSPLayer], *, generator: torch.Generator) -> Array:
    """The same for gradients drawn from normal(0, 1) on the same subspaces: what the measurement gives on chance."""
    found = []
    for layer in layers:
        mask_ER = layer.topology.subspaces().mask_ER
        drawn_ERN = torch.randn(*mask_ER.shape, _entries(layer), generator=generator) * mask_ER[:, :, None]
        held_ER = mask_ER.to(torch.float32)
        overlap_EE = held_ER @ held_ER.T / layer.topology.rank
        found.append(_scaled(cosine_matrix(drawn_ERN, mask_ER), overlap_EE, layer))
    return np.concatenate(found)


def kolmogorov_smirnov(value_M: Array) -> tuple[float, float]:
    """Largest distance of the values' distribution from normal(0, 1), and how probable so large a one is by chance.

    The probability is Stephens' approximation of Kolmogorov's distribution (Stephens 1970, J. R. Stat. Soc. B 32);
    good to a few per cent from some ten values on. Both are NaN without values.
    """
    count = len(value_M)
    if not count:
        return math.nan, math.nan
    normal_M = np.array([0.5 * (1.0 + math.erf(value / math.sqrt(2.0))) for value in np.sort(value_M)])
    place_M = np.arange(count) / count
    distance = float(max((normal_M - place_M).max(), (place_M + 1.0 / count - normal_M).max()))
    scaled = (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count)) * distance
    if scaled < 0.3:  # the series below does not converge there, and the probability is 1 to five digits
        return distance, 1.0
    terms = [(-1) ** (k - 1) * math.exp(-2.0 * (k * scaled) ** 2) for k in range(1, 101)]
    return distance, min(max(2.0 * sum(terms), 0.0), 1.0)


def _entries(layer: CDSPLayer) -> int:
    return layer.config.d_model * (2 if layer.config.conflict_over == "uv" else 1)


def _scaled(cosine_EE: torch.Tensor, overlap_EE: torch.Tensor, layer: CDSPLayer) -> Array:
    first, second = np.triu_indices(len(cosine_EE), k=1)
    compared_EE = overlap_EE.numpy() * layer.topology.rank * _entries(layer)
    scaled_M: Array = (np.sqrt(compared_EE) * cosine_EE.numpy())[first, second]
    return scaled_M[np.isfinite(scaled_M)]
