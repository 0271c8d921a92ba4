"""Measures speed and memory; each program prints a short table and ends in a line of JSON.

python -m bench.decode     one person: decode and prefill against the machine's memory bandwidth
python -m bench.serving    many people at once on the default model
"""
