"""Supervised fine-tuning with a curriculum: Hugging Face's Trainer on the same engine as the GRPO side."""
