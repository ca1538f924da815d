"""PostgreSQL's frontend/backend protocol 3: pure parsers and conversations, and the files that drive them.

`upstream` logs in at the server, `session` serves one app; everything else here is pure.
"""
