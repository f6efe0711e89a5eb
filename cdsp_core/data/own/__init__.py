"""Own data as tasks: two to six folders of images, an .npz or torchvision's sets, read once into one file.

`python -m cdsp_core data add NAME SOURCE ...` reads the images, makes 28 by 28 grey pixels of each and writes
DIR/NAME.dataset, which is all that a run needs; a run names it in `dataset`, with a hash of its content. Nothing here
imports torch but `torchvision_sets`, so the web process can list sets and show what is in them.
"""
