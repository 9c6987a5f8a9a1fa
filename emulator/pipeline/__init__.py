"""EventBridge, Lambda's asynchronous invocation and their nets, on one machine; see `docs/event-pipeline.md`."""
