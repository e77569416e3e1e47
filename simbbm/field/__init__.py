"""What the field looks like: which machines take the repaint path, and what it costs them.

`cost/` says what a split of the linear map costs: tables exactly, time by a model.
"""
