"""What a run has made: prediction, replies, the learning curve, the card."""
