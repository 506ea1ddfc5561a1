"""The phantom of the sacroiliac joints."""
