"""How much two tasks share: the experts they are routed to, and the backbone dimensions behind those experts.

Shapes: L layers, Q tasks, E experts, R backbone dimensions. A routing distribution's rows sum to 1 over experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cdsp_core.studies.framework.study import Row
from cdsp_core.training import measures

if TYPE_CHECKING:
    from cdsp_core.method.layer import CDSPLayer

Array = np.ndarray[Any, Any]


def routing_overlap(routing_LQE: Array) -> float:
    """Sum of minima of two tasks' routing distributions, mean over pairs of tasks and layers. In [0, 1]."""
    return 1.0 - float(np.mean([measures.isolation(routing_QE) for routing_QE in routing_LQE]))


def dimension_overlap(routing_LQE: Array, mask_LER: Array) -> float:
    """The same for the share of its use that each task gives every backbone dimension. In [0, 1].

    Experts with different names may hold the same dimensions: two tasks are apart only where this is small too.
    """
    used_LQR = routing_LQE @ (mask_LER / mask_LER.sum(2, keepdims=True))
    return routing_overlap(used_LQR)


def structure(routing_LQE: Array, layers: Sequence[CDSPLayer]) -> Row:
    """What the tasks share in these layers, and how the layers stand; means over layers.

    The columns are routing_overlap, dimension_overlap and the measures rank_overlap, gradient_interference and
    alpha_sparsity.
    """
    mask_LER = np.stack([layer.topology.subspaces().mask_ER.numpy() for layer in layers]).astype(np.float64)
    overlap_LEE = mask_LER @ mask_LER.transpose(0, 2, 1) / mask_LER[0, 0].sum()
    connection_LEP = np.stack([layer.topology.connection().detach().numpy() for layer in layers])
    return {
        "routing_overlap": routing_overlap(routing_LQE),
        "dimension_overlap": dimension_overlap(routing_LQE, mask_LER),
        "rank_overlap": float(np.mean([measures.rank_overlap(overlap_EE) for overlap_EE in overlap_LEE])),
        "gradient_interference": interference(layers),
        "alpha_sparsity": measures.alpha_sparsity(connection_LEP),
    }


def interference(layers: Sequence[CDSPLayer]) -> float | None:
    """Measure gradient_interference of the last recorded step, mean over the layers that have one; None without."""
    values = [measures.gradient_interference(-layer.cosine_EE.numpy().clip(-1.0, 0.0)) for layer in layers]
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else None
