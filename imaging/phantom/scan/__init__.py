"""From painted tissues to MR images."""
