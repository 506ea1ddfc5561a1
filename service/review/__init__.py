"""The report between the machine's draft and the signature: decisions, the text that follows, the gate."""
