"""What can be said of a cell at its end: each measure's name, what people call it, and its unit. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One number of a trained run; `cell.py` takes it."""

    label: str
    unit: str = ""
    """links, % (the value is a share) or bits; empty for a number without one"""
    text: str
    """what it is, in one line"""


MEASURES: Final[dict[str, Measure]] = {
    "links_cut": Measure(label="Links cut", unit="links", text="entries of sigma(A) below 0.1, of all layers together"),
    "accuracy": Measure(label="Accuracy with ID", unit="%", text="over all test images, mean over the tasks"),
    "blind_accuracy": Measure(label="Accuracy without ID", unit="%", text="the same where the task is hidden"),
    "blind_gap": Measure(label="Gap without ID", unit="%", text="accuracy with ID minus without"),
    "diagonal_gini": Measure(label="Gini of the diagonal", text="how unequal the diagonal of sigma(A) is; 0 is equal"),
    "load_gini": Measure(label="Uneven work", text="Gini coefficient of the experts' shares of the tokens; 0 is equal"),
    "routing_overlap": Measure(
        label="Routing overlap", text="mean overlap of two tasks' shares of experts; 1 is equal"
    ),
    "entropy": Measure(label="Entropy", unit="bits", text="mean binary entropy of an entry of sigma(A)"),
    "conflict": Measure(label="Conflict", text="mean conflict of two experts' gradients at the last step"),
}
"""Means over the layers, where a layer has its own. A model without A has no value of what is of A."""
