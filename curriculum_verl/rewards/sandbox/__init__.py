"""Runs programs that nobody trusts: without network, environment or a way out, within limits that end."""
