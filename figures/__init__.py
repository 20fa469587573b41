"""The paper's figures: one script each, with the data it draws (CSV) and their provenance (JSON) beside it.

``python -m figures`` draws them. A script has a caption (its docstring), a `SCENARIO`, ``compute() -> rows``,
which makes the data, and ``draw(rows, style) -> Figure``, which sees nothing but the data.
"""
