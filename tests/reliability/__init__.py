"""The proofs: nothing lost, nothing sent twice, and the fate of every message known."""
