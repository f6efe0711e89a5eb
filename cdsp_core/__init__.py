"""CDSP-MoE (arXiv:2512.20291): a mixture of experts whose experts are subspaces of one shared backbone."""

__version__ = "0.1.0"
