"""Side by side with the peers: what a mate does per CPU-second, and what it weighs. `python -m benchmarks --help`."""
