"""The function that CodeDeploy invokes before traffic shifts to a new version. Deployed by itself, as a zip archive."""
