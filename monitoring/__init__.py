"""What watches the function: alarms, dashboard, saved queries, trace groups as plain data; the construct of them."""
