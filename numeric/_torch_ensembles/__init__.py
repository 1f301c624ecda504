"""Ensembles of training runs of torch models, batched by `torch.func`."""
