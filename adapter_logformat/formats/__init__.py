"""The catalogue: one small declarative module per family, each with its `FORMATS`.

`registry` knows which module holds which format and imports it when it is first needed.
"""
