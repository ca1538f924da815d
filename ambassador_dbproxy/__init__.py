"""The database ambassador: the app talks to localhost, the environment decides which database answers.

`__main__` is the table of contents; each protocol has a package of its own (`postgres`) or a module (`tcp`).
"""
