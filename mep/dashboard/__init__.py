"""`mep dashboard`: the CloudWatch dashboard as a page, drawn from a local run, before it is deployed."""
