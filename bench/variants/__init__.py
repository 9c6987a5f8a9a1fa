"""The functions beside which ours is measured: each does V0's write. `bench/variant_list.py` says why."""
