"""Research: what readers corrected, as training data without identity, and the evaluation suite on uploads."""
