"""What the engine's programs would do on GPUs, read from programs compiled for them.

`devices` describes the GPUs, `programs` lowers and compiles for them, `hlo` reads a compiled
program's text, `traffic` says what bytes an instruction moves, `work` adds up what a program
launches, `step` what it must read at least, and `kernels` what those of our own read.
"""
