"""PostgreSQL's frontend/backend protocol 3: pure parsers and conversations, and the files that drive them.

`service` lets apps in, `upstream` logs in at the server, `session` joins the two; everything else here is pure.
"""
