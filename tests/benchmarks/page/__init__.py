"""The parts of bench_all.py: what is run, what is kept of it, and the page that is composed of that."""
