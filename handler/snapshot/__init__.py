"""What a SnapStart snapshot needs, imported under SnapStart only (`AWS_LAMBDA_INITIALIZATION_TYPE=snap-start`).

Lambda starts the function once for each published version, takes a snapshot of the sandbox, and restores every sandbox
of the version from it. Before the snapshot, the function is primed (`priming`): what the first event would do for the
first time is done by events whose requests never leave the process. After the restore (`hooks`), what must be unique or
fresh is replaced. https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""
