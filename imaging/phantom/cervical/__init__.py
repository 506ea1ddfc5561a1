"""The cervical phantom."""
