"""`mep dashboard`: preview the CloudWatch dashboard with the metrics of a local run."""
