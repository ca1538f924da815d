"""Redis: the ambassador's own login, the app's, and a relay that counts no replies.

`resp` frames, `login` and `handshake` decide, `upstream` and `session` talk.
"""
