"""What every training run keeps and tells, whatever trains: the metrics file, its decisions, checkpoints of stages."""
