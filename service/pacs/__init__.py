"""The hospital's archive and scanners: asking them, fetching, sending, and listening for what they send."""
