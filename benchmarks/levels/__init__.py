"""How well levels are named and placed; see ``__main__``."""
