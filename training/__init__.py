"""Makes the default model: text to tokens, a mixture of experts trained in JAX, its int8 export.

python -m training            the whole way, from a corpus to a folder that the app serves
python -m training.dataset    tokens only
python -m training.evaluate   how well a model predicts held-out conversations
python -m training.replies    how a model replies under each persona
python -m training.curve      the learning curve of a run as a picture
python -m training.card       the model's card, from all that was measured
"""
