"""What the API takes and answers, as pydantic models; requests refuse fields they do not know."""
