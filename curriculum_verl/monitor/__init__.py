"""The live monitor: what runs tell in their metrics files and rollout logs, as pictures, tables and files."""
