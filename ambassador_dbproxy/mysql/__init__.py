"""The MySQL and MariaDB client/server protocol 10: pure parsers and conversations, and the files that drive them.

`upstream` logs in at the server, `session` serves one app, `change_user` repeats both in mid-session; everything else
here is pure.
"""
