"""Related methods to compare with, each in a file of its own, small and as its source defines it.

Their experts have weights of their own and share the width R, so a layer has as many weights as CDSP's backbone; their
router reads what CDSP's does. `architectures.py` says which name makes which.
"""
