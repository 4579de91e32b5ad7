"""What runs behind the sandbox's walls. Standard library only: it starts once for every response."""
