"""Find a known video again: the hash codes of its windows in a Hamming index on disk."""
