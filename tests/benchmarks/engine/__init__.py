"""The engine under every policy and the peers' rules: who takes part, what is measured, the report."""
