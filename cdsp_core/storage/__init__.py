"""Where checkpoints, recorded runs and results are kept beside the machine that makes them, by URL.

`place.py` says what a storage does, `folder.py` and `objects.py` are the two there are, `mirror.py` keeps a local
folder and a storage alike. No torch; pyarrow only once an `s3://` URL is opened.
"""
