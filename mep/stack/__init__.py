"""The resources of one environment in AWS: their names, and which environment a name belongs to."""
