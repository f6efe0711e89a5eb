"""CDSP-MoE itself (arXiv:2512.20291), one concept a file: topology, backbone, router, conflict, layer."""
