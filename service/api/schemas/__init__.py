"""Request and answer models of the routes, one file a router."""
