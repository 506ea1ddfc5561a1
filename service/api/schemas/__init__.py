"""What requests of the API hold, one file for each router."""
