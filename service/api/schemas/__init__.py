"""What the routes take and answer, as pydantic models."""
