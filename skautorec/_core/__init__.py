"""The numerical core: torch, numpy and scipy only.

One side of the rating matrix, users or items, is *encoded*: its rows go through the network. The
other is *decoded*: each of its rows is a linear function of the codes, solved as a ridge
regression.
`model.ItemPart` encodes items and decodes users, `model.UserPart` the reverse.

Four words for what might be called a model: a *network* is a torch module while it is trained
(`network`), an *encoder* what is kept of it in numpy, with the prior of the decoded rows
(`encoder`), a *model* all that predicts, of one or more encoders (`model`), and an *export* the
torch module that users take away (`export`).
"""
