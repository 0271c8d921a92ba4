"""The default model's sizes: what fits in 32 MB as int8, and in the caches of a laptop."""

from grok_app.model.config import GrokConfig

NANO = GrokConfig(
    vocab_size=4096,
    sequence_len=1024,
    emb_size=256,
    widening_factor=3.9375,  # makes the experts 672 wide, a multiple of the processor's tiles
    key_size=64,
    num_q_heads=4,
    num_kv_heads=2,
    num_layers=6,
    embedding_multiplier_scale=16.0,  # sqrt(emb_size), as Grok-1 has it
    attn_output_multiplier=0.125,  # 1 / sqrt(key_size), likewise
)
