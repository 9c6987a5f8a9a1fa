"""The cost of the function compared with a plain one: `python bench/run.py`."""
