"""What is monitored, as plain data: alarms, dashboard, saved queries and trace groups. Nothing here imports CDK."""
