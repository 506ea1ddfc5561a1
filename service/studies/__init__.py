"""Studies and who may see them."""
