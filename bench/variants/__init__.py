"""The functions beside which ours is measured: each does V0's write. `bench/roster.py` says what each stands for."""
