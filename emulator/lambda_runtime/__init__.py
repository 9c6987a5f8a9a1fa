"""Lambda's execution environments on one machine: real processes, a Runtime API, a receiver of spans."""
