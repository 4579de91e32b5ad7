"""The ways to have a model generate: in this process, by vLLM, or by a server."""
