"""Generation with a key-value cache, many sequences at once: for verl on a CPU, and for rollouts."""
