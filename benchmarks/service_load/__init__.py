"""The web service under load: a hundred uploads at once while fifty users browse."""
