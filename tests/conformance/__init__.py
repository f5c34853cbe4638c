"""What every index promises, asked of each of them."""
