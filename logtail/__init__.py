"""Following growing files: discovery, identity, rotation, reading and checkpoints, for any service that reads logs.

`logtail.tail.Tail` is the way in; `logtail.chunk` holds the values it hands out.
"""
