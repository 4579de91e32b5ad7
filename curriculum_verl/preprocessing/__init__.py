"""Preprocessing: from a bucket folder to parquet files in verl's format, for training and validation."""
