"""The function's start in processes of its own, and against stock botocore; the sources of its libraries."""
