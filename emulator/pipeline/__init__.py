"""The path of an event from EventBridge to the function and to the failure destinations."""
