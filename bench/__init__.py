"""What the function costs beside the plain function a developer writes first: `python bench/run.py`."""
