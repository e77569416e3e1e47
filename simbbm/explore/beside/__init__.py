"""Kernel images beside the model: whether their code asks the machine for the same.

* `operations`: what one CPU asks for, in one form for both;
* `align`: two such sequences side by side;
* `of_model`, `of_image`: where the sequences come from;
* `explained`: the differences that are known, with their reasons;
* `compare`: one image and the model; `differences`: two images.

Read `compare` first.
"""
