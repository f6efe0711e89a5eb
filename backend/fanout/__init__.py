"""More viewers than one process can serve: the owner of the runs publishes them, viewer processes show them.

    owner: RunHub -> Viewer -> Redis stream of the run -> MirroredRun -> Viewer -> pages: a viewer process

`publisher` is the owner's side. A run's stream holds what one page is told, message by message: the publisher is a
viewer whose socket is Redis. `mirror` reads the same messages as a page does and is watched as a hub is. What a viewer
process does not hold (where a run begins, what it has missed, every answer under /api) it asks of the owner, by the
protocol that pages use: `owner`.
"""
