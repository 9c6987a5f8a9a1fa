"""What CloudWatch makes of metrics, on one machine: series from EMF lines, statistics by period, metric math."""
