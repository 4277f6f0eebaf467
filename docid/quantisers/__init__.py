"""From vectors to codes: k-means, residual and hierarchical quantisation, and how collisions are settled."""
