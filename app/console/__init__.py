"""The console at /console/: pages for marketers, privacy officers and operators, rendered on the server."""
