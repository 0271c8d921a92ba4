"""What is read and what was written for the model: text, cleaned, varied and packed to tokens."""
