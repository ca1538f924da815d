"""The log format adapter: whatever the app writes, in one schema.

`pipeline` is the heart and pure; `adapter` and `convert` move bytes in and out of it; `formats/` is the catalogue.
"""
