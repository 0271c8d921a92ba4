"""Measures speed and memory; each program prints a short table and ends in a line of JSON.

python -m bench.decode     one person: decode and prefill against the machine's memory bandwidth
python -m bench.serving    many people at once on the default model
python -m bench.layers     layers of Grok-1's true width against the device's floor
python -m bench.loading    how fast a checkpoint loads, and what memory that takes
python -m bench.gpu_program  what GPUs would launch and read, without having one
python -m bench.compiling  how compiling grows with depth, and what the cache of programs saves
"""
