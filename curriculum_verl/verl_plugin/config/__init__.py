"""Hydra config groups: add pkg://curriculum_verl.verl_plugin.config to hydra.searchpath."""
