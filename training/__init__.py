"""Makes the default model: text to tokens, a mixture of experts trained in JAX, its int8 export.

Three rooms, each importing only from those before it: `texts` (what is read and written), `run`
(the model in training) and `report` (what came of it). README.md walks through a run.

python -m training                   the whole way, from a corpus to a folder that the app serves
python -m training.texts.dataset     tokens only
python -m training.run.blend         some of an earlier model's weights mixed in
python -m training.run.routers       the routers alone, trained in minutes
python -m training.report.evaluate   how well a model predicts held-out conversations
python -m training.report.replies    how a model replies under each persona
python -m training.report.talks      ten scripted talks with each persona, measured
python -m training.report.curve      the learning curve of a run as a picture
python -m training.report.card       the model's card, from all that was measured
"""
