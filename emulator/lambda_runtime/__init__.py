"""Lambda's execution environment on one machine: function processes, their Runtime API, a receiver for spans."""
