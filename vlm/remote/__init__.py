"""A report writer on another machine: slots go to an OpenAI-compatible server, texts come back. No torch here."""
