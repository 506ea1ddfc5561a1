"""The report between the machine's draft and a radiologist's signature: decisions, the text that follows, the gate."""
