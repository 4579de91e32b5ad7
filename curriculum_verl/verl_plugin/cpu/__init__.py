"""verl on a CPU: platform, FSDP2 engines and a rollout of our own. Chosen by VERL_PLATFORM=cpu."""
