"""The parts of bench_pipeline.py: data, contenders as processes, verification, goals, report."""
