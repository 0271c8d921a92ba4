"""How good a model is: known benchmarks, through the engine that serves everybody."""
