"""Talks that a program makes from data: scenes of a few exchanges, worded by a persona's manner.

What is told, asked and reckoned stands in lines/talks/*.toml, apart from how a persona words it, so
that a manner is learnt and not a stock of lines. `composition.talk` makes one talk.
"""
