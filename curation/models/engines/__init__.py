"""What answers calls: a server over HTTP, transformers, or vLLM. One file each, chosen by `kind`."""
