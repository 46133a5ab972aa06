"""Effects on the outside world: the tool contract, the registry and the sandbox company."""
