"""The function in a sandbox that has been restored from a snapshot; in a process of its own.

A snapshot keeps the state of the process-wide generator of random numbers, and every sandbox that is restored from it
goes on from there. Here each process has that state when its start is over. Lambda's own runtime client then asks for
the restore, where the environment says `snap-start`.
"""

import random

from handler import app

STATE_IN_THE_SNAPSHOT = 20_261_126

random.seed(STATE_IN_THE_SNAPSHOT)

lambda_handler = app.lambda_handler
