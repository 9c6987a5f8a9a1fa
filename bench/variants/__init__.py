"""Alternatives to the real function, each with V0's write; `bench/variant_list.py` lists them."""
